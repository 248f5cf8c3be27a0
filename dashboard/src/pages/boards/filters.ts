// What the filters of a dashboard offer and what they say: choices from SQL, columns and snapshots, what is chosen in
// the address, and what holds while nothing is. Pure but for the questions, which come in as functions.
import type { Snapshot, SqlAnswer, Table } from "../../api/types.ts";
import { bindSql, type Compiled, named, sourceOf } from "../../spec/compile.ts";
import { columnFiltersOf, parametersOf } from "../../spec/scan.ts";
import { type Control, type DashboardDocument, type Filter, type FilterValues, parametersOfFilter, type Scalar, type Widget } from "../../spec/types.ts";
import { FILTER, readList, scalar } from "./state.ts";

/** A value to choose, and what stands for it. */
export interface Option {
  value: Scalar;
  label: string;
}

/** What the filters come to: values of parameters, columns that are named in queries, and what there is to choose. */
export interface Settled {
  values: FilterValues;
  columns: Record<string, string>;
  options: Record<string, Option[]>;
  /** Filters whose choices could not be found, with what went wrong. */
  failed: Record<string, unknown>;
  /** Filters that change nothing in this snapshot: it lacks what every widget needs that asks for them. */
  idle: string[];
}

/** The most choices that a filter offers; a query with more has the first of them. */
export const MOST_OPTIONS = 10_000;

/** Whether a name fits a pattern in which `*` stands for any letters. */
export function fits(name: string, pattern: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(name);
}

/** Columns with one value a row; maps, lists and structures cannot be ranked, counted or compared. */
export function isPlain(type: string): boolean {
  return !/^(Map|List|LargeList|FixedSizeList|Struct|Union)/.test(type);
}

/** What a widget needs and the snapshot lacks. */
export function lacking(needs: string[] | undefined, tables: Table[]): string[] {
  return (needs ?? []).filter((need) => {
    const dot = need.indexOf(".");
    const table = tables.find((one) => one.name === (dot < 0 ? need : need.slice(0, dot)));
    if (!table || dot < 0) return !table;
    return !table.columns.some((column) => fits(column.name, need.slice(dot + 1)));
  });
}

/**
 * The snapshots that changes are counted between: nights, newest first, up to the one on view. A backfill on view
 * stands before the nights of earlier days, as it was made later than they and is none of them.
 */
export function nightsUpTo(snapshots: Snapshot[], viewed: Snapshot | null): Snapshot[] {
  const nights = snapshots.filter((one) => one.backfill === null).sort((a, b) => b.number - a.number);
  if (viewed === null) return nights;
  if (viewed.backfill === null) return nights.filter((one) => one.number <= viewed.number);
  return [viewed, ...nights.filter((one) => one.as_of < viewed.as_of)];
}

/** The choices of a filter over snapshots: its numbers, and the beginning where the filter may reach back to it. */
export function snapshotOptions(filter: Filter, nights: Snapshot[]): Option[] {
  const options: Option[] = nights.map((one) => ({ value: one.number, label: `${one.number}, as of ${one.as_of}` }));
  const back = typeof filter.default === "number" && filter.default < 0;
  if (back || filter.default === "earliest") options.push({ value: "earliest", label: "the first one" });
  return options;
}

/** What a filter says while nobody chose: several values for those that take several. */
export function defaultOf(filter: Filter, options: Option[] | undefined): Scalar[] {
  const { default: given } = filter;
  if (given === undefined || given === null) return [];
  // As the options have it: a file may write digits as a text or as a number.
  const typed = (one: Scalar) => valueOf(filter, one === null ? null : String(one), options);
  if (Array.isArray(given)) return given.map(typed);
  const value =
    filter.control === "snapshot"
      ? defaultSnapshot(given, options ?? [])
      : given === "first"
        ? (options?.[0]?.value ?? null)
        : typed(given);
  return value === null ? [] : [value];
}

function defaultSnapshot(wanted: Scalar, options: Option[]): Scalar {
  const numbers = options.filter((option) => typeof option.value === "number");
  if (wanted === "previous") return (numbers[1] ?? numbers[0])?.value ?? null;
  if (wanted === "earliest") return "earliest";
  if (typeof wanted === "number" && wanted < 0) return numbers[-wanted]?.value ?? "earliest";
  return numbers[0]?.value ?? null;
}

/** A default as somebody wrote it: a number where the control takes one, since digits elsewhere may be a text. */
export function writtenDefault(control: Control, text: string): string | number {
  const counts = control === "number" || control === "snapshot";
  return counts && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** A text of the address or a default as a value of the filter's kind: as its options have it, else a number or a text. */
export function valueOf(filter: Filter, text: string | null, options: Option[] | undefined): Scalar {
  if (text === null) return null;
  const found = options?.find((option) => option.value !== null && String(option.value) === text);
  if (found) return found.value;
  if (filter.control !== "number") return text;
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? null : number;
}

/** What the filters say, given what there is to choose. */
export function valuesOf(filters: Filter[], query: URLSearchParams, options: Record<string, Option[]>): FilterValues {
  const values: FilterValues = {};
  for (const filter of filters) {
    const offered = options[filter.name];
    for (const field of parametersOfFilter(filter)) {
      const text = query.get(FILTER + field);
      const chosen = text ? readList(text).map((part) => valueOf(filter, part, offered)) : null;
      const all = chosen ?? (filter.control === "date_range" ? [] : defaultOf(filter, offered));
      values[field] = filter.control === "multiselect" ? all : (all[0] ?? null);
    }
  }
  return values;
}

/** The columns that filters choose: only such as the table has, so that no address can name anything else. */
export function columnsOf(filters: Filter[], values: FilterValues, options: Record<string, Option[]>): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const filter of filters) {
    if (!choosesColumn(filter)) continue;
    const value = values[filter.name];
    const offered = options[filter.name] ?? [];
    const known = offered.some((option) => option.value === value) ? value : offered[0]?.value;
    if (typeof known === "string") columns[filter.name] = known;
  }
  return columns;
}

