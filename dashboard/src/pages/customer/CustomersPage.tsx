// Finds customers: by the beginning of their key, or by an attribute that is exactly what is typed.

import { useEffect, useRef, useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { listTables, runSql } from "../../api/sql.ts";
import type { Row, Table } from "../../api/types.ts";
import { at, place, setQuery } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { TextField } from "../../ui/Field.tsx";
import { Empty, Shown } from "../../ui/States.tsx";
import { CustomerFigure, CustomerLink } from "./cells.tsx";
import { byAttribute, byKey, FOUND, has, telling } from "./queries.ts";

/** Milliseconds without a change before it is looked for what is typed. */
const PAUSE = 250;

export default function CustomersPage() {
  const tables = useLoad((signal) => listTables(at.value, signal), [at.value]);
  return (
    <>
      <div class="page-head">
        <h1>Customers</h1>
      </div>
      <Shown of={tables} what="The tables are loading">
        {(all) =>
          has(all, "customer_value") ? <Find tables={all} /> : <Empty title="This snapshot has no customers" />
        }
      </Shown>
    </>
  );
}

function Find({ tables }: { tables: Table[] }) {
  const text = place.value.query.get("find") ?? "";
  const [typed, setTyped] = useState(text);
  const sent = useRef(text);
  useEffect(() => {
    const timer = setTimeout(() => {
      sent.current = typed.trim();
      setQuery({ find: sent.current }, true);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    // What was typed here stays as it was typed; the navigation leads here without it.
    if (text === sent.current) return;
    sent.current = text;
    setTyped(text);
  }, [text]);
  const found = useLoad(
    async (signal) => {
      const parameters: Record<string, string> = text === "" ? {} : { text };
      const further = text === "" ? null : byAttribute(tables);
      const [keys, attributes] = await Promise.all([
        runSql(byKey(tables, text), parameters, at.value, signal),
        further === null ? null : runSql(further, parameters, at.value, signal),
      ]);
      const known = new Set(keys.rows.map((row) => String(row.customer)));
      return {
        text,
        rows: [...keys.rows, ...(attributes?.rows ?? []).filter((row) => !known.has(String(row.customer)))],
      };
    },
    [text, at.value, tables],
  );
  const columns = telling(tables);
  const caption = (of: string, count: number) => {
    if (of === "") return `The ${FOUND} most valuable customers`;
    return count >= FOUND
      ? `The first customers found for ${of}: type more of the key to see others`
      : `Customers found for ${of}`;
  };
  return (
    <div class="stack">
      <TextField
        label="Find a customer"
        hint="The beginning of the key, or an attribute as it is written, such as an e-mail address"
        type="search"
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onValue={setTyped}
      />
      <Shown of={found} what="Customers are looked for" lines={6}>
        {({ text: of, rows }) => (
          <div aria-live="polite">
            <DataTable
              caption={caption(of, rows.length)}
              rows={rows}
              rowKey={(row) => String(row.customer)}
              empty="Nobody has such a key or attribute."
              columns={[
                {
                  name: "customer",
                  label: "Customer",
                  head: true,
                  show: (row) => <CustomerLink customer={row.customer} />,
                },
                ...columns.map((name) => ({
                  name,
                  numeric: name !== "last_purchase",
                  value: (row: Row) => row[name],
                  show: (row: Row) => <CustomerFigure column={name} value={row[name]} />,
                })),
              ]}
            />
          </div>
        )}
      </Shown>
    </div>
  );
}
