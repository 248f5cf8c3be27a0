// One run: its state and progress while it goes on, and what it came to: steps, tasks, story, rows and reuse. A run
// that no coordinator knows is shown from the record that it left in the store.
import { useEffect, useRef } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { href, place, setQuery } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { sentence, time } from "../../ui/format.ts";
import { Empty, Failed, Loading, Partial } from "../../ui/States.tsx";
import { Tabs } from "../../ui/Tabs.tsx";
import { announce } from "../../ui/Toast.tsx";
import { Words } from "../../ui/Words.tsx";
import { getRun, runRecords } from "./calls.ts";
import { Frame, noCoordinator, ProblemBox, State } from "./Frame.tsx";
import type { Run, RunRecord } from "./messages.ts";
import { now, usePolled } from "./polled.ts";
import { announced, isOver, runSeconds, standing } from "./progress.ts";
import { CancelRun, RetryRun } from "./RunActions.tsx";
import { RunOutcome } from "./RunOutcome.tsx";
import { RunSteps } from "./RunSteps.tsx";
import { RunStory } from "./RunStory.tsx";
import { SnapshotLink } from "./RunTable.tsx";
import { RunTasks } from "./RunTasks.tsx";
import { secondsBetween, took } from "./times.ts";

const every = (run: Run | null) => (run !== null && isOver(run.state) ? null : 1);

export default function RunPage({ parts }: PageProps) {
  const name = parts.run ?? "";
  const run = usePolled((signal) => getRun(name, signal), [name], every);
  const state = run.data?.state ?? "";
  // The record is written when the run ends.
  const records = useLoad(runRecords, [name, isOver(state)]);
  useTold(run.data);
  const record = records.data?.find((one) => one.run === (run.data?.run ?? name)) ?? null;

  if (run.data === null && run.loading) {
    return (
      <Frame title="Run">
        <Loading what="The run is loading" lines={6} />
      </Frame>
    );
  }
  if (run.data === null && record === null) {
    const unknown = run.error?.status === 404 || noCoordinator(run.error);
    return (
      <Frame title="Run">
        {records.loading && <Loading what="The record of the run is loading" />}
        {!records.loading && run.error && !unknown && <Failed error={run.error} onRetry={run.reload} />}
        {!records.loading && unknown && records.error && <Failed error={records.error} onRetry={records.reload} />}
        {!records.loading && unknown && !records.error && (
          <Empty title={`There is no run ${name}`}>
            <p>Neither a coordinator nor the records of the latest runs know it.</p>
            <p>
              <a href={href("/runs")}>All runs</a>
            </p>
          </Empty>
        )}
      </Frame>
    );
  }
  const actions = run.data && (
    <>
      <CancelRun run={run.data} onDone={run.reload} />
      <RetryRun run={run.data} onDone={run.reload} />
    </>
  );
  return (
    <Frame title={<>Run <span class="id">{run.data?.run ?? name}</span></>} actions={actions}>
      {run.data === null ? (
        <Partial>No coordinator knows this run: it was made by a command, or by one that is not reached. This is its record in the store.</Partial>
      ) : (
        run.error && <Failed error={run.error} onRetry={run.reload} />
      )}
      {records.error && <Partial>What the steps cost is not known: {records.error.detail}</Partial>}
      <Head run={run.data} record={record} />
      <Views run={run.data} record={record} />
    </Frame>
  );
}

/** Has a screen reader say what changes while the run goes on. */
function useTold(run: Run | null): void {
  const before = useRef<Run | null>(null);
  useEffect(() => {
    if (run === null) return;
    const words = announced(before.current, run);
    before.current = run;
    if (words !== null) announce(words);
  }, [run]);
}

