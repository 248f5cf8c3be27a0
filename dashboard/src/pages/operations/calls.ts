// What the pages of operations ask the server, and what they have it do.
import { get, post } from "../../api/api.ts";
import type { Backfill, BackfillPlan, Cluster, Firing, Plan, Run, RunEvent, RunRecord, Schedule, Task, Worker } from "./messages.ts";

const part = encodeURIComponent;
/** What changes something fails at once where the role does not suffice: the page says so, and asks for no token. */
const QUIET = { quiet: true };

export const getCluster = (signal: AbortSignal) => get<Cluster>("/v1/cluster", { signal });

export interface RunsAsked {
  states: string[];
  schedule: string;
  limit: number;
}

export async function listRuns(asked: RunsAsked, signal: AbortSignal): Promise<Run[]> {
  const query = new URLSearchParams({ limit: String(asked.limit) });
  if (asked.states.length > 0) query.set("states", asked.states.join(","));
  if (asked.schedule !== "") query.set("schedule", asked.schedule);
  return (await get<{ runs: Run[] }>(`/v1/runs?${query}`, { signal })).runs;
}

export const getRun = (run: string, signal: AbortSignal) => get<Run>(`/v1/runs/${part(run)}`, { signal });

export const runEvents = async (run: string, signal: AbortSignal) =>
  (await get<{ events: RunEvent[] }>(`/v1/runs/${part(run)}/events`, { signal })).events;

export const runTasks = async (run: string, signal: AbortSignal) =>
  (await get<{ tasks: Task[] }>(`/v1/runs/${part(run)}/tasks`, { signal })).tasks;

export const runRecords = async (signal: AbortSignal) => (await get<{ runs: RunRecord[] }>("/v1/run-records", { signal })).runs;

export interface Submission {
  as_of: string;
  retry_quarantine: boolean;
}

/** What a refresh would do; any role may ask. */
export const planRun = (asked: Submission, signal: AbortSignal) => post<Plan>("/v1/plan", asked, { ...QUIET, signal });

/** Asks for a run, which is refused when it would do anything else than the plan that was looked at. */
export const submitRun = async (asked: Submission, plan: Plan, key: string) =>
  (await post<{ run: Run }>("/v1/runs", { ...asked, plan_hash: plan.plan_hash, idempotency_key: key }, QUIET)).run;

export const cancelRun = (run: string, reason: string) => post<Run>(`/v1/runs/${part(run)}/cancel`, { reason }, QUIET);
export const retryRun = (run: string) => post<Run>(`/v1/runs/${part(run)}/retry`, {}, QUIET);

export const listSchedules = async (signal: AbortSignal) =>
  (await get<{ schedules: Schedule[] }>("/v1/schedules", { signal })).schedules;
export const getSchedule = (name: string, signal: AbortSignal) => get<Schedule>(`/v1/schedules/${part(name)}`, { signal });
export const scheduleRuns = (name: string, signal: AbortSignal) =>
  get<{ runs: Run[]; skipped: number }>(`/v1/schedules/${part(name)}/runs?limit=50`, { signal });

/** The next firings; a question, though it is sent as a message. */
export const nextFirings = async (schedule: string, limit: number, signal: AbortSignal) =>
  (await post<{ firings: Firing[] }>("/v1/schedule-previews", { schedule, limit }, { signal })).firings;

export const pauseSchedule = (name: string, reason: string, until: string) =>
  post<Schedule>(`/v1/schedules/${part(name)}/pause`, { reason, until }, QUIET);
export const resumeSchedule = (name: string) => post<Schedule>(`/v1/schedules/${part(name)}/resume`, {}, QUIET);
export const triggerSchedule = (name: string) => post<Run>(`/v1/schedules/${part(name)}/trigger`, {}, QUIET);

export const listBackfills = async (signal: AbortSignal) =>
  (await get<{ backfills: Backfill[] }>("/v1/backfills", { signal })).backfills;
export const getBackfill = (backfill: string, signal: AbortSignal) => get<Backfill>(`/v1/backfills/${part(backfill)}`, { signal });

export interface BackfillAsked {
  from: string;
  to: string;
  order: string;
  again: boolean;
}

export const planBackfill = (asked: BackfillAsked, signal: AbortSignal) =>
  post<BackfillPlan>("/v1/backfill-plans", asked, { ...QUIET, signal });
export const createBackfill = (asked: BackfillAsked, plan: BackfillPlan) =>
  post<Backfill>("/v1/backfills", { plan: asked, plan_hash: plan.plan_hash }, QUIET);
export const cancelBackfill = (backfill: string, reason: string) =>
  post<Backfill>(`/v1/backfills/${part(backfill)}/cancel`, { reason }, QUIET);

export const listWorkers = async (signal: AbortSignal) => (await get<{ workers: Worker[] }>("/v1/workers", { signal })).workers;
export const drainWorker = (worker: string) => post<Worker>(`/v1/workers/${part(worker)}/drain`, {}, QUIET);
export const uncordonWorker = (worker: string) => post<Worker>(`/v1/workers/${part(worker)}/uncordon`, {}, QUIET);
