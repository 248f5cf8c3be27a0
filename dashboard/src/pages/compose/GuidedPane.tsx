// What a guided widget asks: its table, its columns and where they are put, its conditions, order and limit.

import { useState } from "preact/hooks";
import { outputName } from "../../spec/compile.ts";
import type { GuidedQuery, Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { CheckField, Field } from "../../ui/Field.tsx";
import { counted } from "../../ui/format.ts";
import { announce } from "../../ui/Toast.tsx";
import { groupsOf, kindOf } from "./attributes.ts";
import { ColumnList } from "./ColumnList.tsx";
import { withTable } from "./columns.ts";
import { Conditions } from "./Conditions.tsx";
import type { Change, Editor } from "./editor.ts";
import { resolved } from "./joins.ts";
import { Picker } from "./Picker.tsx";
import type { Trial } from "./preview.ts";
import { Roles } from "./Roles.tsx";
import { TableDialog } from "./TableDialog.tsx";

interface Props {
  editor: Editor;
  widget: Widget;
  trial: Trial;
  change: Change;
}

export function GuidedPane({ editor, widget, trial, change }: Props) {
  const [choosing, setChoosing] = useState(false);
  const given = widget.query ?? { table: "", columns: [] };
  const query = resolved(given, trial.tables);
  const known = { ...widget, query };
  const table = trial.tables.find((one) => one.name === query.table);
  const groups = groupsOf(trial.tables, query);
  // Every change is one of the query with its tables named, as the parts of the page show it.
  const changeKnown: Change = (to, kind) => change((now) => to({ ...now, query: resolved(now.query ?? given, trial.tables) }), kind);
  return (
    <>
      <div class="row">
        <h3>Table</h3>
        <Button class="row-end" onClick={() => setChoosing(true)}>
          {query.table ? "Choose another" : "Choose a table"}
        </Button>
      </div>
      {query.table !== "" && (
        <p class="compose-table">
          <strong>{query.table}</strong>{" "}
          <span class="quiet">
            {kindOf(query.table)}
            {table?.rows != null && `, ${counted(table.rows, "row")}`}
            {(query.joins ?? []).map((join) => `, with ${join.table}`).join("")}
          </span>
          {!table && <span class="field-error"> This snapshot has no such table.</span>}
        </p>
      )}
      {choosing && (
        <TableDialog
          tables={trial.tables}
          chosen={query.table}
          at={trial.page}
          onChoose={(name) => {
            setChoosing(false);
            if (name !== query.table) change((now) => withTable(now, name));
            announce(`Table ${name}`);
          }}
          onClose={() => setChoosing(false)}
        />
      )}
      {query.table !== "" && (
        <>
          <Roles widget={known} groups={groups} change={changeKnown} />
          <ColumnList widget={known} groups={groups} trial={trial} change={changeKnown} />
          <Conditions widget={known} trial={trial} filters={editor.document.value.filters ?? []} groups={groups} change={changeKnown} />
          <OrderAndLimit query={query} change={changeKnown} />
        </>
      )}
    </>
  );
}

function OrderAndLimit({ query, change }: { query: GuidedQuery; change: Change }) {
  const order = query.order ?? [];
  const outputs = query.columns.map(outputName);
  const withQuery = (to: (query: GuidedQuery) => GuidedQuery, kind: string | null = null) =>
    change((now) => (now.query ? { ...now, query: to(now.query) } : now), kind);
  const setOrder = (next: typeof order) => withQuery(({ order: _, ...now }) => ({ ...now, ...(next.length > 0 ? { order: next } : {}) }));
  const free = outputs.filter((name) => !order.some((by) => by.column === name));
  return (
    <section aria-label="Order and limit" class="stack">
      <h3>Order</h3>
      {order.map((by, i) => (
        <div class="row" key={by.column}>
          <span>{by.column}</span>
          <CheckField
            label="largest first"
            checked={by.descending === true}
            onValue={(on) => setOrder(order.map((one, j) => (j === i ? { column: one.column, ...(on ? { descending: true } : {}) } : one)))}
          />
          <Button kind="quiet" class="row-end" aria-label={`Do not order by ${by.column}`} onClick={() => setOrder(order.filter((_, j) => j !== i))}>
            ✕
          </Button>
        </div>
      ))}
      {free.length > 0 && (
        <div>
          <Picker
            label={order.length > 0 ? "Then by a column" : "Order by a column"}
            groups={[{ title: "Columns", items: free.map((name) => ({ label: name, value: name })) }]}
            onPick={(name) => setOrder([...order, { column: name }])}
          >
            {order.length > 0 ? "Then by" : "Order by"}
          </Picker>
        </div>
      )}
      <Field label="Rows at most" hint="All of them while it is empty.">
        {(ids) => (
          <input
            {...ids}
            type="number"
            min={1}
            step={1}
            value={query.limit ?? ""}
            onInput={(event) => {
              const limit = event.currentTarget.value === "" ? undefined : Number(event.currentTarget.value);
              withQuery(({ limit: _, ...now }) => ({ ...now, ...(limit === undefined ? {} : { limit }) }), "limit");
            }}
          />
        )}
      </Field>
    </section>
  );
}
