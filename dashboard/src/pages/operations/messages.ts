// What the coordinator and the store say about runs, schedules, backfills, workers and nights: the messages of the
// operator protocol as JSON. An empty text, 0 and null stand for "not there", as the protocol has it.

export interface Problem {
  code: string;
  class: string;
  message: string;
  remedy: string;
}

export interface Step {
  step: string;
  tasks: number;
  reused: number;
  done: number;
  running: number;
  failed_attempts: number;
  started_at: string;
  ended_at: string;
}

export interface RunRows {
  read: number;
  counted: number;
  pending: number;
  duplicate: number;
  filtered: number;
  quarantined: number;
  files_read: number;
  files_reused: number;
}

export interface Run {
  run: string;
  state: string;
  as_of: string;
  submitted_at: string;
  submitted_by: string;
  started_at: string;
  ended_at: string;
  idempotency_key: string;
  schedule: string;
  nominal: string;
  backfill: string;
  try: number;
  plan_hash: string;
  snapshot: number;
  snapshot_hash: string;
  nothing_new: boolean;
  cancel_requested: boolean;
  steps: Step[];
  warnings: string[];
  problem: Problem | null;
  labels: Record<string, string>;
  rows: RunRows | null;
}

export interface RunEvent {
  at: string;
  level: string;
  message: string;
  step: string;
  worker: string;
}

export interface Attempt {
  token: string;
  worker: string;
  state: string;
  started_at: string;
  ended_at: string;
  problem: Problem | null;
}

export interface Task {
  step: string;
  index: number;
  task: string;
  state: string;
  attempts: Attempt[];
}

export interface Plan {
  plan_hash: string;
  as_of: string;
  parent: number;
  nothing_new: boolean;
  from_scratch: boolean;
  reads: { source: string; files: number; bytes: number }[];
  reused_files: number;
  shards: number;
  shards_before: number;
  shards_forward: number[];
  shards_anew: { reason: string; shards: number[] }[];
  notes: string[];
}

/** A firing: what clocks show in the zone of the schedule, how far they are ahead of UTC, and the instant. */
export interface Firing {
  local: string;
  offset: string;
  utc: string;
}

export interface Schedule {
  schedule: string;
  state: string;
  cron: string;
  zone: string;
  spec: string;
  paused_reason: string;
  paused_until: string;
  failures: number;
  skipped: number;
  last_nominal: string;
  last_run: string;
  last_state: string;
  buffered: string[];
  waiting_for: string[];
  late: boolean;
  next: Firing | null;
  problem: Problem | null;
}

export interface BackfillDay {
  as_of: string;
  state: string;
  snapshot: number;
  run: string;
}

export interface BackfillPlan {
  plan_hash: string;
  knowledge: number;
  days: BackfillDay[];
}

export interface Backfill {
  backfill: string;
  state: string;
  from: string;
  to: string;
  days_total: number;
  days_made: number;
  submitted_at: string;
  submitted_by: string;
  plan_hash: string;
  days: BackfillDay[];
  problem: Problem | null;
}

export interface Worker {
  worker: string;
  state: string;
  version: string;
  slots: number;
  running: number;
  memory_bytes: number;
  leased_bytes: number;
  last_report_at: string;
}

export interface Cluster {
  coordinator: string;
  version: string;
  epoch: number;
  in_office: boolean;
  store: string;
  project: string;
  ledger: number;
  runs_queued: number;
  running: string;
  tasks_queued: number;
  tasks_running: number;
  workers: number;
  slots: number;
  schedules: number;
  /** The newest one. */
  snapshot: { number: number } | null;
  started_at: string;
  now: string;
}

/** What a step took, over all of its parts. */
export interface StepCost {
  step: string;
  tasks: number;
  seconds: number;
  get: number;
  put: number;
  list: number;
  delete: number;
}

/** Where the rows of a source went. */
export interface SourceRows {
  read: number;
  counted: number;
  pending: number;
  duplicate: number;
  filtered: Record<string, number>;
  quarantined: Record<string, number>;
}

export interface Summary {
  rows: Record<string, SourceRows>;
  files_read: number;
  files_reused: number;
  tasks_run: number;
  tasks_adopted: number;
  merge: {
    shards: number;
    forward: number;
    months_read: number;
    months: number;
    bytes_read: number;
    bytes_written: number;
    bytes: number;
  };
}

/** What the store keeps of a run that has ended. */
export interface RunRecord {
  run: string;
  status: string;
  as_of: string;
  started_at: string;
  ended_at: string;
  snapshot: number | null;
  summary: Summary;
  /** Empty in records of before steps were measured. */
  steps: StepCost[];
  warnings: string[];
  code: string | null;
  failure: string | null;
  remedy: string | null;
}
