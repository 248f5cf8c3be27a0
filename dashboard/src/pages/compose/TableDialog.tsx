// Chooses the table of a query: all tables with what they hold, and of one its columns and its first rows.

import { useState } from "preact/hooks";
import type { Table } from "../../api/types.ts";
import { Button } from "../../ui/Button.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { TextField } from "../../ui/Field.tsx";
import { counted, number } from "../../ui/format.ts";
import { Tabs } from "../../ui/Tabs.tsx";
import { FirstRows } from "../tables/FirstRows.tsx";
import { kindOf, typeInWords } from "./attributes.ts";
import { reachable } from "./joins.ts";

interface Props {
  tables: Table[];
  chosen: string;
  at: string | number | null;
  onChoose: (table: string) => void;
  onClose: () => void;
}

export function TableDialog({ tables, chosen, at, onChoose, onClose }: Props) {
  const [words, setWords] = useState("");
  const [seen, setSeen] = useState(chosen || (tables.find((table) => table.name === "customer_value")?.name ?? tables[0]?.name ?? ""));
  const table = tables.find((one) => one.name === seen);
  const found = tables.filter((one) => `${one.name} ${one.about}`.toLowerCase().includes(words.toLowerCase()));
  return (
    <Dialog
      title="Choose a table"
      wide
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabledBecause={table ? null : "no table is looked at"} onClick={() => table && onChoose(table.name)}>
            Use {table?.name ?? "it"}
          </Button>
        </>
      }
    >
      <div class="compose-tables">
        <div class="stack">
          <TextField label="Search tables" type="search" value={words} onValue={setWords} />
          <DataTable
            caption={`${counted(found.length, "table")} of the snapshot`}
            rows={found}
            rowKey={(one) => one.name}
            columns={[
              { name: "name", label: "Table", head: true, value: (t) => t.name, show: (t) => (t.name === seen ? <strong>{t.name}</strong> : t.name) },
              { name: "kind", label: "Type", value: (t) => kindOf(t.name) },
              { name: "rows", label: "Rows", numeric: true, value: (t) => t.rows, show: (t) => (t.rows === null ? "–" : number(t.rows)) },
              { name: "joined", label: "Joins", numeric: true, value: (t) => joinedTo(t, tables).length },
            ]}
            onRow={{ label: () => "Look", choose: (t) => setSeen(t.name) }}
            empty="No table has these words."
          />
        </div>
        {table && <Seen key={table.name} table={table} joined={joinedTo(table, tables)} at={at} />}
      </div>
    </Dialog>
  );
}

/** The tables that one can be joined to. */
function joinedTo(table: Table, tables: Table[]): string[] {
  return reachable(tables, { table: table.name, columns: [] }).map((reach) => reach.table.name);
}

function Seen({ table, joined, at }: { table: Table; joined: string[]; at: string | number | null }) {
  const [tab, setTab] = useState("columns");
  return (
    <section aria-label={table.name} class="stack">
      <h3>{table.name}</h3>
      <p>{table.about}</p>
      {joined.length > 0 && <p class="quiet">Joins to {joined.join(", ")}.</p>}
      <Tabs
        label={`About ${table.name}`}
        chosen={tab}
        onChoose={setTab}
        tabs={[
          { id: "columns", label: `Columns (${table.columns.length})` },
          { id: "rows", label: "Sample records" },
        ]}
      >
        {tab === "columns" ? (
          <DataTable
            caption={`Columns of ${table.name}`}
            captionUnseen
            rows={table.columns}
            rowKey={(column) => column.name}
            columns={[
              { name: "name", label: "Column", head: true, value: (c) => c.name },
              { name: "type", label: "Type", value: (c) => typeInWords(c.type) },
              { name: "about", label: "What it holds", show: (c) => c.about },
            ]}
          />
        ) : (
          <FirstRows table={table} at={at} />
        )}
      </Tabs>
    </section>
  );
}
