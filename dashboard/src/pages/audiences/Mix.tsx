// Members of an audience by tile: a table whose bars show the share of each tile that belongs to it.

import { DataTable } from "../../ui/DataTable.tsx";
import { number, percent } from "../../ui/format.ts";
import type { MixRow } from "./api.ts";
import { Bar } from "../../ui/Bar.tsx";

export function Mix({ rows, tiles, members }: { rows: MixRow[]; tiles: string; members: number }) {
  const most = Math.max(1, ...rows.map((row) => row.members));
  const isDecile = tiles.startsWith("decile");
  return (
    <DataTable
      caption={`Members by ${tiles}; 1 is the highest`}
      rows={rows}
      rowKey={(row) => String(row.tile)}
      columns={[
        { name: "tile", label: "Tile", head: true, value: (row) => row.tile, show: (row) => row.tile ?? "no tile" },
        {
          name: "bar",
          label: <span class="unseen">Bar</span>,
          show: (row) => <Bar share={row.members / most} {...(isDecile ? { decile: row.tile } : {})} />,
        },
        {
          name: "members",
          label: "Members",
          numeric: true,
          value: (row) => row.members,
          show: (row) => number(row.members),
        },
        {
          name: "share",
          label: "Of members",
          numeric: true,
          value: (row) => row.members,
          show: (row) => percent(members === 0 ? 0 : row.members / members),
        },
        {
          name: "of",
          label: "Of the tile",
          about: "which share of all customers of the tile are members",
          numeric: true,
          value: (row) => (row.customers === 0 ? null : row.members / row.customers),
          show: (row) => (row.customers === 0 ? "–" : percent(row.members / row.customers)),
        },
      ]}
    />
  );
}
