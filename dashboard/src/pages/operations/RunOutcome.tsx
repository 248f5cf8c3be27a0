// What a run came to: where its rows went by source, what was refused and why, and what it did not have to do again.
import { DataTable } from "../../ui/DataTable.tsx";
import { bytes, counted, number, percent } from "../../ui/format.ts";
import { Words } from "../../ui/Words.tsx";
import type { RunRecord, RunRows, SourceRows, Summary } from "./messages.ts";
import { costOf, refusedRows } from "./nights.ts";

export function RunOutcome({ rows, record }: { rows: RunRows | null; record: RunRecord | null }) {
  if (record === null) {
    return rows === null ? <p class="quiet">It read nothing.</p> : <Totals rows={rows} />;
  }
  return (
    <div class="stack">
      <Rows summary={record.summary} />
      <Refused summary={record.summary} />
      <Reuse record={record} />
    </div>
  );
}

/** Where the record is not among the latest. */
function Totals({ rows }: { rows: RunRows }) {
  return (
    <dl class="facts">
      <dt>Rows read</dt>
      <dd>{number(rows.read)}</dd>
      <dt>Counted</dt>
      <dd>{number(rows.counted)}</dd>
      <dt>Pending</dt>
      <dd>{number(rows.pending)}</dd>
      <dt>Duplicate</dt>
      <dd>{number(rows.duplicate)}</dd>
      <dt>Filtered</dt>
      <dd>{number(rows.filtered)}</dd>
      <dt>Quarantined</dt>
      <dd>{number(rows.quarantined)}</dd>
      <dt>Files</dt>
      <dd>
        {number(rows.files_read)} read, {number(rows.files_reused)} reused
      </dd>
    </dl>
  );
}

const total = (by: Record<string, number>) => Object.values(by).reduce((sum, count) => sum + count, 0);

function Rows({ summary }: { summary: Summary }) {
  const column = (name: "read" | "counted" | "pending" | "duplicate", label: string, about: string) => ({
    name, label, about, numeric: true,
    value: ([, rows]: [string, SourceRows]) => rows[name],
    show: ([, rows]: [string, SourceRows]) => number(rows[name]),
  });
  const sum = (name: "filtered" | "quarantined", label: string, about: string) => ({
    name, label, about, numeric: true,
    value: ([, rows]: [string, SourceRows]) => total(rows[name]),
    show: ([, rows]: [string, SourceRows]) => number(total(rows[name])),
  });
  return (
    <DataTable
      caption="Where the rows that it read went; every row is in one of the columns behind the first number"
      rows={Object.entries(summary.rows)}
      rowKey={([source]) => source}
      columns={[
        { name: "source", label: "Source", head: true, value: ([source]) => source },
        column("read", "Read", "Rows in the files that were read"),
        column("counted", "Counted", "Rows before the day of the run"),
        column("pending", "Pending", "Rows on or after that day; a later night counts them"),
        column("duplicate", "Duplicate", "Rows whose event was there already"),
        sum("filtered", "Filtered", "Rows left out by a rule of the project"),
        sum("quarantined", "Quarantined", "Rows that cannot be used"),
      ]}
    />
  );
}

function Refused({ summary }: { summary: Summary }) {
  const refused = refusedRows(summary);
  if (refused.length === 0) return null;
  return (
    <DataTable
      caption={<Words text="Why rows were refused; `tenfold quarantine ls` shows each of them" />}
      rows={refused}
      columns={[
        { name: "source", label: "Source", value: (row) => row.source },
        { name: "reason", label: "Reason", head: true, value: (row) => row.reason, show: (row) => <Words text={row.reason} /> },
        { name: "rows", label: "Rows", numeric: true, value: (row) => row.rows, show: (row) => number(row.rows) },
      ]}
    />
  );
}

function Reuse({ record }: { record: RunRecord }) {
  const cost = costOf(record);
  if (cost === null) return null;
  const share = cost.bytesThere > 0 ? `, ${percent(cost.bytesRead / cost.bytesThere, 0)} of what a full refresh reads` : "";
  return (
    <section class="card" aria-labelledby="reuse">
      <h2 id="reuse">What it did not do again</h2>
      <dl class="facts">
        <dt>Files</dt>
        <dd>
          {number(cost.filesReused)} reused, {number(cost.filesRead)} read
        </dd>
        <dt>Tasks</dt>
        <dd>
          {number(cost.tasksReused)} reused, {number(cost.tasksRun)} run
        </dd>
        <dt>Shards</dt>
        <dd>
          {number(cost.shardsForward)} of {counted(cost.shards, "shard")} brought forward from the night before
        </dd>
        <dt>State read</dt>
        <dd>
          {bytes(cost.bytesRead)}
          {share}
        </dd>
        <dt>State written</dt>
        <dd>{bytes(cost.bytesWritten)}</dd>
        <dt>Requests</dt>
        <dd>
          {number(cost.get)} reads, {number(cost.put)} writes, {number(cost.list)} listings, {number(cost.delete)} removals
        </dd>
      </dl>
    </section>
  );
}
