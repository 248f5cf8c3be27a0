// A widget's question as SQL with bound values. Names are quoted and values are parameters, never part of the text,
// so that no document, filter or click can make a query into another one. Pure: the same widget and the same values
// of the filters give the same SQL, which is what "View SQL" shows.

import { quoted } from "../api/quoted.ts";
import { columnFilterOf, scan } from "./scan.ts";
import type { Condition, FilterValues, GuidedQuery, Join, QueryColumn, Scalar, Widget } from "./types.ts";

export interface Compiled {
  sql: string;
  parameters: Record<string, Scalar>;
}

/** A document that does not say what it wants to know; `place` is the part of the widget. */
export class CompileError extends Error {
  constructor(
    readonly place: string,
    message: string,
  ) {
    super(message);
  }
}

/** The query of a widget, guided or SQL. `columns` are the choices of filters that choose a column. */
export function compileWidget(
  widget: Pick<Widget, "query" | "sql" | "parameters">,
  filters: FilterValues,
  columns: Record<string, string> = {},
): Compiled {
  if (widget.sql !== undefined) return bindSql(widget.sql, widget.parameters ?? {}, filters, columns);
  if (widget.query) return compileQuery(widget.query, filters);
  throw new CompileError("query", "the widget has neither a query nor SQL");
}

/** A name of a document as it stands in SQL. */
export function named(name: string): string {
  if (name === "") throw new CompileError("query", "a name is empty");
  return quoted(name);
}

/** The two ends of `on`: `table.column`, or a column of the query's own table. */
export function sourceOf(column: string, base: string): { table: string; column: string } {
  const dot = column.indexOf(".");
  return dot < 0 ? { table: base, column } : { table: column.slice(0, dot), column: column.slice(dot + 1) };
}

/** The name of a column in the answer. */
export function outputName(column: QueryColumn): string {
  if (column.as) return column.as;
  if (column.column === undefined) return "rows";
  return column.aggregate ? `${column.aggregate}_${column.column}` : column.column;
}

/** Values on their way into a query: each gets a parameter of its own. */
class Bound {
  readonly parameters: Record<string, Scalar> = {};
  private count = 0;

  constructor(private readonly taken: Set<string>) {}

  add(value: Scalar): string {
    this.count += 1;
    const name = free(`p${this.count}`, this.taken);
    this.parameters[name] = value;
    return `$${name}`;
  }
}

export function compileQuery(query: GuidedQuery, filters: FilterValues): Compiled {
  return compile(query, filters);
}

/**
 * A guided query as SQL that somebody can go on writing: it asks for the filters by their names, and says itself
 * that one without a choice leaves everything in. The fixed values come as parameters beside it.
 */
export function toSql(query: GuidedQuery): Compiled {
  return compile(query, null);
}

/** `filters` is null where the SQL is to ask for them itself. */
function compile(query: GuidedQuery, filters: FilterValues | null): Compiled {
  if (!query.table) throw new CompileError("query.table", "no table is chosen");
  if (query.columns.length === 0) throw new CompileError("query.columns", "no column is chosen");
  const bound = new Bound(new Set((query.where ?? []).flatMap((condition) => condition.parameter ?? [])));
  const known = new Set([query.table]);
  const joins = (query.joins ?? []).map((join, i) => joinOf(join, i, query.table, known, bound));

  // Without a table, a column belongs to the only one, or to the one of several that has such a column.
  const name = ({ table = joins.length === 0 ? query.table : undefined, column }: Source, place: string): string => {
    if (table === undefined) return named(column);
    if (!known.has(table)) {
      throw new CompileError(place, `${table} is neither the table of the query nor joined to it`);
    }
    return `${named(table)}.${named(column)}`;
  };

  const outputs = new Set<string>();
  const selected = query.columns.map((column, i) => {
    const output = outputName(column);
    if (outputs.has(output)) {
      throw new CompileError(`query.columns[${i}]`, `two columns are named ${output}: give one of them another name`);
    }
    outputs.add(output);
    return `${expression(column, i, name)} AS ${named(output)}`;
  });
  const grouped = query.columns.some((column) => column.aggregate)
    ? query.columns.flatMap((column, i) => (column.aggregate ? [] : [expression(column, i, name)]))
    : [];
  const conditions = (query.where ?? []).flatMap((condition, i) => {
    const text = conditionOf(condition, i, query, name, filters, bound);
    return text === null ? [] : [text];
  });
  const order = (query.order ?? []).map((by, i) => {
    const column = outputs.has(by.column) ? named(by.column) : name(by, `query.order[${i}]`);
    return `${column}${by.descending ? " DESC" : ""} NULLS LAST`;
  });

  const lines = [`SELECT ${selected.join(",\n       ")}`, `FROM ${named(query.table)}`, ...joins];
  if (conditions.length > 0) lines.push(`WHERE ${conditions.join("\n  AND ")}`);
  if (grouped.length > 0) lines.push(`GROUP BY ${grouped.join(", ")}`);
  if (order.length > 0) lines.push(`ORDER BY ${order.join(", ")}`);
  if (query.limit !== undefined) {
    if (!Number.isInteger(query.limit) || query.limit < 1) {
      throw new CompileError("query.limit", "the limit is a whole number of at least 1");
    }
    lines.push(`LIMIT ${bound.add(query.limit)}`);
  }
  return { sql: lines.join("\n"), parameters: bound.parameters };
}

