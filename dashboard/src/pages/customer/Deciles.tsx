// All tiles of a customer in the snapshot: those of all customers, and those within the values of a dimension.

import { useLoad } from "../../api/load.ts";
import { runSql } from "../../api/sql.ts";
import type { Row, Table } from "../../api/types.ts";
import { at } from "../../location.ts";
import { amount, Decile } from "../../ui/customer.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { Shown } from "../../ui/States.tsx";
import { has, keyOf } from "./queries.ts";

const TILINGS =
  "SELECT DISTINCT measure, lookback, dimension, tiles FROM fact_value_by_decile ORDER BY measure, lookback";

interface Line {
  measure: string;
  lookback: string;
  dimension: string | null;
  total: Row[string];
  tile: Row[string];
  tiles: number | null;
}

export function Deciles({ customer, row, tables }: { customer: string; row: Row; tables: Table[] }) {
  const loaded = useLoad(
    async (signal) => {
      if (!has(tables, "fact_value_by_decile")) return [];
      const within = has(tables, "customer_decile")
        ? runSql(
            `SELECT measure, lookback, dimension_value, total, decile FROM customer_decile
WHERE customer = ${keyOf(tables)} ORDER BY measure, dimension_value, lookback`,
            { key: customer },
            at.value,
            signal,
          )
        : null;
      const [tilings, inside] = await Promise.all([runSql(TILINGS, {}, at.value, signal), within]);
      return lines(row, tilings.rows, inside?.rows ?? []);
    },
    [customer, at.value, row, tables],
  );
  return (
    <Shown of={loaded} what="Deciles are loading">
      {(all) => (
        <DataTable
          caption="Tiles in this snapshot; 1 is the highest"
          rows={all}
          rowKey={(line) => `${line.measure} ${line.lookback} ${line.dimension ?? ""}`}
          pageSize={15}
          empty="The customer has no rank."
          columns={[
            { name: "measure", label: "Measure", head: true, value: (line) => line.measure },
            { name: "lookback", label: "Look-back", value: (line) => line.lookback },
            {
              name: "dimension",
              label: "Within",
              value: (line) => line.dimension,
              show: (line) => line.dimension ?? "all customers",
            },
            {
              name: "total",
              label: "Value",
              numeric: true,
              value: (line) => line.total,
              show: (line) => amount(line.total),
            },
            {
              name: "tile",
              label: "Tile",
              numeric: true,
              value: (line) => line.tile,
              show: (line) =>
                line.tiles === 10 ? (
                  <Decile value={line.tile} />
                ) : (
                  `${line.tile === null ? "–" : String(line.tile)}${line.tiles === null ? "" : ` of ${line.tiles}`}`
                ),
            },
          ]}
        />
      )}
    </Shown>
  );
}

interface Tiling {
  measure: string;
  lookback: string;
}

/** The column that a column of tiles ranks. Words other than those of tiles begin other columns: `total_value_12m`. */
function rankedBy(column: string): string | undefined {
  return /^(?:decile|quartile|quintile|percentile|ntile\d+)_(.+)$/.exec(column)?.[1];
}

/** Whether a column holds the tiles of one of these: `decile_revenue_12m`, `ntile20_value_lifetime`, `decile_clv_12m`. */
export function isTileOf(column: string, { measure, lookback }: Tiling): boolean {
  const named = rankedBy(column);
  return named === `${measure}_${lookback}` || (named === measure && measure.endsWith(`_${lookback}`));
}

/** A line for each tiling of all customers, from the columns of the row, and for each rank within a dimension. */
export function lines(row: Row, tilings: Row[], within: Row[]): Line[] {
  const ofAll = tilings.filter((one) => one.dimension === null);
  const whole = ofAll.map((one): Line => {
    const tiling = one as unknown as Tiling;
    const column = Object.keys(row).find((name) => isTileOf(name, tiling)) ?? "";
    return {
      measure: tiling.measure,
      lookback: tiling.lookback,
      dimension: null,
      total: row[rankedBy(column) ?? ""] ?? null,
      tile: row[column] ?? null,
      tiles: Number(one.tiles),
    };
  });
  // Those of all customers are columns of the row, and stand above.
  const inside = within.filter((one) => one.dimension_value !== null);
  return [
    ...whole,
    ...inside.map((one) => ({
      measure: String(one.measure),
      lookback: String(one.lookback),
      dimension: String(one.dimension_value),
      total: one.total ?? null,
      tile: one.decile ?? null,
      tiles: Number(
        tilings.find((tiling) => tiling.measure === one.measure && tiling.lookback === one.lookback)?.tiles ?? 10,
      ),
    })),
  ];
}
