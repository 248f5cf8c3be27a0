// What is drawn without axes: single numbers with their change, and tables with a column for each value of another. Pure.
import type { Cell, Row } from "../api/types.ts";
import { compact, type Format, number, percent, signed, written } from "../ui/format.ts";
import { type ChartSpec, keyOf, label, list, needed, num, type Result, typeOf } from "./shape.ts";

export interface Figure {
  column: string;
  text: string;
  /** The value with all its digits. */
  exact: string;
  change: Change | null;
}

export interface Change {
  /** `+3.2%`, or the difference where there is no share. */
  text: string;
  direction: "up" | "down" | "same";
  /** What it was. */
  before: string;
}

/** The numbers of a widget: of the first row of its answer, with the change since that of another answer. */
export function figuresOf(spec: ChartSpec, result: Result, earlier: Result | null): Figure[] {
  const columns = list(spec.encode.value ?? spec.encode.y);
  if (columns.length === 0) needed(result, null, "the number");
  return columns.map((column) => {
    typeOf(result, column);
    const format: Partial<Format> = spec.format?.[column] ?? {};
    const value = result.rows[0]?.[column] ?? null;
    const was = earlier?.rows[0]?.[column] ?? null;
    return {
      column,
      text: num(value) === null ? written(value, format) : figureText(num(value) as number, format),
      exact: written(value, format),
      change: changeOf(num(was), num(value), (size) => figureText(size, format), figureText(num(was) ?? 0, format), format.kind === "percent"),
    };
  });
}

/** A number as it stands alone: all of it up to a million, where there is room for it; beyond that its size. */
function figureText(value: number, format: Partial<Format>): string {
  return written(value, format, Math.abs(value) >= 1_000_000);
}

function changeOf(
  was: number | null,
  is: number | null,
  write: (size: number) => string,
  before: string,
  isShare: boolean,
): Change | null {
  if (was === null || is === null) return null;
  const direction = is > was ? "up" : is < was ? "down" : "same";
  // Of a share the difference is told in points: a share of a share says little.
  if (isShare) return { text: `${signed((is - was) * 100, (size) => number(size, 1))} points`, direction, before };
  const text = was === 0 ? signed(is, write) : signed((is - was) / Math.abs(was), (size) => percent(size));
  return { text, direction, before };
}

export interface Pivot {
  /** Names of the columns that rows and columns are of. */
  x: string;
  color: string;
  value: string;
  heads: Cell[];
  rows: { head: Cell; cells: { text: string; row: Row | null }[] }[];
}

/** One row for each value of `x`, one column for each of `color`. */
export function pivotOf(spec: ChartSpec, result: Result): Pivot {
  const x = needed(result, spec.encode.x, "down the side (x)");
  const color = needed(result, spec.encode.color, "along the head (color)");
  const value = needed(result, spec.encode.value ?? list(spec.encode.y)[0], "in the cells (value)");
  const heads = new Map<string, Cell>();
  const sides = new Map<string, { head: Cell; rows: Map<string, Row> }>();
  for (const row of result.rows) {
    heads.set(keyOf(row[color]), row[color] ?? null);
    let side = sides.get(keyOf(row[x]));
    if (!side) {
      side = { head: row[x] ?? null, rows: new Map() };
      sides.set(keyOf(row[x]), side);
    }
    side.rows.set(keyOf(row[color]), row);
  }
  const numeric = [...heads.values()].every((head) => head === null || num(head) !== null);
  const ordered = numeric
    ? [...heads].sort(([, a], [, b]) => (a === null ? 1 : b === null ? -1 : (num(a) as number) - (num(b) as number)))
    : [...heads];
  return {
    x,
    color,
    value,
    heads: ordered.map(([, head]) => head),
    rows: [...sides.values()].map(({ head, rows }) => ({
      head,
      cells: ordered.map(([name]) => {
        const row = rows.get(name) ?? null;
        return { text: row ? written(row[value], spec.format?.[value]) : "", row };
      }),
    })),
  };
}

/** An axis label: short, in the format of its column. */
export function axisText(spec: ChartSpec, column: string | undefined, value: number): string {
  const format = column === undefined ? undefined : spec.format?.[column];
  return format ? written(value, format, true) : compact(value);
}

/** The value of a cell as its column is formatted; without a format as text for names, as a number for numbers. */
export function cellText(spec: ChartSpec, column: string, cell: Cell | undefined): string {
  const format = spec.format?.[column];
  if (format) return written(cell, format);
  return cell === null || cell === undefined ? "–" : typeof cell === "number" ? number(cell) : label(cell);
}
