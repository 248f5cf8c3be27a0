// Which tables a query can reach, by references and by keys that its tables have, and how. A join over a whole key
// never makes two rows out of one; a table with one row per period of validity is joined by its current rows.

import { pairsOf } from "../../api/references.ts";
import type { Table } from "../../api/types.ts";
import { sourceOf } from "../../spec/compile.ts";
import type { GuidedQuery, Join } from "../../spec/types.ts";

export interface Reach {
  table: Table;
  /** The ways that lead there; with more than one, somebody has to choose. */
  ways: Join[];
}

/** Tables that can be joined to what the query has already. */
export function reachable(tables: Table[], query: GuidedQuery): Reach[] {
  const known = [query.table, ...(query.joins ?? []).map((join) => join.table)];
  const found = new Map<string, Join[]>();
  const add = (join: Join) => {
    if (known.includes(join.table)) return;
    const ways = found.get(join.table) ?? [];
    if (!ways.some((way) => sameWay(way, join))) found.set(join.table, [...ways, join]);
  };
  for (const name of known) {
    const source = tables.find((table) => table.name === name);
    if (!source) continue;
    const from = (column: string) => (name === query.table ? column : `${name}.${column}`);
    for (const reference of source.references) {
      const on = Object.fromEntries(pairsOf(reference).map(([own, key]) => [from(own), key]));
      add({ table: reference.table, on });
    }
    for (const table of tables) {
      const way = byKey(source, table, from);
      if (way) add(way);
    }
  }
  return [...found].flatMap(([name, ways]) => {
    const table = tables.find((one) => one.name === name);
    return table ? [{ table, ways }] : [];
  });
}

/** Whether two joins are one: a reference may name the columns of a key in another order than the key does. */
function sameWay(one: Join, other: Join): boolean {
  const text = (join: Join) => JSON.stringify({ ...join, on: Object.entries(join.on).sort() });
  return text(one) === text(other);
}

/** The join over the whole key of a table, where the source has columns of the same names and types. */
function byKey(source: Table, table: Table, from: (column: string) => string): Join | null {
  if (source.name === table.name) return null;
  const versions = isVersioned(table);
  const key = versions ? table.key.filter((column) => column !== "valid_from") : table.key;
  if (key.length === 0) return null;
  const type = (of: Table, column: string) => of.columns.find((one) => one.name === column)?.type;
  if (!key.every((column) => type(source, column) !== undefined && type(source, column) === type(table, column))) return null;
  const on = Object.fromEntries(key.map((column) => [from(column), column]));
  return { table: table.name, on, ...(versions ? { where: { is_current: true } } : {}) };
}

/** Whether a table has a row for each period of validity. */
export function isVersioned(table: Table): boolean {
  return table.key.includes("valid_from") && table.columns.some((column) => column.name === "is_current");
}

/** A way in words. */
export function wayInWords(join: Join): string {
  const by = Object.entries(join.on).map(([from, to]) => (from === to ? from : `${from} = ${to}`));
  const where = Object.keys(join.where ?? {});
  return `by ${by.join(" and ")}${where.length > 0 ? `, where ${where.join(" and ")}` : ""}`;
}

export function withJoin(query: GuidedQuery, join: Join): GuidedQuery {
  return { ...query, joins: [...(query.joins ?? []), join] };
}

/** The query without joins that nothing asks for, and with the tables of its columns named where there are several. */
export function tidied(query: GuidedQuery): GuidedQuery {
  let joins = query.joins ?? [];
  for (;;) {
    const used = new Set<string | undefined>([
      ...query.columns.map((column) => column.table),
      ...(query.where ?? []).map((condition) => condition.table),
      ...joins.flatMap((join) => Object.keys(join.on).map((column) => sourceOf(column, query.table).table)),
    ]);
    const needed = joins.filter((join) => used.has(join.table));
    if (needed.length === joins.length) break;
    joins = needed;
  }
  const { joins: _, ...rest } = query;
  const alone = joins.length === 0;
  const owned = <T extends { column?: string; table?: string }>(one: T): T => {
    if (one.column === undefined) return one;
    const { table, ...others } = one;
    return (alone ? others : { ...others, table: table ?? query.table }) as T;
  };
  return {
    ...rest,
    ...(alone ? {} : { joins }),
    columns: query.columns.map(owned),
    ...(query.where ? { where: query.where.map(owned) } : {}),
  };
}

/** The query with the table of each column, looked up where a file leaves it out. */
export function resolved(query: GuidedQuery, tables: Table[]): GuidedQuery {
  const own = [query.table, ...(query.joins ?? []).map((join) => join.table)];
  const owner = (column: string): string =>
    own.find((name) => tables.some((table) => table.name === name && table.columns.some((one) => one.name === column))) ??
    query.table;
  const named = <T extends { column?: string; table?: string }>(one: T): T =>
    one.column === undefined || one.table !== undefined ? one : { ...one, table: owner(one.column) };
  return {
    ...query,
    columns: query.columns.map(named),
    ...(query.where ? { where: query.where.map(named) } : {}),
  };
}
