// How far a run is: its state in words, its steps with what they took, and what to tell those who listen. Pure, so
// that the page draws what the tests check.
import { counted } from "../../ui/format.ts";
import type { Run, RunEvent, Step, StepCost } from "./messages.ts";
import { secondsBetween } from "./times.ts";

const OVER = new Set(["succeeded", "partial", "failed", "cancelled", "timed_out"]);

/** Whether nothing more happens to a run, unless it is tried again. */
export function isOver(state: string): boolean {
  return OVER.has(state);
}

/** A run that is being published can no longer be stopped, and one that is being stopped need not be asked again. */
export function canCancel(run: Run): boolean {
  return ["queued", "planning", "running"].includes(run.state) && !run.cancel_requested;
}

export function canRetry(run: Run): boolean {
  return run.state === "failed" || run.state === "timed_out";
}

/** Seconds that a run has taken, or takes so far; null before it began. */
export function runSeconds(run: Run, now: number): number | null {
  if (run.started_at === "") return null;
  return secondsBetween(run.started_at, run.ended_at === "" ? new Date(now).toISOString() : run.ended_at);
}

/** A step, with all parts of that name as one: tables that need each other are made in several parts. */
export interface StepRow {
  step: string;
  parts: number;
  tasks: number;
  /** Those that were reused among them. */
  done: number;
  reused: number;
  running: number;
  failedAttempts: number;
  state: "running" | "done" | "stopped";
  seconds: number | null;
  cost: StepCost | null;
}

/** The steps in the order in which they began; those that only the record of an ended run knows are put in theirs. */
export function stepRows(steps: Step[], costs: StepCost[], over: boolean, now: number): StepRow[] {
  const rows = new Map<string, StepRow>();
  for (const cost of costs) rows.set(cost.step, emptyRow(cost.step, cost));
  for (const step of steps) {
    const row = rows.get(step.step) ?? emptyRow(step.step, null);
    rows.set(step.step, added(row, step, over, now));
  }
  return [...rows.values()];
}

function emptyRow(step: string, cost: StepCost | null): StepRow {
  return {
    step,
    parts: 0,
    tasks: cost?.tasks ?? 0,
    done: cost?.tasks ?? 0,
    reused: 0,
    running: 0,
    failedAttempts: 0,
    state: "done",
    seconds: cost?.seconds ?? null,
    cost,
  };
}

function added(row: StepRow, step: Step, over: boolean, now: number): StepRow {
  const first = row.parts === 0;
  const open = step.ended_at === "";
  const took = secondsBetween(step.started_at, open ? new Date(now).toISOString() : step.ended_at);
  return {
    ...row,
    parts: row.parts + 1,
    tasks: (first ? 0 : row.tasks) + step.tasks,
    done: (first ? 0 : row.done) + step.done,
    reused: row.reused + step.reused,
    running: row.running + step.running,
    failedAttempts: row.failedAttempts + step.failed_attempts,
    state: !open ? "done" : over ? "stopped" : "running",
    // The record measures from the end of the step before, so that all steps add up to the run. A step that was
    // stopped has no end, and no length.
    seconds: row.cost !== null || (open && over) ? row.seconds : sum(row.seconds, took),
  };
}

function sum(one: number | null, other: number | null): number | null {
  return one === null ? other : other === null ? one : one + other;
}

/** What a run is at, in one line. */
export function standing(run: Run): string {
  if (run.cancel_requested && !isOver(run.state)) return "It is asked to stop.";
  switch (run.state) {
    case "queued":
      return "It waits for its turn; one run is made at a time.";
    case "planning":
      return "It lists the sources and decides what to read.";
    case "publishing":
      return "Its snapshot is being written; it cannot be cancelled any more.";
    case "cancelling":
      return "It is being stopped; its tasks are called back.";
    case "succeeded":
      return run.nothing_new ? "Nothing was new: there is no further snapshot." : `It published snapshot ${run.snapshot}.`;
    case "partial":
      return `It published snapshot ${run.snapshot} without data that it was told to wait for.`;
    case "failed":
      return "It failed and published nothing.";
    case "cancelled":
      return "It was stopped and published nothing.";
    case "timed_out":
      return "It took longer than it may and published nothing.";
  }
  const step = run.steps.findLast((one) => one.ended_at === "");
  if (step === undefined) return "It is between two steps.";
  return `Step ${step.step}: ${step.done} of ${step.tasks} tasks done, ${step.running} at work.`;
}

/** What changed since the run was looked at last, for those who listen: null where it is not worth a word. */
export function announced(before: Run | null, now: Run): string | null {
  if (before === null || before.run !== now.run) return null;
  if (before.state !== now.state && (isOver(now.state) || now.state === "publishing")) {
    return `Run ${now.state.replace("_", " ")}. ${standing(now)}`;
  }
  const begun = now.steps.slice(before.steps.length);
  if (begun.length > 0) {
    const last = begun.at(-1) as Step;
    return `Step ${last.step} begins: ${counted(last.tasks, "task")}.`;
  }
  const failures = (run: Run) => run.steps.reduce((total, step) => total + step.failed_attempts, 0);
  if (failures(now) > failures(before)) return "An attempt failed; the task is tried again.";
  return null;
}

/** An event with its message apart from what to do. */
export interface Told {
  at: string;
  level: string;
  message: string;
  remedy: string;
  step: string;
  worker: string;
}

const REMEDY = "\n  remedy: ";

/** The story of a run, the newest event first. */
export function story(events: RunEvent[]): Told[] {
  const told = events.map((event) => {
    const cut = event.message.indexOf(REMEDY);
    const message = cut < 0 ? event.message : event.message.slice(0, cut);
    const remedy = cut < 0 ? "" : event.message.slice(cut + REMEDY.length);
    return { at: event.at, level: event.level, message, remedy, step: event.step, worker: event.worker };
  });
  return told.reverse();
}
