// What is wrong with a dashboard document, each finding with its place, so that the composer can lead to it. The
// server checks again when a document is saved; this is for telling while somebody still writes.

import { compileQuery, CompileError, outputName } from "./compile.ts";
import { MARK_INFO } from "./marks.ts";
import { columnFiltersOf, parametersOf } from "./scan.ts";
import {
  AGGREGATES,
  CONTROLS,
  FORMAT_KINDS,
  GRID_COLUMNS,
  MARKS,
  OPERATORS,
  overlap,
  parametersOfFilter,
  type DashboardDocument,
  type Filter,
  type Widget,
} from "./types.ts";

export interface Finding {
  /** Where, as a path: `widgets.value_by_decile.describe`, `filters.country.values`. */
  place: string;
  /** The widget that it is about, by name. */
  widget?: string;
  message: string;
}

/** Names of dashboards, widgets and filters, and what is said of others. */
export const NAME = /^[a-z0-9_]{1,64}$/;
export const NAME_WORDS = "A name is made of small letters, digits and underscores, at most 64.";

export function checkDocument(document: DashboardDocument): Finding[] {
  const findings: Finding[] = [];
  if (document.title.trim() === "") findings.push({ place: "title", message: "The dashboard has no title." });
  const filters = document.filters ?? [];
  const parameters = new Map<string, string>();
  filters.forEach((filter, i) => findings.push(...checkFilter(filter, i, filters, parameters)));

  const names = new Set<string>();
  document.widgets.forEach((widget, i) => {
    const place = `widgets.${widget.name || i}`;
    const say = (part: string, message: string) =>
      findings.push({ place: part ? `${place}.${part}` : place, widget: widget.name, message });
    if (!NAME.test(widget.name)) say("name", NAME_WORDS);
    else if (names.has(widget.name)) say("name", `Two widgets are named ${widget.name}.`);
    names.add(widget.name);
    checkWidget(widget, filters, say);
  });
  findings.push(...overlaps(document.widgets));
  return findings;
}

function checkFilter(filter: Filter, i: number, filters: Filter[], parameters: Map<string, string>): Finding[] {
  const place = `filters.${filter.name || i}`;
  const findings: Finding[] = [];
  const say = (part: string, message: string) => findings.push({ place: `${place}.${part}`, message });
  if (!/^[a-z_][a-z0-9_]{0,63}$/.test(filter.name)) {
    say("name", "A filter's name is made of small letters, digits and underscores, and begins with no digit.");
  }
  for (const parameter of parametersOfFilter(filter)) {
    const other = parameters.get(parameter);
    if (other !== undefined) say("name", `The filters ${other} and ${filter.name} both give $${parameter} a value.`);
    parameters.set(parameter, filter.name);
  }
  if (!CONTROLS.includes(filter.control)) say("control", `There is no control ${String(filter.control)}.`);
  const chosen = filter.control === "select" || filter.control === "multiselect";
  if (chosen && !filter.values) say("values", "Nothing says which values there are to choose from.");
  if (filter.values && "sql" in filter.values) {
    const before = new Set(filters.slice(0, i).flatMap(parametersOfFilter));
    for (const parameter of parametersOf(filter.values.sql)) {
      if (!before.has(parameter)) say("values", `Its values ask for $${parameter}, which no filter before it gives.`);
    }
    if (filter.values.sql.trim() === "") say("values", "The query for the values is empty.");
  }
  if (filter.values && "column" in filter.values && !/^[^.]+\.[^.]+$/.test(filter.values.column)) {
    say("values", "The column of the values is named table.column.");
  }
  return findings;
}

type Say = (part: string, message: string) => void;

function checkWidget(widget: Widget, filters: Filter[], say: Say): void {
  if (widget.title.trim() === "") say("title", "The widget has no title.");
  if (widget.describe.trim() === "") {
    say("describe", "Say what the picture shows, for those who cannot see it.");
  }
  if (!MARKS.includes(widget.mark)) say("mark", `There is no mark ${String(widget.mark)}.`);
  checkPlace(widget, say);
  checkQuery(widget, filters, say);
  for (const info of MARKS.includes(widget.mark) ? MARK_INFO[widget.mark].roles : []) {
    const value = widget.encode[info.role];
    if (!info.optional && (value === undefined || value === null || value.length === 0)) {
      say(`encode.${info.role}`, `The mark ${MARK_INFO[widget.mark].label} needs a column for ${info.label}.`);
    }
  }
  checkColumns(widget, say);
  for (const [column, format] of Object.entries(widget.format ?? {})) {
    if (!FORMAT_KINDS.includes(format.kind)) say(`format.${column}`, `There is no format ${String(format.kind)}.`);
    const digits = format.digits;
    if (digits !== undefined && !(Number.isInteger(digits) && digits >= 0 && digits <= 10)) {
      say(`format.${column}`, "Digits behind the point are a whole number from 0 to 10.");
    }
  }
  if (widget.compare && widget.mark !== "number") say("compare", "Only a big number compares with the snapshot before.");
  if (widget.drill && "dashboard" in widget.drill && !NAME.test(widget.drill.dashboard)) {
    say("drill", "The dashboard to drill into is not named.");
  }
  for (const name of Object.keys(widget.cross_filter ?? {})) {
    if (!filters.flatMap(parametersOfFilter).includes(name)) {
      say("cross_filter", `A click sets the filter ${name}, which this dashboard does not have.`);
    }
  }
}

