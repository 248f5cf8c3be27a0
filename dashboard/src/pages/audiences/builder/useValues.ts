// Values that a column has in the snapshot, as proposals: a few of them, and none of columns that name people.

import { useLoad } from "../../../api/load.ts";
import { quoted } from "../../../api/quoted.ts";
import { runSql } from "../../../api/sql.ts";
import { at } from "../../../location.ts";
import type { RuleColumn } from "../rule/vocabulary.ts";

const MOST = 200;

const KEYS =
  "SELECT DISTINCT measure, lookback, dimension_value FROM fact_value_by_decile WHERE dimension IS NOT NULL AND dimension_value IS NOT NULL";
const DIMENSION = `SELECT DISTINCT dimension_value FROM fact_value_by_decile WHERE dimension = $dimension AND dimension_value IS NOT NULL LIMIT ${MOST}`;

function sorted(values: unknown[]): string[] {
  return [...new Set(values.map(String))].sort((a, b) => a.localeCompare(b, "en"));
}

/** Values of a text of customers or of rows of a table. */
export function useValues(column: RuleColumn | undefined): string[] {
  const isAsked = column !== undefined && column.kind === "text" && !column.namesPeople;
  const where = column?.table === "dim_customer" ? " AND is_current" : "";
  const loaded = useLoad(
    async (signal) => {
      if (!isAsked) return [];
      const name = quoted(column.column);
      const sql = `SELECT DISTINCT ${name} AS value FROM ${quoted(column.table)} WHERE ${name} IS NOT NULL${where} LIMIT ${MOST}`;
      return sorted((await runSql(sql, {}, at.value, signal)).rows.map((row) => row.value));
    },
    [at.value, column?.table, column?.column],
  );
  return loaded.data ?? [];
}

/** Values of the dimension that a column of tiles is partitioned by. */
export function useKeys(column: RuleColumn | undefined): string[] {
  const isAsked = column?.kind === "tiles";
  const loaded = useLoad(
    async (signal) => (isAsked ? keysOf(column.column, (await runSql(KEYS, {}, at.value, signal)).rows) : []),
    [at.value, column?.column],
  );
  return loaded.data ?? [];
}

/** The values for a column, of the longest name of a tiling that it ends with. */
export function keysOf(column: string, rows: Record<string, unknown>[]): string[] {
  const fits = rows.filter((row) => column.endsWith(`_${String(row.measure)}_${String(row.lookback)}`));
  const longest = Math.max(0, ...fits.map((row) => String(row.measure).length));
  return sorted(fits.filter((row) => String(row.measure).length === longest).map((row) => row.dimension_value));
}

/** Values of a dimension of events, as far as something is ranked by it. */
export function useDimension(dimension: string): string[] {
  const loaded = useLoad(
    async (signal) => {
      if (dimension === "") return [];
      return sorted((await runSql(DIMENSION, { dimension }, at.value, signal)).rows.map((row) => row.dimension_value));
    },
    [at.value, dimension],
  );
  return (loaded.data ?? []).filter((value) => value !== "(none)");
}
