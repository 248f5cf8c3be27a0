import { describe, expect, it } from "vitest";
import type { Run, Step, StepCost } from "./messages.ts";
import { announced, canCancel, canRetry, runSeconds, standing, stepRows, story } from "./progress.ts";

const NOW = Date.parse("2026-11-26T14:00:10Z");

function step(name: string, given: Partial<Step> = {}): Step {
  const times = { started_at: "2026-11-26T14:00:00Z", ended_at: "2026-11-26T14:00:02Z" };
  return { step: name, tasks: 4, reused: 0, done: 4, running: 0, failed_attempts: 0, ...times, ...given };
}

function run(given: Partial<Run> = {}): Run {
  return {
    run: "01A", state: "running", as_of: "2026-03-04", submitted_at: "2026-11-26T14:00:00Z", submitted_by: "local",
    started_at: "2026-11-26T14:00:00Z", ended_at: "", idempotency_key: "", schedule: "", nominal: "", backfill: "", try: 1,
    plan_hash: "", snapshot: 0, snapshot_hash: "", nothing_new: false, cancel_requested: false, steps: [], warnings: [],
    problem: null, labels: {}, rows: null, ...given,
  };
}

const cost = (name: string, seconds: number): StepCost => ({ step: name, tasks: 5, seconds, get: 3, put: 2, list: 1, delete: 0 });

describe("what may be asked of a run", () => {
  it("follows its state", () => {
    const states = ["queued", "planning", "running", "cancelling", "publishing", "succeeded", "failed", "timed_out", "cancelled"];
    expect(states.filter((state) => canCancel(run({ state })))).toEqual(["queued", "planning", "running"]);
    expect(states.filter((state) => canRetry(run({ state })))).toEqual(["failed", "timed_out"]);
    expect(canCancel(run({ cancel_requested: true }))).toBe(false);
  });
});

describe("steps", () => {
  it("of one name are one row", () => {
    const rows = stepRows([step("model", { tasks: 1, done: 1 }), step("model", { tasks: 4, reused: 3 })], [], true, NOW);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ step: "model", parts: 2, tasks: 5, done: 5, reused: 3, seconds: 4, state: "done" });
  });

  it("that are at work take the time until now", () => {
    const open = step("fit", { tasks: 2, done: 1, running: 1, ended_at: "" });
    expect(stepRows([open], [], false, NOW)[0]).toMatchObject({ state: "running", seconds: 10, done: 1, running: 1 });
    expect(stepRows([open], [], true, NOW)[0]).toMatchObject({ state: "stopped", seconds: null });
  });

  it("have the costs of the record, which knows steps without tasks", () => {
    const rows = stepRows([step("merge")], [cost("plan", 0.5), cost("merge", 3)], true, NOW);
    expect(rows.map((row) => [row.step, row.seconds, row.tasks])).toEqual([["plan", 0.5, 5], ["merge", 3, 4]]);
    expect(rows[1]?.cost?.get).toBe(3);
  });
});

describe("a run in words", () => {
  it("says what it is at", () => {
    expect(standing(run({ steps: [step("merge"), step("fit", { tasks: 2, done: 1, running: 1, ended_at: "" })] }))).toBe(
      "Step fit: 1 of 2 tasks done, 1 at work.",
    );
    expect(standing(run())).toBe("It is between two steps.");
    expect(standing(run({ cancel_requested: true }))).toBe("It is asked to stop.");
    expect(standing(run({ state: "succeeded", snapshot: 10 }))).toBe("It published snapshot 10.");
    expect(standing(run({ state: "succeeded", nothing_new: true, snapshot: 9 }))).toBe("Nothing was new: there is no further snapshot.");
  });

  it("takes time from its start, not from its submission", () => {
    expect(runSeconds(run(), NOW)).toBe(10);
    expect(runSeconds(run({ ended_at: "2026-11-26T14:00:04Z" }), NOW)).toBe(4);
    expect(runSeconds(run({ state: "queued", started_at: "" }), NOW)).toBeNull();
  });
});

describe("what those who listen are told", () => {
  it("is the begin of a step, a failed attempt and the end", () => {
    const merging = run({ steps: [step("merge", { ended_at: "" })] });
    const fitting = run({ steps: [step("merge"), step("fit", { tasks: 1, ended_at: "" })] });
    expect(announced(null, merging)).toBeNull();
    expect(announced(merging, merging)).toBeNull();
    expect(announced(merging, fitting)).toBe("Step fit begins: 1 task.");
    const spoilt = run({ steps: [step("merge", { ended_at: "", failed_attempts: 1 })] });
    expect(announced(merging, spoilt)).toBe("An attempt failed; the task is tried again.");
    expect(announced(fitting, run({ state: "timed_out" }))).toBe("Run timed out. It took longer than it may and published nothing.");
  });

  it("is nothing about another run", () => {
    expect(announced(run(), run({ run: "01B", state: "failed" }))).toBeNull();
  });
});

describe("the story", () => {
  it("has the newest first, and remedies apart", () => {
    const event = (message: string) => ({ at: "2026-11-26T14:00:00Z", level: "error", message, step: "", worker: "" });
    const told = story([event("merge: done"), event("a file is gone\n  remedy: put it back")]);
    expect(told.map(({ message, remedy }) => [message, remedy])).toEqual([["a file is gone", "put it back"], ["merge: done", ""]]);
  });
});
