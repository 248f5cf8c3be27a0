import { expect, test } from "vitest";
import type { Snapshot } from "../../api/types.ts";
import { before, chosenName, viewOf } from "./snapshots.ts";

const night = (number: number, more: Partial<Snapshot> = {}): Snapshot => ({
  number,
  as_of: `2026-03-0${number}`,
  published_at: "",
  hash: `h${number}`,
  customers: 1,
  tags: [],
  pinned: false,
  backfill: null,
  rollback_of: null,
  ...more,
});
const ALL = [night(5), night(4, { backfill: "b", as_of: "2026-03-02" }), night(3), night(2, { tags: ["month-end"] }), night(1)];

test("snapshots are found by number, tag and day", () => {
  expect(viewOf(null, ALL).at).toBe(5);
  expect(viewOf("latest", ALL).at).toBe(5);
  expect(viewOf("3", ALL).at).toBe(3);
  expect(viewOf("month-end", ALL).known?.number).toBe(2);
  expect(viewOf("as-of:2026-03-02", ALL).at).toBe(2);
  expect(viewOf("gone", ALL)).toEqual({ at: "gone", known: null });
  expect(viewOf(null, [])).toEqual({ at: null, known: null });
});

test("a change is counted from the night before", () => {
  expect(before(viewOf(5, ALL), ALL)?.at).toBe(3);
  expect(before(viewOf(1, ALL), ALL)).toBeNull();
  expect(before(viewOf("gone", ALL), ALL)).toBeNull();
});

test("a backfill that was made last is not the newest, and is compared with the night before its day", () => {
  const later = [night(6, { backfill: "b", as_of: "2026-03-02" }), night(5), night(3), night(1)];
  expect(viewOf("latest", later).at).toBe(5);
  expect(viewOf("as-of:2026-03-02", later).at).toBe(6);
  expect(before(viewOf(6, later), later)?.at).toBe(1);
});

test("the nearest choice counts", () => {
  expect(chosenName(null, undefined, "", 7, "latest")).toBe(7);
  expect(chosenName(null, undefined)).toBeNull();
});