function joinOf(join: Join, i: number, base: string, known: Set<string>, bound: Bound): string {
  const place = `query.joins[${i}]`;
  if (known.has(join.table)) throw new CompileError(place, `${join.table} is there already`);
  const pairs = Object.entries(join.on).map(([from, to]) => {
    const source = sourceOf(from, base);
    if (!known.has(source.table)) throw new CompileError(place, `${source.table} has not been joined before`);
    return `${named(join.table)}.${named(to)} = ${named(source.table)}.${named(source.column)}`;
  });
  if (pairs.length === 0) throw new CompileError(place, `nothing says which rows of ${join.table} belong together`);
  // In the condition of the join, so that rows without a partner stay.
  for (const [column, value] of Object.entries(join.where ?? {})) {
    const partner = `${named(join.table)}.${named(column)}`;
    pairs.push(value === null ? `${partner} IS NULL` : `${partner} = ${bound.add(value)}`);
  }
  known.add(join.table);
  return `LEFT JOIN ${named(join.table)} ON ${pairs.join(" AND ")}`;
}

type Source = { table?: string; column: string };
type Namer = (source: Source, place: string) => string;

function expression(column: QueryColumn, i: number, name: Namer): string {
  const place = `query.columns[${i}]`;
  if (column.column === undefined) {
    if (column.aggregate !== "count") throw new CompileError(place, "without a column, rows can only be counted");
    return "count(*)";
  }
  const subject = name({ ...column, column: column.column }, place);
  switch (column.aggregate) {
    case undefined:
      return subject;
    case "count_distinct":
      return `count(DISTINCT ${subject})`;
    case "sum":
    case "avg":
    case "min":
    case "max":
    case "count":
      return `${column.aggregate}(${subject})`;
    default:
      throw new CompileError(place, `there is no aggregate ${String(column.aggregate)}`);
  }
}

/** What a record has itself: names come from documents, and may be those of an object's own machinery. */
function own<V>(record: Record<string, V>, name: string): V | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** What a filter says, without what says nothing: an empty text or list is no choice. */
export function chosen(value: Scalar | Scalar[] | undefined): Scalar[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null || value === "" ? [] : [value];
}

function conditionOf(
  condition: Condition,
  i: number,
  query: GuidedQuery,
  name: Namer,
  filters: FilterValues | null,
  bound: Bound,
): string | null {
  const place = `query.where[${i}]`;
  const subject = name(condition, place);
  if (condition.parameter !== undefined && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(condition.parameter)) {
    throw new CompileError(place, `${condition.parameter} cannot be the name of a filter`);
  }
  switch (condition.op) {
    case "is_null":
      return `${subject} IS NULL`;
    case "is_not_null":
      return `${subject} IS NOT NULL`;
    case "newest": {
      const table = condition.table ?? query.table;
      return `${name({ ...condition, table }, place)} = (SELECT max(${named(condition.column)}) FROM ${named(table)})`;
    }
    default:
  }
  if (filters === null && condition.parameter !== undefined) return asking(condition, place, subject);
  if (condition.op === "between") return between(condition, place, subject, filters ?? {}, bound);
  const values = valuesOf(condition, place, filters ?? {});
  if (values === null) return null;
  const [first = null] = values;
  switch (condition.op) {
    // A filter that takes several values, and a single value that may be NULL, are lists as well.
    case "=":
    case "in":
      return listed(subject, values, bound);
    case "!=":
    case "not_in":
      return notListed(subject, values, bound);
    case "contains":
      return `strpos(lower(CAST(${subject} AS VARCHAR)), lower(${bound.add(String(first))})) > 0`;
    case "<":
    case "<=":
    case ">":
    case ">=":
      if (first === null) throw new CompileError(place, "nothing is smaller or larger than NULL");
      return `${subject} ${condition.op} ${bound.add(first)}`;
    default:
      throw new CompileError(place, `there is no condition ${String(condition.op)}`);
  }
}

/** A condition that asks for its filter by name. */
function asking(condition: Condition, place: string, subject: string): string {
  const value = `$${condition.parameter}`;
  switch (condition.op) {
    case "=":
    case "in":
      return `(${value} IS NULL OR ${subject} IN (${value}))`;
    case "!=":
    case "not_in":
      return `(${value} IS NULL OR ${subject} NOT IN (${value}) OR ${subject} IS NULL)`;
    case "contains":
      return `(${value} IS NULL OR strpos(lower(CAST(${subject} AS VARCHAR)), lower(${value})) > 0)`;
    case "between":
      return (
        `(${value}_from IS NULL OR ${subject} >= ${value}_from)\n` +
        `  AND (${value}_to IS NULL OR ${subject} <= ${value}_to)`
      );
    case "<":
    case "<=":
    case ">":
    case ">=":
      return `(${value} IS NULL OR ${subject} ${condition.op} ${value})`;
    default:
      throw new CompileError(place, `there is no condition ${String(condition.op)} with a filter`);
  }
}