function checkPlace({ at }: Widget, say: Say): void {
  const whole = [at.x, at.y, at.w, at.h].every(Number.isInteger);
  if (!whole || at.x < 0 || at.y < 0 || at.w < 1 || at.h < 1) {
    say("at", "Place and size are whole numbers, and a size is at least 1.");
  } else if (at.x + at.w > GRID_COLUMNS) {
    say("at", `It reaches beyond the ${GRID_COLUMNS} columns of the grid.`);
  }
}

function checkQuery(widget: Widget, filters: Filter[], say: Say): void {
  const given = new Set([...filters.flatMap(parametersOfFilter), ...Object.keys(widget.parameters ?? {})]);
  if (widget.sql !== undefined && widget.query) say("query", "A widget has a query or SQL, not both.");
  if (widget.sql !== undefined) {
    if (widget.sql.trim() === "") say("sql", "The SQL is empty.");
    for (const name of parametersOf(widget.sql)) {
      if (!given.has(name)) say("sql", `Nothing gives $${name} a value: no filter, and no fixed value.`);
    }
    for (const name of columnFiltersOf(widget.sql)) {
      if (!filters.some((filter) => filter.name === name)) say("sql", `No filter chooses the column "$${name}".`);
    }
    return;
  }
  if (!widget.query) {
    say("query", "Choose a table, or write SQL.");
    return;
  }
  try {
    compileQuery(widget.query, {});
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    say(error.place, sentence(error.message));
  }
  widget.query.columns.forEach((column, i) => {
    if (column.aggregate && !AGGREGATES.includes(column.aggregate)) {
      say(`query.columns[${i}]`, `There is no aggregate ${String(column.aggregate)}.`);
    }
  });
  (widget.query.where ?? []).forEach((condition, i) => {
    if (!OPERATORS.includes(condition.op)) say(`query.where[${i}]`, `There is no condition ${String(condition.op)}.`);
    const name = condition.parameter;
    if (name === undefined) return;
    const needed = condition.op === "between" ? [`${name}_from`, `${name}_to`] : [name];
    if (!needed.some((parameter) => given.has(parameter))) {
      say(`query.where[${i}]`, `It asks for the filter ${name}, which this dashboard does not have.`);
    }
  });
}

/** Columns that are shown, formatted, sorted by or passed on have to be in the answer; SQL is asked, not read. */
function checkColumns(widget: Widget, say: Say): void {
  if (!widget.query || widget.sql !== undefined) return;
  const outputs = new Set(widget.query.columns.map(outputName));
  const used: [string, string | null | undefined][] = [
    ...Object.entries(widget.encode).flatMap(([role, value]) =>
      (Array.isArray(value) ? value : [value]).map((name): [string, string | null | undefined] => [`encode.${role}`, name]),
    ),
    ...Object.keys(widget.format ?? {}).map((name): [string, string] => [`format.${name}`, name]),
    ["options.sort", widget.options?.sort?.column],
    ...drilledColumns(widget).map((name): [string, string] => ["drill", name]),
    ...Object.values(widget.cross_filter ?? {}).map((name): [string, string] => ["cross_filter", name]),
  ];
  for (const [part, name] of used) {
    if (name && !outputs.has(name)) say(part, `The query has no column ${name}.`);
  }
}

/** The columns that a click passes on. */
function drilledColumns({ drill }: Widget): string[] {
  if (!drill) return [];
  return "customer" in drill ? [drill.customer] : Object.values(drill.pass ?? {});
}

function overlaps(widgets: Widget[]): Finding[] {
  return widgets.flatMap((one, i) =>
    widgets.slice(i + 1).flatMap((other) => {
      if (!overlap(one.at, other.at)) return [];
      const message = `It lies over ${one.title || one.name}.`;
      return [{ place: `widgets.${other.name}.at`, widget: other.name, message }];
    }),
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
