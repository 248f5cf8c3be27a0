// One backfill: its days with their runs and snapshots, and cancelling it.
import { useState } from "preact/hooks";
import type { PageProps } from "../../routes.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { TextField } from "../../ui/Field.tsx";
import { counted, number, time } from "../../ui/format.ts";
import { Action } from "./Action.tsx";
import { cancelBackfill, getBackfill } from "./calls.ts";
import { Coordinated, Frame, ProblemBox, RunLink, State } from "./Frame.tsx";
import type { Backfill } from "./messages.ts";
import { usePolled } from "./polled.ts";
import { SnapshotLink } from "./RunTable.tsx";

export default function BackfillPage({ parts }: PageProps) {
  const name = parts.backfill ?? "";
  const backfill = usePolled((signal) => getBackfill(name, signal), [name], (data) => (data === null || data.state === "running" ? 2 : null));
  return (
    <Frame
      title={<>Backfill <span class="id">{backfill.data?.backfill ?? name}</span></>}
      actions={backfill.data && <Cancel backfill={backfill.data} onDone={backfill.reload} />}
    >
      <Coordinated of={backfill} what="The backfill is loading" lines={6}>
        {(data) => (
          <div class="stack">
            {data.problem && <ProblemBox of={data.problem} />}
            <section class="card" aria-label="State of the backfill">
              <dl class="facts wide">
                <dt>State</dt>
                <dd>
                  <State of={data.state} />
                </dd>
                <dt>Days</dt>
                <dd>
                  {data.from} to {data.to}
                </dd>
                <dt>Made</dt>
                <dd aria-live="polite">
                  <progress max={data.days_total} value={data.days_made} aria-label="Days made" /> {number(data.days_made)} of{" "}
                  {counted(data.days_total, "day")}
                </dd>
                <dt>Submitted</dt>
                <dd>
                  {time(data.submitted_at)} by {data.submitted_by}
                </dd>
                <dt>Plan</dt>
                <dd class="id">{data.plan_hash.slice(0, 16)}</dd>
              </dl>
            </section>
            <DataTable
              caption={counted(data.days.length, "day")}
              rows={data.days}
              rowKey={(day) => day.as_of}
              columns={[
                { name: "as_of", label: "As of", head: true, value: (day) => day.as_of },
                { name: "state", label: "State", value: (day) => day.state, show: (day) => <State of={day.state} /> },
                { name: "snapshot", label: "Snapshot", numeric: true, value: (day) => day.snapshot || null, show: (day) => <SnapshotLink number={day.snapshot} /> },
                { name: "run", label: "Run", show: (day) => <RunLink run={day.run} /> },
              ]}
            />
          </div>
        )}
      </Coordinated>
    </Frame>
  );
}

function Cancel({ backfill, onDone }: { backfill: Backfill; onDone: () => void }) {
  const [reason, setReason] = useState("");
  const act = async () => {
    await cancelBackfill(backfill.backfill, reason.trim());
    return `Backfill ${backfill.backfill} makes no further days.`;
  };
  return (
    <Action
      label="Cancel backfill"
      title="Cancel this backfill?"
      role="operator"
      danger
      disabledBecause={backfill.state === "running" ? null : "the backfill is over"}
      act={act}
      onDone={onDone}
    >
      <p>It makes no further days. The one at work is cancelled, unless it is being published. Snapshots that it made stay.</p>
      <TextField label="Reason" value={reason} onValue={setReason} />
    </Action>
  );
}
