// A report as CSV: a line each, with shares and uplifts as columns with their intervals.

import type { ResultColumn, Row } from "../../api/types.ts";
import { csvOf } from "../../chart/export.ts";
import type { By, Line } from "./api.ts";

const COUNTS = [
  "customers",
  "control",
  "sent",
  "delivered",
  "bounces",
  "opens",
  "machine_opens",
  "openers",
  "clicks",
  "machine_clicks",
  "clickers",
  "unsubscribes",
  "complaints",
  "purchasers",
  "revenue",
] as const;
const RATES = ["delivery", "open", "click", "conversion"] as const;

export function csvOfLines(lines: Line[], by: By): string {
  const rows = lines.map((line): Row => {
    const row: Row = { [by]: line.group };
    for (const name of COUNTS) row[name] = line[name];
    for (const name of RATES) Object.assign(row, interval(`${name}_rate`, line.rates[name]));
    for (const name of ["conversion", "revenue"] as const)
      Object.assign(row, interval(`${name}_uplift`, line.uplift[name]?.difference ?? null));
    return row;
  });
  const columns: ResultColumn[] = Object.keys(rows[0] ?? { [by]: null }).map((name) => ({ name, type: "Utf8" }));
  return csvOf({ columns, rows });
}

function interval(name: string, of: { value: number; low: number; high: number } | null): Row {
  return { [name]: of?.value ?? null, [`${name}_low`]: of?.low ?? null, [`${name}_high`]: of?.high ?? null };
}
