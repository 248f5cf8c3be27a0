// What each night cost and reused: the snapshots, with what the store keeps of the runs that made them. Pure.
import type { Row, Snapshot } from "../../api/types.ts";
import type { Result } from "../../chart/shape.ts";
import type { RunRecord, Summary } from "./messages.ts";

/** What a run took and reused, over all of its steps. */
export interface Cost {
  seconds: number;
  get: number;
  put: number;
  list: number;
  delete: number;
  /** Bytes of state that merging read and wrote; a full refresh reads `bytesThere` of it. */
  bytesRead: number;
  bytesWritten: number;
  bytesThere: number;
  filesRead: number;
  filesReused: number;
  tasksRun: number;
  tasksReused: number;
  shards: number;
  shardsForward: number;
}

/** The cost of a run; null where it left no record, or was not measured. */
export function costOf(record: RunRecord | undefined): Cost | null {
  if (record === undefined || record.steps.length === 0) return null;
  const { summary, steps } = record;
  const over = (part: (step: (typeof steps)[number]) => number) => steps.reduce((total, step) => total + part(step), 0);
  return {
    seconds: over((step) => step.seconds),
    get: over((step) => step.get),
    put: over((step) => step.put),
    list: over((step) => step.list),
    delete: over((step) => step.delete),
    bytesRead: summary.merge.bytes_read,
    bytesWritten: summary.merge.bytes_written,
    bytesThere: summary.merge.bytes,
    filesRead: summary.files_read,
    filesReused: summary.files_reused,
    tasksRun: summary.tasks_run,
    tasksReused: summary.tasks_adopted,
    shards: summary.merge.shards,
    shardsForward: summary.merge.forward,
  };
}

/** How many rows a run read and refused, over all sources. */
export function rowsOf(summary: Summary): { read: number; refused: number } {
  const sources = Object.values(summary.rows);
  return {
    read: sources.reduce((total, source) => total + source.read, 0),
    refused: refusedRows(summary).reduce((total, one) => total + one.rows, 0),
  };
}

/** A snapshot with the run that made it. */
export interface Night {
  snapshot: Snapshot;
  record: RunRecord | null;
  cost: Cost | null;
}

/** Snapshots in their order, each with its run. A run that found nothing new names the newest one, and made none. */
export function nights(snapshots: Snapshot[], records: RunRecord[]): Night[] {
  const made = new Map<number, RunRecord>();
  for (const record of records) {
    if (record.status === "succeeded" && record.snapshot !== null) made.set(record.snapshot, record);
  }
  return snapshots.map((snapshot) => {
    const record = made.get(snapshot.number);
    return { snapshot, record: record ?? null, cost: costOf(record) };
  });
}

/** The run that made a snapshot, and the latest run until then that read anything: of many nights nothing is new. */
export function readingRuns(records: RunRecord[], snapshot: number): { made: RunRecord | null; read: RunRecord | null } {
  const place = records.findIndex((one) => one.status === "succeeded" && one.snapshot === snapshot);
  const made = records[place];
  if (made === undefined) return { made: null, read: null };
  const read = records.slice(place).find((one) => rowsOf(one.summary).read > 0);
  return { made, read: read ?? null };
}

export interface Refused {
  source: string;
  reason: string;
  rows: number;
}

/** The rows that a run refused, by source and reason, the most first. */
export function refusedRows(summary: Summary): Refused[] {
  const refused = Object.entries(summary.rows).flatMap(([source, rows]) =>
    Object.entries(rows.quarantined).map(([reason, count]) => ({ source, reason, rows: count })),
  );
  return refused.sort((a, b) => b.rows - a.rows || a.source.localeCompare(b.source));
}

/** What nights cost, the oldest first, in columns to draw: without backfills, and without those whose cost is not known. */
export function drawnNights(all: Night[], most: number): { result: Result; unit: string } {
  const known = all.filter((night) => night.cost !== null && night.snapshot.backfill === null).slice(0, most).reverse();
  const sizes = known.flatMap(({ cost }) => (cost ? [cost.bytesRead, cost.bytesWritten] : []));
  const [unit, size] = unitOf(Math.max(0, ...sizes));
  const rows = known.map(({ snapshot, cost }): Row => ({
    snapshot: String(snapshot.number),
    as_of: snapshot.as_of,
    seconds: cost?.seconds ?? null,
    read: cost ? cost.bytesRead / size : null,
    written: cost ? cost.bytesWritten / size : null,
  }));
  const numeric = ["seconds", "read", "written"].map((name) => ({ name, type: "Float64" }));
  const columns = [{ name: "snapshot", type: "Utf8" }, { name: "as_of", type: "Utf8" }, ...numeric];
  return { result: { columns, rows }, unit };
}

/** The unit that the largest number of bytes is written in. */
function unitOf(bytes: number): [string, number] {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return [units[power] as string, 1024 ** power];
}
