// A customer over the snapshots up to the one that is shown: CLV as a line, and the figures of each snapshot.

import { useMemo } from "preact/hooks";
import { Chart } from "../../chart/Chart.tsx";
import { useLoad } from "../../api/load.ts";
import { listSnapshots, runSql } from "../../api/sql.ts";
import type { Row, Table } from "../../api/types.ts";
import { at } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { CustomerFigure } from "./cells.tsx";
import { followed, historySql, overSnapshots } from "./queries.ts";

export function History({ customer, tables }: { customer: string; tables: Table[] }) {
  const columns = followed(tables);
  const loaded = useLoad(
    async (signal) => {
      const [changes, snapshots] = await Promise.all([
        runSql(historySql(tables), { key: customer }, at.value, signal),
        listSnapshots(signal),
      ]);
      return overSnapshots(changes.rows, snapshots, changes.snapshot.number);
    },
    [customer, at.value, tables],
  );
  return (
    <Shown of={loaded} what="Snapshots are being read">
      {(rows) => (
        <div class="columns">
          <Line rows={rows} columns={columns} />
          <DataTable
            caption={`In ${counted(rows.length, "snapshot")} up to this one`}
            rows={[...rows].reverse()}
            rowKey={(row) => Number(row._snapshot)}
            pageSize={10}
            columns={[
              { name: "_snapshot", label: "Snapshot", head: true, numeric: true, value: (row: Row) => row._snapshot },
              {
                name: "as_of",
                label: "As of",
                value: (row: Row) => row.as_of,
                show: (row: Row) => <span class="day">{String(row.as_of)}</span>,
              },
              ...columns.map((name) => ({
                name,
                numeric: true,
                value: (row: Row) => row[name],
                show: (row: Row) => <CustomerFigure column={name} value={row[name]} />,
              })),
            ]}
          />
        </div>
      )}
    </Shown>
  );
}

/** The CLV of the longest horizon over the days of the snapshots; of several of one day the last. */
function Line({ rows, columns }: { rows: Row[]; columns: string[] }) {
  const value = columns
    .filter((name) => name.startsWith("clv_"))
    .sort((a, b) => parseInt(b.slice(4), 10) - parseInt(a.slice(4), 10))[0];
  const result = useMemo(() => {
    const byDay = new Map(rows.map((row) => [String(row.as_of), row]));
    const named = value ?? "";
    return {
      columns: [
        { name: "as_of", type: "Date32" },
        { name: named, type: "Float64" },
      ],
      rows: [...byDay.values()].map((row) => ({ as_of: row.as_of ?? null, [named]: row[named] ?? null })),
    };
  }, [rows, value]);
  if (value === undefined) return null;
  return (
    <section class="card customer-line">
      <h2>{value} over snapshots</h2>
      <Chart
        title={`${value} over snapshots`}
        spec={{
          mark: "line",
          encode: { x: "as_of", y: value },
          format: { [value]: { kind: "number" } },
          options: { legend: "none", x_title: "As of", y_title: value },
          describe: `A line of ${value} of the customer over the days of the snapshots`,
        }}
        result={result}
      />
    </section>
  );
}
