// Operations at a glance: who is in office and has what to do, the newest snapshot and how fresh it is, the last runs,
// the next firings, and whether the data can be trusted.
import { useLoad } from "../../api/load.ts";
import { listSnapshots, newestOf } from "../../api/sql.ts";
import type { Snapshot } from "../../api/types.ts";
import { href } from "../../location.ts";
import { counted, number, time } from "../../ui/format.ts";
import { Empty, Shown } from "../../ui/States.tsx";
import { getCluster, listRuns, listSchedules, runRecords } from "./calls.ts";
import { Frame, NoCoordinator, noCoordinator, RunLink, State, When } from "./Frame.tsx";
import type { Cluster, RunRecord, Schedule } from "./messages.ts";
import { now, usePolled } from "./polled.ts";
import { Quality } from "./Quality.tsx";
import { RecordTable, RunTable, SnapshotLink } from "./RunTable.tsx";
import { SubmitRun } from "./SubmitRun.tsx";
import { ahead, firingLocal, freshness } from "./times.ts";

const LAST = 6;

export default function OverviewPage() {
  const cluster = usePolled(getCluster, [], (data) => (data !== null && data.running !== "" ? 2 : 5));
  const running = cluster.data?.running ?? "";
  // A run that begins or ends, and a snapshot that is published, change what is below.
  const turn = `${running} ${cluster.data?.snapshot?.number ?? ""}`;
  const runs = usePolled((signal) => listRuns({ states: [], schedule: "", limit: LAST }, signal), [], () => (running === "" ? 5 : 2));
  const schedules = usePolled(listSchedules, [], () => 30);
  const snapshots = useLoad(listSnapshots, [turn]);
  const records = useLoad(runRecords, [turn]);
  const missing = noCoordinator(cluster.error) ? cluster.error : null;

  return (
    <Frame title="Operations" actions={<SubmitRun disabledBecause={missing ? "no coordinator answers" : null} />}>
      <div class="columns">
        {missing ? (
          <NoCoordinator error={missing} onRetry={cluster.reload} />
        ) : (
          <section class="card" aria-labelledby="cluster">
            <h2 id="cluster">Cluster</h2>
            <Shown of={cluster} what="The cluster is loading">
              {(data) => <ClusterFacts cluster={data} />}
            </Shown>
          </section>
        )}
        <section class="card" aria-labelledby="newest">
          <h2 id="newest">Newest snapshot</h2>
          <Shown of={snapshots} what="The snapshots are loading">
            {(all) => <Newest snapshots={all} records={records.data ?? []} />}
          </Shown>
        </section>
        {!missing && (
          <section class="card" aria-labelledby="firings">
            <h2 id="firings">Next firings</h2>
            <Shown of={schedules} what="The schedules are loading">
              {(all) => <Firings schedules={all} />}
            </Shown>
          </section>
        )}
      </div>
      <h2>Last runs</h2>
      {missing ? (
        <Shown of={records} what="The records are loading">
          {(all) => <RecordTable records={all.slice(0, LAST)} caption="As the store keeps them" />}
        </Shown>
      ) : (
        <Shown of={runs} what="The runs are loading">
          {(all) => <RunTable runs={all} caption={<a href={href("/runs")}>All runs</a>} empty="No run was submitted yet." />}
        </Shown>
      )}
      <Quality records={records} turn={turn} />
    </Frame>
  );
}

function ClusterFacts({ cluster }: { cluster: Cluster }) {
  return (
    <dl class="facts">
      <dt>In office</dt>
      <dd>
        {cluster.in_office ? <State of="live" /> : <State of="lost" />} <span class="id">{cluster.coordinator}</span>
      </dd>
      <dt>Term</dt>
      <dd>
        {cluster.epoch}, since <When at={cluster.started_at} />
      </dd>
      <dt>At work</dt>
      <dd>{cluster.running === "" ? "nothing" : <RunLink run={cluster.running} />}</dd>
      <dt>In line</dt>
      <dd>
        {counted(cluster.runs_queued, "run")}, {counted(cluster.tasks_queued, "task")}
      </dd>
      <dt>Workers</dt>
      <dd>
        <a href={href("/workers")}>{counted(cluster.workers, "worker")}</a>; {number(cluster.tasks_running)} of {counted(cluster.slots, "slot")} at
        work
      </dd>
      <dt>Version</dt>
      <dd>{cluster.version}</dd>
      <dt>Store</dt>
      <dd class="id">{cluster.store}</dd>
    </dl>
  );
}

function Newest({ snapshots, records }: { snapshots: Snapshot[]; records: RunRecord[] }) {
  const newest = newestOf(snapshots);
  if (newest === null) return <Empty title="There is no snapshot yet" />;
  const fresh = freshness(newest.as_of, now.value);
  const record = records.find((one) => one.snapshot === newest.number && one.status === "succeeded");
  return (
    <dl class="facts">
      <dt>Number</dt>
      <dd>
        <SnapshotLink number={newest.number} />
      </dd>
      <dt>As of</dt>
      <dd>
        {newest.as_of} <span class={`badge ${fresh.current ? "good" : "warn"}`}>{fresh.words}</span>
      </dd>
      <dt>Published</dt>
      <dd>
        <When at={newest.published_at} />
      </dd>
      <dt>Customers</dt>
      <dd>{number(newest.customers)}</dd>
      <dt>Hash</dt>
      <dd class="id">{newest.hash.slice(0, 16)}</dd>
      {record && (
        <>
          <dt>Made by</dt>
          <dd>
            <RunLink run={record.run} />
          </dd>
        </>
      )}
    </dl>
  );
}

/** Why a schedule has no next firing to look forward to. */
function unfired(schedule: Schedule): string {
  if (schedule.state !== "paused") return "fires no more";
  return schedule.paused_until === "" ? "fires no more until it is resumed" : `goes on ${time(schedule.paused_until)}`;
}

function Firings({ schedules }: { schedules: Schedule[] }) {
  if (schedules.length === 0) {
    return (
      <Empty title="There is no schedule">
        <p>
          A schedule is a file of its own: <code>tenfold schedule apply -f nightly.yaml</code>
        </p>
      </Empty>
    );
  }
  const at = (schedule: Schedule) => schedule.next?.utc ?? "9";
  const first = [...schedules].sort((a, b) => at(a).localeCompare(at(b))).slice(0, 6);
  return (
    <ul class="firings">
      {first.map((schedule) => (
        <li key={schedule.schedule}>
          <a href={href(`/schedules/${encodeURIComponent(schedule.schedule)}`)}>{schedule.schedule}</a> <State of={schedule.state} />
          {schedule.late && <span class="badge bad">late</span>}
          <div>
            {schedule.next === null || schedule.state === "paused" ? (
              <span class="quiet">{unfired(schedule)}</span>
            ) : (
              <>
                {firingLocal(schedule.next)} <span class="quiet">{ahead(schedule.next.utc, now.value)}</span>
              </>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
