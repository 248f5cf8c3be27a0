// From the lines of a report to what is drawn of them.

import type { Row, SqlAnswer } from "../../api/types.ts";
import type { Line } from "./api.ts";

type Result = Pick<SqlAnswer, "columns" | "rows">;

/** The way of a campaign: how many were left at each stage. What is not known of purchases is left out. */
export function funnel(line: Line): Result {
  const stages: [string, number | null][] = [
    ["sent", line.sent],
    ["delivered", line.delivered],
    ["opened", line.openers],
    ["clicked", line.clickers],
    ["purchased", line.purchasers],
  ];
  const rows: Row[] = stages.flatMap(([stage, count]) => (count === null ? [] : [{ stage, count }]));
  return {
    columns: [
      { name: "stage", type: "Utf8" },
      { name: "count", type: "Int64" },
    ],
    rows,
  };
}

/** Opens by people and by machines, and the share of opened, by decile. */
export function byDecile(lines: Line[]): Result {
  const ranked = lines.filter((line) => line.group !== null);
  return {
    columns: [
      { name: "decile", type: "Int32" },
      { name: "opens", type: "Int64" },
      { name: "machine_opens", type: "Int64" },
      { name: "open_rate", type: "Float64" },
    ],
    rows: ranked.map((line) => ({
      decile: Number(line.group),
      opens: line.opens,
      machine_opens: line.machine_opens,
      open_rate: line.rates.open?.value ?? null,
    })),
  };
}

/** From where to where intervals reach, zero among it: so that those of several lines can be compared. */
export function reach(intervals: ({ low: number; high: number } | null | undefined)[]): [number, number] {
  const known = intervals.filter((one) => one !== null && one !== undefined);
  const low = Math.min(0, ...known.map((one) => one.low));
  const high = Math.max(0, ...known.map((one) => one.high));
  return low === high ? [low - 1, high + 1] : [low, high];
}

/** What an interval of a difference says. */
export function verdict({ low, high }: { low: number; high: number }): "more" | "less" | "chance" {
  if (low > 0) return "more";
  return high < 0 ? "less" : "chance";
}
