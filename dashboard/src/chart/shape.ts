// The rows of an answer as series over an axis: what every chart with axes is drawn from. Pure.
import type { Cell, ResultColumn, Row } from "../api/types.ts";
import type { Encode, Format, Mark, Options } from "../spec/types.ts";
import { isNumeric } from "../ui/format.ts";

export interface ChartSpec {
  mark: Mark;
  encode: Encode;
  format?: Record<string, Format>;
  options?: Options;
  /** What somebody who cannot see the chart is told. */
  describe?: string;
}

export interface Result {
  columns: ResultColumn[];
  rows: Row[];
}

/** A chart that cannot be drawn from its answer, and why. */
export class ChartError extends Error {}

/** A number, also one that came as a text of many digits; null for what is none. */
export function num(cell: Cell | undefined): number | null {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string" || cell.trim() === "") return null;
  const value = Number(cell);
  return Number.isFinite(value) ? value : null;
}

export function list(names: string | string[] | null | undefined): string[] {
  if (names === null || names === undefined) return [];
  return Array.isArray(names) ? names : [names];
}

export function label(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "(none)";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

/** A column as people read its name: SQL has no blanks in names. */
export function titleOf(column: string): string {
  return column.replaceAll("_", " ");
}

export function typeOf(result: Result, column: string): string {
  const found = result.columns.find((one) => one.name === column);
  if (found === undefined) {
    const names = result.columns.map((one) => one.name).join(", ");
    throw new ChartError(`the answer has no column ${column}; it has ${names || "none"}`);
  }
  return found.type;
}

export function needed(result: Result, column: string | null | undefined, what: string): string {
  if (!column) throw new ChartError(`nothing says which column is ${what}`);
  typeOf(result, column);
  return column;
}

/** The same text for equal values. */
export function keyOf(cell: Cell | undefined): string {
  return JSON.stringify(cell ?? null);
}

/** The least and the largest, of any number of values: more of them than a function takes as arguments. */
export function extent(values: Iterable<number>): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

export type AxisKind = "category" | "time" | "value";

export interface Series {
  name: string;
  /** The column of its values. */
  column: string;
  /** The value of the column that tells series apart, if there is one. */
  group: Cell | undefined;
  /** For each place of the axis: the value, and the row that it is of (-1: there is none). */
  values: (number | null)[];
  rows: number[];
}

export interface Shape {
  x: string;
  kind: AxisKind;
  /** The places of the axis, each once. */
  places: Cell[];
  series: Series[];
}

/** Columns of times and days. */
export function isTime(type: string): boolean {
  return /^(Date|Timestamp)/.test(type);
}

/** A day or a time as milliseconds since 1970; times without a zone are in UTC. */
export function instant(cell: Cell | undefined): number {
  const text = label(cell);
  const zoned = text.length <= 10 || /(Z|[+-]\d\d:?\d\d)$/.test(text);
  return Date.parse(zoned ? text : `${text.replace(" ", "T")}Z`);
}

/** More series than these are not to be told apart, and each takes room for all places. */
export const MOST_SERIES = 200;

/**
 * Puts the rows into series. Places keep the order of the rows, save that numbers and days whose order is broken
 * (as it is when the rows come series by series) are sorted.
 */
export function shapeOf(result: Result, x: string, ys: string[], color: string | null, kind: AxisKind): Shape {
  for (const column of [x, ...ys, ...(color ? [color] : [])]) typeOf(result, column);
  const seen = new Map<string, Cell>();
  for (const row of result.rows) seen.set(keyOf(row[x]), row[x] ?? null);
  const places = kind === "category" ? inOrder([...seen.values()], typeOf(result, x)) : ascending([...seen.values()]);
  const index = new Map(places.map((place, i) => [keyOf(place), i]));

  const groups = new Map<string, Cell | undefined>();
  if (color === null) groups.set("", undefined);
  else for (const row of result.rows) groups.set(keyOf(row[color]), row[color] ?? null);
  if (groups.size * ys.length > MOST_SERIES) {
    throw new ChartError(`there are ${groups.size * ys.length} series, and no more than ${MOST_SERIES} are drawn: choose fewer, or another colour`);
  }
  const named = color === null ? [...groups] : orderedGroups(groups, typeOf(result, color));

  const series: Series[] = [];
  const found = new Map<string, Series>();
  for (const [groupKey, group] of named) {
    for (const column of ys) {
      const own = ys.length > 1 || group === undefined ? titleOf(column) : "";
      const name = [group === undefined ? "" : label(group), own].filter((part) => part !== "").join(" · ");
      const one = { name, column, group, values: places.map(() => null), rows: places.map(() => -1) };
      series.push(one);
      found.set(`${groupKey}\n${column}`, one);
    }
  }
  result.rows.forEach((row, i) => {
    const place = index.get(keyOf(row[x])) as number;
    for (const column of ys) {
      const one = found.get(`${color === null ? "" : keyOf(row[color])}\n${column}`) as Series;
      if ((one.rows[place] as number) >= 0) {
        throw new ChartError(`several rows have ${x} ${label(row[x])}${color ? ` and ${color} ${label(row[color])}` : ""}: group them, or tell them apart by a colour`);
      }
      one.values[place] = num(row[column]);
      one.rows[place] = i;
    }
  });
  return { x, kind, places, series };
}

function orderedGroups(groups: Map<string, Cell | undefined>, type: string): [string, Cell | undefined][] {
  const values = inOrder([...groups.values()].map((value) => value ?? null), type);
  return values.map((value) => [keyOf(value), value]);
}

/** Numbers and days in order, if they are not already in one or the other; all else as it comes. */
function inOrder(cells: Cell[], type: string): Cell[] {
  if (!isNumeric(type) && !isTime(type)) return cells;
  const known = cells.filter((cell) => cell !== null);
  const up = known.every((cell, i) => i === 0 || before(known[i - 1] as Cell, cell) <= 0);
  const down = known.every((cell, i) => i === 0 || before(known[i - 1] as Cell, cell) >= 0);
  return up || down ? cells : ascending(cells);
}

function ascending(cells: Cell[]): Cell[] {
  return [...cells].sort((a, b) => (a === null ? 1 : b === null ? -1 : before(a, b)));
}

function before(a: Cell, b: Cell): number {
  const [left, right] = [num(a), num(b)];
  if (left !== null && right !== null) return left - right;
  return label(a) < label(b) ? -1 : label(a) > label(b) ? 1 : 0;
}

/** The rows in the order that the widget asks for. */
export function sorted(result: Result, sort: Options["sort"]): Result {
  if (!sort) return result;
  typeOf(result, sort.column);
  const of = (row: Row) => row[sort.column] ?? null;
  const rows = [...result.rows].sort((a, b) => {
    if (of(a) === null || of(b) === null) return of(a) === null ? (of(b) === null ? 0 : 1) : -1;
    return sort.descending ? before(of(b), of(a)) : before(of(a), of(b));
  });
  return { columns: result.columns, rows };
}

/** Values of stacked series as shares of what stands at the same place. */
export function normalised(shape: Shape): Shape {
  const totals = shape.places.map((_, i) => shape.series.reduce((sum, one) => sum + Math.abs(one.values[i] ?? 0), 0));
  return {
    ...shape,
    series: shape.series.map((one) => ({
      ...one,
      values: one.values.map((value, i) => (value === null || totals[i] === 0 ? null : value / (totals[i] as number))),
    })),
  };
}
