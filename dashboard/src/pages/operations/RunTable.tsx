// Runs as a table: those that a coordinator knows, and the records that ended runs left in the store.
import type { ComponentChildren } from "preact";
import { href } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { ErrorCode } from "../../ui/ErrorCode.tsx";
import { number } from "../../ui/format.ts";
import { Words } from "../../ui/Words.tsx";
import { Day, RunLink, State, When } from "./Frame.tsx";
import type { Run, RunRecord } from "./messages.ts";
import { rowsOf } from "./nights.ts";
import { now } from "./polled.ts";
import { runSeconds } from "./progress.ts";
import { secondsBetween, took } from "./times.ts";

interface Props {
  runs: Run[];
  caption: ComponentChildren;
  empty: string;
  pageSize?: number;
}

export function RunTable({ runs, caption, empty, pageSize = 100 }: Props) {
  return (
    <DataTable
      caption={caption}
      rows={runs}
      rowKey={(run) => run.run}
      empty={empty}
      pageSize={pageSize}
      columns={[
        { name: "run", label: "Run", head: true, show: (run) => <RunLink run={run.run} /> },
        { name: "state", label: "State", show: (run) => <State of={run.nothing_new ? "nothing_new" : run.state} /> },
        { name: "as_of", label: "As of", show: (run) => <Day of={run.as_of} /> },
        { name: "snapshot", label: "Snapshot", numeric: true, show: (run) => <SnapshotLink number={run.nothing_new ? 0 : run.snapshot} /> },
        { name: "submitted", label: "Submitted", show: (run) => <When at={run.submitted_at} /> },
        { name: "took", label: "Took", numeric: true, show: (run) => took(runSeconds(run, now.value)) },
        { name: "by", label: "Asked by", show: (run) => <Origin run={run} /> },
        { name: "problem", label: "Problem", show: (run) => (run.problem ? <Why code={run.problem.code} message={run.problem.message} /> : "") },
      ]}
    />
  );
}

function Origin({ run }: { run: Run }) {
  if (run.schedule !== "") return <a href={href(`/schedules/${encodeURIComponent(run.schedule)}`)}>{run.schedule}</a>;
  if (run.backfill !== "") return <a href={href(`/backfills/${run.backfill}`)}>a backfill</a>;
  return <>{run.submitted_by}</>;
}

function Why({ code, message }: { code: string; message: string }) {
  return (
    <span class="why">
      {code !== "" && <ErrorCode code={code} />} <Words text={message} />
    </span>
  );
}

export function SnapshotLink({ number }: { number: number }) {
  return number === 0 ? <>–</> : <a href={href("/snapshots", { show: String(number) })}>{number}</a>;
}

export function RecordTable({ records, caption, pageSize = 25 }: { records: RunRecord[]; caption: ComponentChildren; pageSize?: number }) {
  return (
    <DataTable
      caption={caption}
      rows={records}
      rowKey={(record) => record.run}
      empty="No run has left a record in this store."
      pageSize={pageSize}
      columns={[
        { name: "run", label: "Run", head: true, show: (record) => <RunLink run={record.run} /> },
        { name: "state", label: "State", value: (record) => record.status, show: (record) => <State of={record.status} /> },
        { name: "as_of", label: "As of", value: (record) => record.as_of, show: (record) => <Day of={record.as_of} /> },
        { name: "snapshot", label: "Snapshot", numeric: true, value: (record) => record.snapshot, show: (record) => <SnapshotLink number={record.snapshot ?? 0} /> },
        { name: "ended", label: "Ended", value: (record) => record.ended_at, show: (record) => <When at={record.ended_at} /> },
        {
          name: "took",
          label: "Took",
          numeric: true,
          value: (record) => secondsBetween(record.started_at, record.ended_at),
          show: (record) => took(secondsBetween(record.started_at, record.ended_at)),
        },
        { name: "read", label: "Rows read", numeric: true, value: (record) => rowsOf(record.summary).read, show: (record) => number(rowsOf(record.summary).read) },
        { name: "refused", label: "Refused", numeric: true, value: (record) => rowsOf(record.summary).refused, show: (record) => number(rowsOf(record.summary).refused) },
        { name: "problem", label: "Problem", show: (record) => (record.failure ? <Why code={record.code ?? ""} message={record.failure} /> : "") },
      ]}
    />
  );
}
