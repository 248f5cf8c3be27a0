// What a refresh would read, reuse and write.
import { Fragment } from "preact";
import { DataTable } from "../../ui/DataTable.tsx";
import { bytes, counted, number } from "../../ui/format.ts";
import { Partial } from "../../ui/States.tsx";
import { Words } from "../../ui/Words.tsx";
import type { Plan } from "./messages.ts";

export function PlanView({ plan }: { plan: Plan }) {
  const from = plan.parent === 0 ? "the first snapshot" : `goes on from snapshot ${plan.parent}`;
  const shards = plan.shards_before > 0 ? `${plan.shards}, before ${plan.shards_before}` : String(plan.shards);
  return (
    <div class="stack">
      {plan.nothing_new && <Partial>Nothing is new: the run would end without a further snapshot.</Partial>}
      {plan.notes.length > 0 && (
        <Partial>
          <ul class="plain-list">
            {plan.notes.map((note) => (
              <li key={note}>
                <Words text={note} />
              </li>
            ))}
          </ul>
        </Partial>
      )}
      <dl class="facts">
        <dt>As of</dt>
        <dd>
          {plan.as_of}, {from}
        </dd>
        <dt>Files reused</dt>
        <dd>{number(plan.reused_files)}</dd>
        <dt>Shards</dt>
        <dd>
          {shards}; {number(plan.shards_forward.length)} brought forward
        </dd>
        {plan.shards_anew.map((anew) => (
          <Fragment key={anew.reason}>
            <dt>Added up anew</dt>
            <dd>
              {counted(anew.shards.length, "shard")}: {anew.reason}
            </dd>
          </Fragment>
        ))}
        <dt>Plan</dt>
        <dd class="id">{plan.plan_hash.slice(0, 16)}</dd>
      </dl>
      <DataTable
        caption="What it would read"
        rows={plan.reads}
        rowKey={(read) => read.source}
        empty="It would read no file."
        columns={[
          { name: "source", label: "Source", head: true, value: (read) => read.source },
          { name: "files", label: "Files", numeric: true, value: (read) => read.files, show: (read) => number(read.files) },
          { name: "bytes", label: "Size", numeric: true, value: (read) => read.bytes, show: (read) => bytes(read.bytes) },
        ]}
      />
    </div>
  );
}
