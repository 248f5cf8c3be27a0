// What rules of a snapshot may name: columns of customers with the kind of their values, sources of events, other
// tables, audiences. The server lists the names; what columns are about, and where their values are, is said by the
// tables of the snapshot.

import type { Column, Table } from "../../../api/types.ts";

export type Kinds = "whole" | "number" | "text" | "bool" | "date" | "tiles";

export interface RuleColumn {
  name: string;
  kind: Kinds;
  isTile: boolean;
  /** Whether its values say who somebody is, so that they stand in lists alone. */
  namesPeople: boolean;
  about: string;
  /** Where its values can be looked up. */
  table: string;
  column: string;
}

export interface Source {
  name: string;
  /** Whether its events have ids: without them there are sums of days alone. */
  event_id: boolean;
  measures: string[];
  dimensions: string[];
}

export interface Relation {
  name: string;
  columns: RuleColumn[];
}

export interface Vocabulary {
  columns: RuleColumn[];
  sources: Source[];
  relations: Relation[];
  audiences: string[];
  lists: string[];
}

/** What the server says of names that rules may use. */
export interface ServerNames {
  columns: { name: string; kind: string; names_people: boolean; is_tile: boolean }[];
  sources: Source[];
  lists: string[];
}

/** The kind of the values of a column, or null for what rules do not compare. */
export function kindOf(type: string): Kinds | null {
  if (/^U?Int/.test(type)) return "whole";
  if (/^(Float|Decimal)/.test(type)) return "number";
  if (/^(Large)?Utf8/.test(type)) return "text";
  if (type === "Boolean") return "bool";
  if (type.startsWith("Date")) return "date";
  return type.startsWith("Map") ? "tiles" : null;
}

const KINDS: Record<string, Kinds> = {
  whole: "whole",
  float: "number",
  decimal: "number",
  text: "text",
  bool: "bool",
  date: "date",
  tiles: "tiles",
};

/** The columns of customers that rules may name, in the order of the tables. */
export function columnsOf(tables: Table[], names: ServerNames): RuleColumn[] {
  const known = new Map(names.columns.map((column) => [column.name, column]));
  const found: RuleColumn[] = [];
  const seen = new Set<string>();
  for (const table of ["customer_value", "dim_customer"]) {
    for (const column of named(tables, table)) {
      // A name that both tables have is there with its table alone, but for the key, which is one.
      const name = known.has(column.name) ? column.name : `${table}.${column.name}`;
      const of = known.get(name);
      const kind = of === undefined ? undefined : KINDS[of.kind];
      if (of === undefined || kind === undefined || seen.has(name)) continue;
      seen.add(name);
      const isAttribute = table === "dim_customer" && !/^valid_/.test(column.name);
      found.push({
        name,
        kind,
        isTile: of.is_tile,
        namesPeople: of.names_people,
        about: isAttribute ? "attribute of the customer" : column.about,
        table,
        column: column.name,
      });
    }
  }
  return found;
}

function named(tables: Table[], name: string): Column[] {
  return tables.find((table) => table.name === name)?.columns ?? [];
}

/** Tables with rows of customers that rules may count: those of a project, and Tenfold's own. */
export function relationsOf(tables: Table[]): Relation[] {
  const own = new Set(["customer_value", "audience_member", "audience_change", "dim_audience", "fact_audience"]);
  const withCustomers = tables.filter(
    (table) => !own.has(table.name) && table.columns.some((column) => column.name === "customer"),
  );
  return withCustomers.map((table) => ({
    name: table.name,
    columns: table.columns.flatMap((column): RuleColumn[] => {
      const kind = kindOf(column.type);
      if (kind === null || kind === "tiles") return [];
      const namesPeople = column.name === "customer";
      return [
        {
          name: column.name,
          kind,
          isTile: false,
          namesPeople,
          about: column.about,
          table: table.name,
          column: column.name,
        },
      ];
    }),
  }));
}