function Head({ run, record }: { run: Run | null; record: RunRecord | null }) {
  const snapshot = run ? run.snapshot : (record?.snapshot ?? 0);
  const seconds = run ? runSeconds(run, now.value) : record && secondsBetween(record.started_at, record.ended_at);
  const warnings = run?.warnings.length ? run.warnings : (record?.warnings ?? []);
  const problem = run ? run.problem : failureOf(record);
  const state = run?.state ?? record?.status ?? "";
  return (
    <div class="head">
      <section class="card" aria-label="State of the run">
        <p class="standing">
          <State of={run?.nothing_new ? "nothing_new" : state} /> {run && standing(run)}
        </p>
        <dl class="facts wide">
          <dt>As of</dt>
          <dd>{run?.as_of ?? record?.as_of}</dd>
          <dt>Snapshot</dt>
          <dd>
            <SnapshotLink number={snapshot} />
          </dd>
          <dt>Took</dt>
          <dd>{took(seconds)}</dd>
          <dt>Began</dt>
          <dd>{time(run?.started_at || record?.started_at || "") || "not yet"}</dd>
          <dt>Ended</dt>
          <dd>{time(run?.ended_at || (run ? "" : record?.ended_at) || "") || "not yet"}</dd>
          {run && <Asked run={run} />}
        </dl>
      </section>
      {problem && (state === "cancelled" ? <Partial>{sentence(problem.message)}</Partial> : <ProblemBox of={problem} />)}
      {warnings.length > 0 && (
        <Partial>
          <ul class="plain-list">
            {warnings.map((warning) => (
              <li key={warning}>
                <Words text={warning} />
              </li>
            ))}
          </ul>
        </Partial>
      )}
    </div>
  );
}

/** Who asked for it, and how. */
function Asked({ run }: { run: Run }) {
  const labels = Object.entries(run.labels).map(([key, value]) => `${key}=${value}`);
  return (
    <>
      <dt>Submitted</dt>
      <dd>
        {time(run.submitted_at)} by {run.submitted_by}
      </dd>
      {run.schedule !== "" && (
        <>
          <dt>Schedule</dt>
          <dd>
            <a href={href(`/schedules/${encodeURIComponent(run.schedule)}`)}>{run.schedule}</a>
            {run.nominal !== "" && `, firing of ${run.nominal}`}
          </dd>
        </>
      )}
      {run.backfill !== "" && (
        <>
          <dt>Backfill</dt>
          <dd>
            <a class="id" href={href(`/backfills/${run.backfill}`)}>
              {run.backfill}
            </a>
          </dd>
        </>
      )}
      {run.try > 1 && (
        <>
          <dt>Try</dt>
          <dd>{run.try}</dd>
        </>
      )}
      {labels.length > 0 && (
        <>
          <dt>Labels</dt>
          <dd>{labels.join(", ")}</dd>
        </>
      )}
      {run.idempotency_key !== "" && (
        <>
          <dt>Key</dt>
          <dd class="id">{run.idempotency_key}</dd>
        </>
      )}
      {run.plan_hash !== "" && (
        <>
          <dt>Plan</dt>
          <dd class="id">{run.plan_hash.slice(0, 16)}</dd>
        </>
      )}
    </>
  );
}

function failureOf(record: RunRecord | null) {
  if (record?.failure == null) return null;
  return { code: record.code ?? "", class: "", message: record.failure, remedy: record.remedy ?? "" };
}

const VIEWS = [
  { id: "steps", label: "Steps" },
  { id: "rows", label: "Rows and reuse" },
  { id: "tasks", label: "Tasks" },
  { id: "story", label: "Story" },
];

function Views({ run, record }: { run: Run | null; record: RunRecord | null }) {
  // Tasks and story are known to a coordinator alone.
  const tabs = run === null ? VIEWS.slice(0, 2) : VIEWS;
  const asked = place.value.query.get("view") ?? "steps";
  const chosen = tabs.some((tab) => tab.id === asked) ? asked : "steps";
  const live = run !== null && !isOver(run.state);
  const outcome = live ? <p class="quiet">Known once the run has ended.</p> : <RunOutcome rows={run?.rows ?? null} record={record} />;
  return (
    <Tabs label="The run in parts" tabs={tabs} chosen={chosen} onChoose={(view) => setQuery({ view }, true)}>
      {chosen === "steps" && <RunSteps run={run} record={record} />}
      {chosen === "rows" && outcome}
      {chosen === "tasks" && run && <RunTasks run={run.run} live={live} />}
      {chosen === "story" && run && <RunStory run={run.run} live={live} />}
    </Tabs>
  );
}
