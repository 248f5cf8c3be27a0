import { describe, expect, it } from "vitest";
import { newestOf } from "../../api/sql.ts";
import type { Snapshot } from "../../api/types.ts";
import type { RunRecord, SourceRows, Summary } from "./messages.ts";
import { costOf, drawnNights, nights, readingRuns, refusedRows, rowsOf } from "./nights.ts";

function snapshot(number: number, backfill: string | null = null): Snapshot {
  const about = { as_of: "2026-03-04", published_at: "2026-11-26T14:00:00Z", hash: "a1", customers: 3000 };
  return { number, ...about, tags: [], pinned: false, backfill, rollback_of: null };
}

const rows = (read: number, quarantined: Record<string, number>): SourceRows => ({
  read, counted: read, pending: 0, duplicate: 0, filtered: {}, quarantined,
});

const summary: Summary = {
  rows: { shop: rows(100, { "`day` is null": 2, "`id` is null": 5 }), mails: rows(50, { "`type` is null": 3 }) },
  files_read: 2, files_reused: 40, tasks_run: 30, tasks_adopted: 8,
  merge: { shards: 4, forward: 3, months_read: 28, months: 136, bytes_read: 600, bytes_written: 300, bytes: 1600 },
};

function record(snapshot: number | null, given: Partial<RunRecord> = {}): RunRecord {
  const step = (name: string, seconds: number) => ({ step: name, tasks: 1, seconds, get: 10, put: 4, list: 1, delete: 2 });
  return {
    run: "01A", status: "succeeded", as_of: "2026-03-04", started_at: "", ended_at: "", snapshot, warnings: [], code: null,
    failure: null, remedy: null, summary, steps: [step("plan", 0.5), step("merge", 2)], ...given,
  };
}

describe("the cost of a run", () => {
  it("is the sum over its steps", () => {
    expect(costOf(record(7))).toEqual({
      seconds: 2.5, get: 20, put: 8, list: 2, delete: 4, bytesRead: 600, bytesWritten: 300, bytesThere: 1600, filesRead: 2,
      filesReused: 40, tasksRun: 30, tasksReused: 8, shards: 4, shardsForward: 3,
    });
  });

  it("is not made up where it was not measured", () => {
    expect(costOf(record(7, { steps: [] }))).toBeNull();
    expect(costOf(undefined)).toBeNull();
  });

  it("is told beside its rows", () => {
    expect(rowsOf(summary)).toEqual({ read: 150, refused: 10 });
  });
});

describe("nights", () => {
  it("are snapshots with the run that made them", () => {
    const found = nights([snapshot(8), snapshot(7)], [record(8, { run: "01N", status: "nothing_new" }), record(8, { run: "01B" })]);
    expect(found.map((night) => [night.snapshot.number, night.record?.run ?? null])).toEqual([[8, "01B"], [7, null]]);
    expect(found[1]?.cost).toBeNull();
  });

  it("end with the newest, which no backfill is", () => {
    expect(newestOf([snapshot(14, "01F"), snapshot(10), snapshot(9)])?.number).toBe(10);
    expect(newestOf([])).toBeNull();
  });

  it("list refused rows by source and reason, the most first", () => {
    expect(refusedRows(summary).map(({ source, rows: count }) => [source, count])).toEqual([["shop", 5], ["mails", 3], ["shop", 2]]);
  });

  it("know the last run that read anything", () => {
    const idle = { ...summary, rows: { shop: rows(0, {}) } };
    const records = [record(9, { run: "09" }), record(8, { run: "08", summary: idle }), record(7, { run: "07" }), record(6, { run: "06" })];
    const runs = ({ made, read }: ReturnType<typeof readingRuns>) => [made?.run ?? null, read?.run ?? null];
    expect(runs(readingRuns(records, 9))).toEqual(["09", "09"]);
    expect(runs(readingRuns(records, 8))).toEqual(["08", "07"]);
    expect(runs(readingRuns(records, 5))).toEqual([null, null]);
  });

  it("are drawn from the oldest on, in one unit, without those whose cost is not known", () => {
    const large = { ...summary, merge: { ...summary.merge, bytes_read: 3 * 1024 * 1024, bytes_written: 512 * 1024 } };
    const all = nights([snapshot(10, "01F"), snapshot(9), snapshot(8), snapshot(7), snapshot(6)], [record(10), record(9, { summary: large }), record(7), record(6)]);
    const { result, unit } = drawnNights(all, 2);
    expect(unit).toBe("MiB");
    expect(result.rows.map((row) => row.snapshot)).toEqual(["7", "9"]);
    expect(result.rows[1]).toMatchObject({ as_of: "2026-03-04", seconds: 2.5, read: 3, written: 0.5 });
    expect(drawnNights([], 2)).toMatchObject({ unit: "B", result: { rows: [] } });
  });
});
