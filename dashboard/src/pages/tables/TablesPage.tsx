// What there is to ask: the tables of a snapshot, and of one table its columns, keys, references and first rows.
import { listTables } from "../../api/sql.ts";
import { useLoad } from "../../api/load.ts";
import { leadsTo } from "../../api/references.ts";
import type { Table } from "../../api/types.ts";
import { at, href } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, number } from "../../ui/format.ts";
import { Empty, Shown } from "../../ui/States.tsx";
import { FirstRows } from "./FirstRows.tsx";

export default function TablesPage({ parts }: PageProps) {
  const tables = useLoad((signal) => listTables(at.value, signal), [at.value]);
  const named = parts.table;
  return (
    <Shown of={tables} what="The tables are loading" lines={8}>
      {(all) => {
        if (named === undefined) return <All tables={all} />;
        const table = all.find((one) => one.name === named);
        return table ? (
          <One key={table.name} table={table} />
        ) : (
          <Empty title={`This snapshot has no table ${named}`}>
            <p>
              <a href={href("/tables")}>All tables</a>
            </p>
          </Empty>
        );
      }}
    </Shown>
  );
}

function All({ tables }: { tables: Table[] }) {
  return (
    <>
      <div class="page-head">
        <h1>Tables</h1>
      </div>
      <DataTable
        caption={`${counted(tables.length, "table")} of the snapshot`}
        rows={tables}
        rowKey={(table) => table.name}
        columns={[
          { name: "name", label: "Table", head: true, value: (t) => t.name, show: (t) => <a href={href(`/tables/${encodeURIComponent(t.name)}`)}>{t.name}</a> },
          { name: "rows", label: "Rows", numeric: true, value: (t) => t.rows, show: (t) => (t.rows === null ? "–" : number(t.rows)) },
          { name: "columns", label: "Columns", numeric: true, value: (t) => t.columns.length },
          { name: "key", label: "Key", show: (t) => t.key.join(", ") || "–" },
          { name: "about", label: "What it holds", show: (t) => t.about },
        ]}
      />
    </>
  );
}

function One({ table }: { table: Table }) {
  return (
    <>
      <div class="page-head">
        <h1>{table.name}</h1>
        <a href={href("/tables")}>All tables</a>
      </div>
      <p>{table.about}</p>
      <DataTable
        caption={`Columns${table.rows === null ? "" : `; the table has ${counted(table.rows, "row")}`}`}
        rows={table.columns}
        rowKey={(column) => column.name}
        columns={[
          { name: "name", label: "Column", head: true, value: (c) => c.name },
          { name: "type", label: "Type", value: (c) => c.type },
          { name: "key", label: "Key", show: (c) => <Keys table={table} column={c.name} /> },
          { name: "about", label: "What it holds", show: (c) => c.about },
        ]}
      />
      <h2>First rows</h2>
      <FirstRows table={table} at={at.value} />
    </>
  );
}

/** Whether a column is one of the key, and which tables it leads to: it may be both. */
function Keys({ table, column }: { table: Table; column: string }) {
  return (
    <span class="row">
      {table.key.includes(column) && <span>key</span>}
      {leadsTo(table, column).map((to) => (
        <a key={to} href={href(`/tables/${encodeURIComponent(to)}`)}>
          → {to}
        </a>
      ))}
    </span>
  );
}
