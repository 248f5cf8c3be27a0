// The first rows of a table, by its key.
import { useLoad } from "../../api/load.ts";
import { quoted } from "../../api/quoted.ts";
import { runSql } from "../../api/sql.ts";
import type { Row, Table } from "../../api/types.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { isNumeric, written } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";

export function FirstRows({ table, at }: { table: Table; at: string | number | null }) {
  const order = table.key.length > 0 ? ` ORDER BY ${table.key.map(quoted).join(", ")}` : "";
  const sample = useLoad((signal) => runSql(`SELECT * FROM ${quoted(table.name)}${order} LIMIT 20`, {}, at, signal), [table.name, at]);
  return (
    <Shown of={sample} what="The first rows are loading">
      {(answer) => (
        <DataTable
          caption={`The first rows of ${table.name} by key, of snapshot ${answer.snapshot.number}`}
          rows={answer.rows}
          columns={answer.columns.map((column) => ({
            name: column.name,
            numeric: isNumeric(column.type),
            value: (row: Row) => row[column.name],
            show: (row: Row) => written(row[column.name]),
          }))}
        />
      )}
    </Shown>
  );
}