export function choosesColumn(filter: Filter): boolean {
  return filter.values !== undefined && "columns" in filter.values;
}

/** The query for what a filter offers. */
export function optionsQuery(filter: Filter, values: FilterValues, columns: Record<string, string>): Compiled | null {
  if (!filter.values || "columns" in filter.values) return null;
  if ("sql" in filter.values) return bindSql(filter.values.sql, {}, values, columns);
  const { table, column } = sourceOf(filter.values.column, "");
  const name = named(column);
  return { sql: `SELECT DISTINCT ${name} FROM ${named(table)} ORDER BY ${name} NULLS LAST LIMIT ${MOST_OPTIONS}`, parameters: {} };
}

/** The first column of an answer is the value, the second, where there is one, what stands for it. */
export function optionsFrom(answer: SqlAnswer): Option[] {
  const [value, label] = answer.columns;
  if (!value) return [];
  return answer.rows.slice(0, MOST_OPTIONS).map((row) => {
    const cell = scalar(row[value.name]);
    const shown = label ? scalar(row[label.name]) : cell;
    return { value: cell, label: shown === null ? "(none)" : String(shown) };
  });
}

/** The filters that a filter's own query asks for. */
export function namedBy(filter: Filter, filters: Filter[]): Filter[] {
  if (!filter.values || !("sql" in filter.values)) return [];
  const names = new Set([...parametersOf(filter.values.sql), ...columnFiltersOf(filter.values.sql)]);
  return filters.filter((one) => one !== filter && parametersOfFilter(one).some((field) => names.has(field)));
}

/** Whether the question of a widget asks for a filter. */
export function asksFor(widget: Widget, filter: Filter): boolean {
  const names = new Set(
    widget.sql === undefined
      ? (widget.query?.where ?? []).flatMap(({ parameter, op }) =>
          parameter === undefined ? [] : op === "between" ? [`${parameter}_from`, `${parameter}_to`] : [parameter],
        )
      : [...parametersOf(widget.sql), ...columnFiltersOf(widget.sql)],
  );
  return parametersOfFilter(filter).some((field) => names.has(field));
}

/** The filters that no widget asks for which has what it needs, though others do. */
export function idleFilters({ filters = [], widgets }: Pick<DashboardDocument, "filters" | "widgets">, tables: Table[]): Filter[] {
  const able = new Set(widgets.filter((widget) => lacking(widget.needs, tables).length === 0));
  const idle = filters.filter((filter) => {
    const asking = widgets.filter((widget) => asksFor(widget, filter));
    return asking.length > 0 && !asking.some((widget) => able.has(widget));
  });
  const busy = filters.filter((filter) => !idle.includes(filter));
  // What a filter that counts needs for its own choices counts as well.
  return idle.filter((filter) => !busy.some((one) => namedBy(one, filters).includes(filter)));
}

/** Finds what all filters offer and say. A filter whose query names others waits for those that stand before it. */
export async function settle(
  document: Pick<DashboardDocument, "filters" | "widgets">,
  query: URLSearchParams,
  tables: Table[],
  nights: Snapshot[],
  ask: (compiled: Compiled) => Promise<SqlAnswer>,
): Promise<Settled> {
  const { filters = [] } = document;
  const idle = idleFilters(document, tables);
  const options: Record<string, Option[]> = {};
  const failed: Record<string, unknown> = {};
  const found = new Map<Filter, Promise<void>>();
  const find = async (filter: Filter): Promise<void> => {
    if (idle.includes(filter)) return;
    if (filter.control === "snapshot") {
      options[filter.name] = snapshotOptions(filter, nights);
      return;
    }
    if (filter.values && "columns" in filter.values) {
      const { columns: table, like } = filter.values;
      const columns = tables.find((one) => one.name === table)?.columns ?? [];
      const fitting = columns.filter((column) => isPlain(column.type) && fits(column.name, like ?? "*"));
      options[filter.name] = fitting.map((column) => ({ value: column.name, label: column.name }));
      return;
    }
    const before = namedBy(filter, filters.slice(0, filters.indexOf(filter)));
    await Promise.all(before.map((one) => found.get(one)));
    const values = valuesOf(filters, query, options);
    const compiled = optionsQuery(filter, values, columnsOf(filters, values, options));
    if (compiled) options[filter.name] = optionsFrom(await ask(compiled));
  };
  for (const filter of filters) {
    found.set(filter, find(filter).catch((thrown: unknown) => void (failed[filter.name] = thrown)));
  }
  await Promise.all(found.values());
  const values = valuesOf(filters, query, options);
  return { values, columns: columnsOf(filters, values, options), options, failed, idle: idle.map((filter) => filter.name) };
}
