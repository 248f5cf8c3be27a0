// The steps of a run: how far each is, what it took, and its requests to the store and the inputs.
import { counted, number } from "../../ui/format.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import type { Run, RunRecord } from "./messages.ts";
import { now } from "./polled.ts";
import { isOver, type StepRow, stepRows } from "./progress.ts";
import { State } from "./Frame.tsx";
import { took } from "./times.ts";

interface Props {
  run: Run | null;
  record: RunRecord | null;
}

export function RunSteps({ run, record }: Props) {
  const over = run === null || isOver(run.state);
  // Of a run that is tried again the record is that of the try before.
  const costs = over ? (record?.steps ?? []) : [];
  const rows = stepRows(run?.steps ?? [], costs, over, now.value);
  const priced = costs.length > 0;
  const seconds = rows.reduce((total, row) => total + (row.seconds ?? 0), 0);
  const request = (name: "get" | "put" | "list" | "delete", label: string, about: string) => ({
    name, label, about, numeric: true,
    show: (row: StepRow) => (row.cost === null ? "–" : number(row.cost[name])),
  });
  const empty = over ? "It ended before its first step." : "It has not begun a step yet.";
  return (
    <DataTable
      caption={rows.length === 0 ? "Steps" : `${counted(rows.length, "step")}, ${took(seconds)} together${over ? "" : "; requests are known once it has ended"}`}
      rows={rows}
      rowKey={(row) => row.step}
      empty={empty}
      columns={[
        { name: "step", label: "Step", head: true, show: (row) => (row.parts > 1 ? `${row.step} (${row.parts} parts)` : row.step) },
        { name: "state", label: "State", show: (row) => <State of={row.state} /> },
        { name: "progress", label: "Tasks done", show: (row) => <Bar done={row.done} of={row.tasks} step={row.step} /> },
        { name: "reused", label: "Reused", numeric: true, about: "Tasks whose results an earlier run had left", show: (row) => number(row.reused) },
        { name: "failed", label: "Failed attempts", numeric: true, show: (row) => number(row.failedAttempts) },
        { name: "took", label: "Took", numeric: true, show: (row) => took(row.seconds) },
        ...(priced
          ? [
              request("get", "Reads", "Objects that were read, or parts of them, or their lengths"),
              request("put", "Writes", "Objects that were written"),
              request("list", "Listings", "Listings of the store and the inputs"),
              request("delete", "Removals", "Objects that were removed"),
            ]
          : []),
      ]}
    />
  );
}

function Bar({ done, of, step }: { done: number; of: number; step: string }) {
  if (of === 0) return <span class="quiet">no tasks</span>;
  return (
    <span class="progress">
      <progress max={of} value={done} aria-label={`${step}: ${done} of ${of} tasks done`} />
      <span class="count">
        {number(done)} of {number(of)}
      </span>
    </span>
  );
}

