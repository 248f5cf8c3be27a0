// What of a dashboard is in its address: the choices of its filters, snapshots of single widgets, and the dashboards
// that led here. Everything a person chose can so be linked to and gone back from.
import { type Filter, type FilterValues, parametersOfFilter, type Scalar } from "../../spec/types.ts";

/** Names in the address: `f.NAME` a list of what a filter has, `s.NAME` the snapshot of a widget, `trail` the way here. */
export const FILTER = "f.";
export const WIDGET = "s.";
export const TRAIL = "trail";

/** A list as one text: commas part it, a backslash goes before commas and backslashes in it, `\N` is NULL. */
export function writeList(values: Scalar[]): string {
  return values.map((value) => (value === null ? "\\N" : String(value).replace(/[\\,]/g, "\\$&"))).join(",");
}

export function readList(text: string): (string | null)[] {
  const parts: (string | null)[] = [];
  let part = "";
  let none = false;
  for (let i = 0; i < text.length; i += 1) {
    const sign = text[i] as string;
    if (sign === "\\" && text[i + 1] === "N") {
      none = true;
      i += 1;
    } else if (sign === "\\" && i + 1 < text.length) {
      part += text[i + 1];
      i += 1;
    } else if (sign === ",") {
      parts.push(none ? null : part);
      part = "";
      none = false;
    } else part += sign;
  }
  parts.push(none ? null : part);
  return parts;
}

/** Changes of the address that take every choice of the filters away. */
export function withoutFilters(query: URLSearchParams): Record<string, null> {
  const names = [...query.keys()].filter((name) => name.startsWith(FILTER));
  return Object.fromEntries(names.map((name) => [name, null]));
}

/** The choices in the address that a dashboard has no filter for; they go on to dashboards that do. */
export function carried(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries([...query].filter(([name]) => name.startsWith(FILTER)));
}

/** A dashboard that was left by a drill: its name, and the query of its address without its own trail. */
export interface Step {
  board: string;
  query: Record<string, string>;
}

export function writeTrail(steps: Step[]): string {
  return writeList(steps.map((step) => `${step.board}?${new URLSearchParams(step.query).toString()}`));
}

export function readTrail(text: string | null): Step[] {
  if (!text) return [];
  return readList(text).flatMap((part) => {
    const [board, query] = (part ?? "").split(/\?(.*)/s);
    return board ? [{ board, query: Object.fromEntries(new URLSearchParams(query ?? "")) }] : [];
  });
}

/** The way to the dashboard that a drill leads to: the way here and here. */
export function trailFrom(board: string, query: URLSearchParams): string {
  const own = Object.fromEntries([...query].filter(([name]) => name !== TRAIL));
  return writeTrail([...readTrail(query.get(TRAIL)), { board, query: own }]);
}

/** The address of a step back: everything that was chosen there, and the way that led there. */
export function backTo(steps: Step[], index: number): Record<string, string> {
  const step = steps[index];
  if (step === undefined) return {};
  const trail = writeTrail(steps.slice(0, index));
  return trail ? { ...step.query, [TRAIL]: trail } : step.query;
}

/** The filters of the address that a click changes: to what was clicked, or to nothing where that is chosen already. */
export function crossFilter(
  filters: Filter[],
  by: Record<string, string>,
  row: Record<string, unknown>,
  now: FilterValues,
): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  const picked: [string, Filter, Scalar][] = [];
  for (const [name, column] of Object.entries(by)) {
    const filter = filters.find((one) => parametersOfFilter(one).includes(name));
    if (filter && Object.hasOwn(row, column)) picked.push([name, filter, scalar(row[column])]);
  }
  const chosen = picked.every(([name, , value]) => same(now[name], value));
  for (const [name, filter, value] of picked) {
    const nothing = chosen || (value === null && filter.control !== "multiselect");
    changes[FILTER + name] = nothing ? null : writeList([value]);
  }
  return changes;
}

/** The filters of the address for the dashboard that a drill leads to: all that is chosen, and what was clicked. */
export function drilled(
  pass: Record<string, string>,
  row: Record<string, unknown>,
  query: URLSearchParams,
): Record<string, string> {
  const values = carried(query);
  for (const [name, column] of Object.entries(pass)) {
    const value = scalar(row[column]);
    if (value !== null) values[FILTER + name] = writeList([value]);
  }
  return values;
}

/** A value of a row as a filter can have it: lists and structures are none. */
export function scalar(value: unknown): Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

function same(now: Scalar | Scalar[] | undefined, value: Scalar): boolean {
  if (Array.isArray(now)) return now.length === 1 && String(now[0]) === String(value);
  return now !== undefined && now !== null && String(now) === String(value);
}
