// What the next delivery would send of the snapshot that is shown, and whether its guard would hold it back. Planning
// reads all members, so it is asked for.

import { useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { at } from "../../location.ts";
import { Bar } from "../../ui/Bar.tsx";
import { Button } from "../../ui/Button.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, number, percent } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { planDelivery, type Plan } from "./api.ts";
import { ACTS, leftOut } from "./words.ts";

export function NextPlan({ name }: { name: string }) {
  const [asked, setAsked] = useState(false);
  return (
    <section class="card stack">
      <div class="row">
        <h2 class="flush">The next delivery</h2>
        {!asked && <Button onClick={() => setAsked(true)}>Plan it</Button>}
      </div>
      {asked ? (
        <Planned name={name} />
      ) : (
        <p class="quiet">Says what would be added, changed and removed. Nothing is sent.</p>
      )}
    </section>
  );
}

function Planned({ name }: { name: string }) {
  const loaded = useLoad((signal) => planDelivery(name, at.value, signal), [name, at.value]);
  return (
    <div aria-live="polite">
      <Shown of={loaded} what="It is being planned">
        {(plan) => (
          <div class="stack">
            <Guard plan={plan} />
            <div class="columns">
              <Verbs plan={plan} />
              <Members plan={plan} />
            </div>
            <Samples plan={plan} />
            <p class="quiet">
              Number {plan.number} would be of snapshot {plan.snapshot.number}, as of {plan.snapshot.as_of}.{" "}
              <code>tenfold delivery run {name}</code> sends it.
            </p>
          </div>
        )}
      </Shown>
    </div>
  );
}

function Guard({ plan }: { plan: Plan }) {
  if (!plan.guard.holds) {
    return (
      <p>
        <span class="badge good">guard lets it pass</span>
      </p>
    );
  }
  return (
    <div class="partial" role="note">
      <p>
        <strong>The guard would hold it back.</strong> {plan.guard.message}
      </p>
      {plan.guard.remedy && <p>{plan.guard.remedy}</p>}
    </div>
  );
}

function Verbs({ plan: { counts } }: { plan: Plan }) {
  const lines = [
    { verb: "added", count: counts.adds, about: "rows that the destination does not have" },
    { verb: "changed", count: counts.changes, about: "rows that it has otherwise" },
    { verb: "removed", count: counts.removals, about: "rows of people who are no members any more" },
    { verb: "unchanged", count: counts.unchanged, about: "rows that it has so already" },
  ];
  const most = Math.max(1, ...lines.map((line) => line.count));
  return (
    <DataTable
      caption={`${counted(counts.rows, "row")} to send; the destination has ${number(counts.acknowledged)}`}
      rows={lines}
      rowKey={(line) => line.verb}
      columns={[
        { name: "verb", label: "What", head: true, show: (line) => <span title={line.about}>{line.verb}</span> },
        { name: "bar", label: <span class="unseen">Bar</span>, show: (line) => <Bar share={line.count / most} /> },
        { name: "count", label: "Rows", numeric: true, show: (line) => number(line.count) },
        {
          name: "share",
          label: "Of what it has",
          numeric: true,
          show: (line) => (counts.acknowledged === 0 ? "–" : percent(line.count / counts.acknowledged)),
        },
      ]}
    />
  );
}

function Members({ plan: { counts } }: { plan: Plan }) {
  const lines: [string, number][] = [
    ["members", counts.members],
    ...leftOut(counts),
    ["should be at the destination", counts.desired],
  ];
  return (
    <DataTable
      caption="Who is sent"
      rows={lines}
      rowKey={([label]) => label}
      columns={[
        { name: "label", label: "Members", head: true, show: ([label]) => label },
        { name: "count", label: "How many", numeric: true, show: ([, count]) => number(count) },
      ]}
    />
  );
}

function Samples({ plan }: { plan: Plan }) {
  if (plan.samples.length === 0) return null;
  const fields = [...new Set(plan.samples.flatMap((sample) => sample.fields.map(([name]) => name)))];
  return (
    <DataTable
      caption={`${counted(plan.samples.length, "row")} as they would be told, masked`}
      rows={plan.samples}
      pageSize={10}
      columns={[
        { name: "act", label: "What", show: (sample) => ACTS[sample.act] ?? sample.act },
        { name: "identity", label: "Identity", show: (sample) => sample.identity },
        ...fields.map((field) => ({
          name: `field ${field}`,
          label: field,
          show: (sample: Plan["samples"][number]) => sample.fields.find(([name]) => name === field)?.[1] ?? "–",
        })),
      ]}
    />
  );
}
