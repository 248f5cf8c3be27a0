// Figures of customers, written alike on all pages: money with its cents, shares as percent, deciles in their colour.

import { decileColor, paletteOf } from "../chart/palette.ts";
import type { Cell } from "../api/types.ts";
import { money, number, percent } from "./format.ts";
import { dark } from "./theme.ts";
import "./cells.css";

/** Whether a column of `customer_value` holds money in every project: values, and what is expected of them. */
function isMoney(column: string): boolean {
  return /^(clv|total_value)_\d+m$|^(monetary_value|expected_spend|revenue_lifetime)$/.test(column);
}

/** A sum of a measure: whole, or with two digits. */
export function amount(value: Cell | undefined): string {
  const size = Number(value);
  if (value === null || value === undefined || Number.isNaN(size)) return "–";
  return Number.isInteger(size) ? number(size) : number(size, 2);
}

/** The value of a column of a customer. */
export function figure(column: string, value: Cell | undefined): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") return JSON.stringify(value);
  const size = Number(value);
  if (Number.isNaN(size)) return String(value);
  if (isMoney(column)) return money(size, undefined, 2);
  if (column === "p_alive") return percent(size);
  return Math.abs(size) >= 1 ? amount(value) : number(size);
}

/** A decile with a spot in its colour. */
export function Decile({ value }: { value: Cell | undefined }) {
  if (value === null || value === undefined) return <>–</>;
  const palette = paletteOf({ dark: dark.value });
  return (
    <span class="decile">
      <span class="decile-spot" aria-hidden="true" style={{ background: decileColor(palette, value) }} />
      {String(value)}
    </span>
  );
}
