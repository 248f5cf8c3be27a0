// The columns that a guided query can show: of its own table, of those it joins, and of those it could join.

import type { Column, Table } from "../../api/types.ts";
import type { GuidedQuery, Join, Widget } from "../../spec/types.ts";
import { isPlain } from "../boards/filters.ts";
import { put, withCondition, type Source } from "./columns.ts";
import { reachable, withJoin } from "./joins.ts";
import type { Role } from "../../spec/marks.ts";
import type { Condition } from "../../spec/types.ts";

export interface Group {
  table: Table;
  columns: Column[];
  /** How the table would be joined; none where it is there already. */
  ways: Join[];
}

/** The groups of columns, the query's own table first. Columns of lists and maps have no one value to show. */
export function groupsOf(tables: Table[], query: GuidedQuery): Group[] {
  const there = [query.table, ...(query.joins ?? []).map((join) => join.table)];
  const own = there.flatMap((name) => tables.filter((table) => table.name === name));
  const group = (table: Table, ways: Join[]): Group => ({
    table,
    columns: table.columns.filter((column) => isPlain(column.type)),
    ways,
  });
  return [...own.map((table) => group(table, [])), ...reachable(tables, query).map((reach) => group(reach.table, reach.ways))];
}

/** The widget whose query has the table of a source, joined on the way where it is not there yet. */
function reached(widget: Widget, source: Source, way: Join | undefined): Widget {
  const query = widget.query;
  const there = !query || query.table === source.table || (query.joins ?? []).some((join) => join.table === source.table);
  return there || !way ? widget : { ...widget, query: withJoin(query, way) };
}

/** Puts a column in a role, by way of a join where it needs one. */
export function putFrom(widget: Widget, role: Role | null, source: Source, way?: Join): Widget {
  return put(reached(widget, source, way), role, source);
}

/** Adds a condition on a column, by way of a join where it needs one. */
export function filterFrom(widget: Widget, source: Source, condition: Omit<Condition, "column" | "table">, way?: Join): Widget {
  if (source.column === undefined) return widget;
  return withCondition(reached(widget, source, way), { column: source.column, table: source.table, ...condition });
}

/** What a table is, by its name. */
export function kindOf(table: string): string {
  if (table.startsWith("fact_")) return "fact";
  return table.startsWith("dim_") ? "dimension" : "table";
}

/** A type of Arrow in a word. */
export function typeInWords(type: string): string {
  if (/^(Int|UInt)/.test(type)) return "whole number";
  if (/^(Float|Decimal)/.test(type)) return "number";
  if (/^(Utf8|LargeUtf8)/.test(type)) return "text";
  if (type.startsWith("Date")) return "day";
  if (type.startsWith("Timestamp")) return "time";
  return type === "Boolean" ? "yes or no" : type;
}
