// What became of the rows of a delivery: the rejected ones with their reasons first, others by their end, page by page.

import { useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { place, setQuery } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { SelectField } from "../../ui/Field.tsx";
import { number } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { CustomerLink } from "../customer/cells.tsx";
import { ENDS, getRows, type End, type LedgerRow, type Run } from "./api.ts";
import { ACTS, ENDS_SAID } from "./words.ts";

export function Ledger({ name, run }: { name: string; run: Run }) {
  const asked = place.value.query.get("state");
  const usual: End | "" = run.counts.rejected > 0 ? "rejected" : "";
  const state = ENDS.find((one) => one === asked) ?? (asked === "all" ? "" : usual);
  // Where each page that was gone through begins.
  const [places, setPlaces] = useState<number[]>([0]);
  const from = places.at(-1) ?? 0;
  const rows = useLoad(
    (signal) => getRows(name, run.number, state === "" ? null : state, from, signal),
    [run.number, state, from],
  );
  const choose = (value: string) => {
    setPlaces([0]);
    setQuery({ state: value === "" ? "all" : value }, true);
  };
  const choices = [
    { value: "", label: "all rows" },
    ...ENDS.map((end) => ({ value: end as string, label: ENDS_SAID[end] })),
  ];
  return (
    <section class="stack">
      <div class="row">
        <h2 class="flush">Rows of number {run.number}</h2>
        <SelectField label="What became of them" labelUnseen value={state} choices={choices} onValue={choose} />
      </div>
      <Shown of={rows} what="Rows are loading" lines={6}>
        {(page) => (
          <>
            <DataTable<LedgerRow>
              caption={`Rows ${state === "" ? "" : `that are ${ENDS_SAID[state]} `}by their place in the plan; identities and fields are masked`}
              rows={page.rows}
              rowKey={(row) => row.place}
              empty={state === "rejected" ? "Nothing was rejected." : "There are no such rows."}
              columns={[
                {
                  name: "place",
                  label: "Place",
                  head: true,
                  numeric: true,
                  value: (row) => row.place,
                  show: (row) => number(row.place),
                },
                {
                  name: "customer",
                  label: "Customer",
                  value: (row) => row.customer,
                  show: (row) =>
                    row.customer === "" ? "–" : <CustomerLink customer={row.customer} />,
                },
                { name: "identity", label: "Identity", show: (row) => row.identity || "–" },
                {
                  name: "act",
                  label: "What was told",
                  value: (row) => row.act,
                  show: (row) => ACTS[row.act] ?? row.act,
                },
                {
                  name: "state",
                  label: "What became of it",
                  value: (row) => row.state,
                  show: (row) => <Became row={row} />,
                },
                { name: "code", label: "Code", value: (row) => row.code },
                { name: "message", label: "Reason", show: (row) => row.message ?? "–" },
                {
                  name: "fields",
                  label: "Fields",
                  show: (row) => row.fields.map(([field, value]) => `${field}: ${value}`).join(", ") || "–",
                },
              ]}
            />
            {(places.length > 1 || page.next !== null) && (
              <div class="row">
                <Button
                  disabledBecause={places.length === 1 ? "these are the first rows" : null}
                  onClick={() => setPlaces(places.slice(0, -1))}
                >
                  Rows before
                </Button>
                <Button
                  disabledBecause={page.next === null ? "these are the last rows" : null}
                  onClick={() => page.next !== null && setPlaces([...places, page.next])}
                >
                  Further rows
                </Button>
              </div>
            )}
          </>
        )}
      </Shown>
    </section>
  );
}

function Became({ row }: { row: LedgerRow }) {
  const kinds: Partial<Record<End, string>> = { accepted: "good", rejected: "bad", unsent: "warn" };
  return (
    <>
      <span class={`badge ${kinds[row.state] ?? ""}`}>{ENDS_SAID[row.state] ?? row.state}</span>
      {row.state === "rejected" && row.retryable !== null && (
        <span class="quiet"> {row.retryable ? "may be taken another time" : "is not taken as it is"}</span>
      )}
    </>
  );
}
