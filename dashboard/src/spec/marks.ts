// The marks by name, and what each can show: its roles, for the places that the composer offers.

import type { Encode, Mark } from "./types.ts";

export type Role = keyof Encode;

export interface RoleInfo {
  role: Role;
  label: string;
  /** Whether it takes several columns. */
  many?: boolean;
  /** Whether what it shows is counted or summed, rather than what rows are grouped by. */
  measure: boolean;
  /** What the picture needs not. */
  optional?: boolean;
}

export interface MarkInfo {
  label: string;
  /** A few words for those who do not know the name. */
  about: string;
  roles: RoleInfo[];
}

const X: RoleInfo = { role: "x", label: "X axis", measure: false };
const Y: RoleInfo = { role: "y", label: "Y axis", many: true, measure: true };
const COLOR: RoleInfo = { role: "color", label: "Colour", measure: false, optional: true };

export const MARK_INFO: Record<Mark, MarkInfo> = {
  bar: { label: "Bars", about: "amounts side by side", roles: [X, Y, COLOR] },
  line: { label: "Lines", about: "how something goes on", roles: [X, Y, COLOR] },
  area: { label: "Areas", about: "parts over time", roles: [X, Y, COLOR] },
  point: {
    label: "Points",
    about: "two amounts of each row",
    roles: [
      X,
      { ...Y, many: false, measure: false },
      COLOR,
      { role: "size", label: "Size", measure: false, optional: true },
    ],
  },
  combo: {
    label: "Bars and line",
    about: "an amount and a share",
    roles: [X, Y, { role: "line", label: "Line", many: true, measure: true }],
  },
  donut: {
    label: "Donut",
    about: "a few parts of a whole",
    roles: [
      { ...COLOR, optional: false },
      { role: "size", label: "Size", measure: true },
    ],
  },
  number: { label: "Big number", about: "one amount", roles: [{ role: "value", label: "Value", measure: true }] },
  table: {
    label: "Table",
    about: "rows and columns",
    roles: [{ ...Y, label: "Columns", measure: false, optional: true }],
  },
  heatmap: {
    label: "Heat map",
    about: "shades by two columns",
    roles: [X, { ...Y, many: false, measure: false }, { role: "value", label: "Shade", measure: true }],
  },
  funnel: { label: "Funnel", about: "steps, each a part of the last", roles: [X, { ...Y, many: false }, COLOR] },
  pivot: {
    label: "Pivot table",
    about: "a table by two columns",
    roles: [
      { ...X, label: "Rows" },
      { ...COLOR, label: "Columns", optional: false },
      { role: "value", label: "Value", measure: true },
    ],
  },
};

export function roleOf(mark: Mark, role: Role): RoleInfo | undefined {
  return MARK_INFO[mark].roles.find((info) => info.role === role);
}
