// Who is left out of a delivery, in words.
import { expect, it } from "vitest";
import type { Counts } from "./api.ts";
import { leftOut } from "./words.ts";

it("tells of those alone who are somebody, and all of them", () => {
  const counts: Counts = {
    members: 10,
    held_out: 2,
    without_identity: 0,
    incomplete: 1,
    suppressed: 1,
    duplicates: 1,
    desired: 5,
    acknowledged: 0,
    adds: 5,
    changes: 0,
    unchanged: 0,
    removals: 0,
    rows: 5,
  };
  const told = leftOut(counts);
  expect(told.map(([why]) => why)).not.toContain("without an identity");
  expect(told.reduce((sum, [, count]) => sum + count, counts.desired)).toBe(counts.members);
});