/** The values of a condition, or null where a filter without a choice leaves it out. */
function valuesOf(condition: Condition, place: string, filters: FilterValues): Scalar[] | null {
  if (condition.parameter !== undefined) {
    const values = chosen(own(filters, condition.parameter));
    return values.length > 0 ? values : null;
  }
  const values = condition.values ?? (condition.value === undefined ? [] : [condition.value]);
  if (values.length === 0) throw new CompileError(place, "the condition has no value");
  return values;
}

function between(condition: Condition, place: string, subject: string, filters: FilterValues, bound: Bound): string | null {
  let from: Scalar | undefined;
  let to: Scalar | undefined;
  if (condition.parameter !== undefined) {
    [from] = chosen(own(filters, `${condition.parameter}_from`));
    [to] = chosen(own(filters, `${condition.parameter}_to`));
    if (from === undefined && to === undefined) return null;
  } else {
    [from, to] = condition.values ?? [];
    if (from === undefined || from === null || to === undefined || to === null) {
      throw new CompileError(place, "a range has two ends");
    }
  }
  // One end alone is a range as well: a filter may say "from" and leave the end open.
  const ends = [
    ...(from === undefined ? [] : [`${subject} >= ${bound.add(from)}`]),
    ...(to === undefined ? [] : [`${subject} <= ${bound.add(to)}`]),
  ];
  return ends.join(" AND ");
}

function listed(subject: string, values: Scalar[], bound: Bound): string {
  const known = values.filter((value) => value !== null);
  const parts: string[] = [];
  if (known.length === 1) parts.push(`${subject} = ${bound.add(known[0] ?? null)}`);
  if (known.length > 1) parts.push(`${subject} IN (${known.map((value) => bound.add(value)).join(", ")})`);
  if (known.length < values.length) parts.push(`${subject} IS NULL`);
  return parts.length > 1 ? `(${parts.join(" OR ")})` : parts.join("");
}

/** All rows but those with one of the values: rows with NULL are left out only where NULL is one of them. */
function notListed(subject: string, values: Scalar[], bound: Bound): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return `${subject} IS NOT NULL`;
  const others =
    known.length === 1
      ? `${subject} <> ${bound.add(known[0] ?? null)}`
      : `${subject} NOT IN (${known.map((value) => bound.add(value)).join(", ")})`;
  return known.length < values.length ? `(${others} AND ${subject} IS NOT NULL)` : `(${others} OR ${subject} IS NULL)`;
}

/**
 * SQL of a person with the values that it asks for: fixed ones, else those of the filters, else NULL. Several values
 * of a filter become a list in `IN ($name)`; elsewhere, as in `$name IS NULL`, the first stands for them. NULL among
 * them is left out: it would pass for no choice, and nothing is equal to it. `"$name"` is the column that is chosen by
 * the filter of that name, as a quoted name.
 */
export function bindSql(
  sql: string,
  fixed: Record<string, Scalar>,
  filters: FilterValues,
  columns: Record<string, string> = {},
): Compiled {
  const tokens = scan(sql);
  const taken = new Set(tokens.flatMap((token) => (token.name === undefined ? [] : [token.name])));
  const parameters: Record<string, Scalar> = {};
  const before: string[] = [];
  let text = "";
  for (const token of tokens) {
    if (token.kind === "blank") {
      text += token.text;
      continue;
    }
    const filter = columnFilterOf(token.text);
    const column = filter === undefined ? undefined : own(columns, filter);
    let written = column ? named(column) : token.text;
    if (token.name !== undefined) {
      const given = Object.hasOwn(fixed, token.name) ? fixed[token.name] : own(filters, token.name);
      const values = chosen(given).filter((value) => value !== null);
      const inList = before.at(-1) === "(" && before.at(-2)?.toUpperCase() === "IN";
      if (inList && values.length > 1) {
        const names = values.map((_, i) => free(`${token.name}_${i + 1}`, taken));
        names.forEach((name, i) => (parameters[name] = values[i] ?? null));
        written = names.map((name) => `$${name}`).join(", ");
      } else {
        parameters[token.name] = values[0] ?? null;
      }
    }
    text += written;
    before.push(token.text);
  }
  return { sql: text, parameters };
}

/** A name that no parameter of the query has: `name`, or with underscores behind it. */
function free(name: string, taken: Set<string>): string {
  let candidate = name;
  while (taken.has(candidate)) candidate += "_";
  return candidate;
}
