// The dashboard document: what a file `dashboards/NAME.yaml` holds, what the server sends as JSON, and what the
// pages show and change. Everything else in this folder is about these types.

/** A value that can be bound to a parameter of a query. */
export type Scalar = string | number | boolean | null;

/** What the filters of a page say, by the names of their parameters. A list is a choice of several values. */
export type FilterValues = Record<string, Scalar | Scalar[] | undefined>;

export type Control = "select" | "multiselect" | "date_range" | "date_from" | "date_to" | "number" | "text" | "snapshot";
export const CONTROLS: Control[] = [
  "select", "multiselect", "date_range", "date_from", "date_to", "number", "text", "snapshot",
];

/** A filter of the whole dashboard. A date range has two parameters, `$name_from` and `$name_to`. */
export interface Filter {
  name: string;
  label?: string;
  control: Control;
  /**
   * Where the values to choose from come from: a query of its own (a second column is what is shown instead), a
   * column (`table.column`), or the names of columns of a table. SQL names a column that was chosen as `"$name"`.
   */
  values?: { sql: string } | { column: string } | { columns: string; like?: string };
  /**
   * What is chosen while nobody chose: a value, or `first` for the first of the values. Of a snapshot: `first` (the
   * one on view), `previous`, `earliest`, or a negative number, so many snapshots before.
   */
  default?: Scalar | Scalar[];
}

export interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

export type Aggregate = "sum" | "avg" | "min" | "max" | "count" | "count_distinct";
export const AGGREGATES: Aggregate[] = ["sum", "avg", "min", "max", "count", "count_distinct"];

/** One column of the answer. `table` says whose it is where tables are joined; rows are counted without a column. */
export interface QueryColumn {
  column?: string;
  table?: string;
  aggregate?: Aggregate;
  as?: string;
}

export type Operator =
  | "="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "not_in"
  | "between"
  | "is_null"
  | "is_not_null"
  | "contains"
  | "newest";
export const OPERATORS: Operator[] = [
  "=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between", "is_null", "is_not_null", "contains", "newest",
];

/**
 * A condition. Its values are fixed (`value`, `values`) or those of a filter (`parameter`); without a chosen value
 * the condition is left out. `newest` keeps the rows with the last value of the column, whatever it is by then.
 */
export interface Condition {
  column: string;
  table?: string;
  op: Operator;
  value?: Scalar;
  values?: Scalar[];
  parameter?: string;
}

/**
 * A table that is joined, so that rows without a partner stay. `on` leads from columns that are there already (of
 * the query's table, or `table.column` of one joined before) to columns of this table; `where` are columns of this
 * table with a fixed value, such as `is_current: true`.
 */
export interface Join {
  table: string;
  on: Record<string, string>;
  where?: Record<string, Scalar>;
}

export interface Order {
  column: string;
  descending?: boolean;
}

/** A query that the composer can show as places to put columns in. */
export interface GuidedQuery {
  table: string;
  joins?: Join[];
  columns: QueryColumn[];
  where?: Condition[];
  order?: Order[];
  limit?: number;
}

export type Mark =
  | "bar"
  | "line"
  | "area"
  | "point"
  | "donut"
  | "number"
  | "table"
  | "heatmap"
  | "funnel"
  | "combo"
  | "pivot";
export const MARKS: Mark[] = [
  "bar", "line", "area", "point", "combo", "donut", "number", "table", "heatmap", "funnel", "pivot",
];

/** Which column of the answer is shown how. */
export interface Encode {
  x?: string | null;
  y?: string | string[] | null;
  color?: string | null;
  size?: string | null;
  value?: string | null;
  line?: string | string[] | null;
}

export type FormatKind = "number" | "money" | "percent" | "date" | "text";
export const FORMAT_KINDS: FormatKind[] = ["number", "money", "percent", "date", "text"];

export interface Format {
  kind: FormatKind;
  currency?: string;
  digits?: number;
}

export type LegendPlace = "top" | "bottom" | "left" | "right" | "none";

export interface Options {
  legend?: LegendPlace;
  legend_title?: string;
  x_title?: string;
  y_title?: string;
  stacked?: boolean;
  normalised?: boolean;
  horizontal?: boolean;
  sort?: { column: string; descending?: boolean };
}

/** A snapshot: its number, a tag, an instant, `as-of:DATE` or `latest`. */
export type SnapshotName = string | number;

/** Where a click leads: a dashboard, with filters there and the columns they get; or the customer in a column. */
export type Drill = { dashboard: string; pass?: Record<string, string> } | { customer: string };

export interface Widget {
  name: string;
  title: string;
  at: Place;
  query?: GuidedQuery;
  sql?: string;
  /** Fixed values for parameters of `sql`. */
  parameters?: Record<string, Scalar>;
  mark: Mark;
  encode: Encode;
  format?: Record<string, Format>;
  options?: Options;
  compare?: "previous";
  snapshot?: SnapshotName;
  /** Tables, or `table.column` with `*` for any letters, without which the widget has nothing to show. */
  needs?: string[];
  drill?: Drill;
  cross_filter?: Record<string, string>;
  /** What somebody who cannot see the picture is told. */
  describe: string;
}

export interface DashboardDocument {
  title: string;
  description?: string;
  filters?: Filter[];
  widgets: Widget[];
  snapshot?: SnapshotName;
}

/** The columns of the grid that widgets lie in. */
export const GRID_COLUMNS = 12;

/** Whether two places have something in common. */
export function overlap(a: Place, b: Place): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** The names of the parameters that a filter gives values to. */
export function parametersOfFilter(filter: Filter): string[] {
  if (filter.control === "date_range") return [`${filter.name}_from`, `${filter.name}_to`];
  return [filter.name];
}
