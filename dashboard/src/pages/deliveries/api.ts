// What the server says of deliveries. Nothing is sent from here: that is the command line's.

import { get, post } from "../../api/api.ts";
import type { SnapshotStamp } from "../../api/types.ts";

export interface Counts {
  members: number;
  held_out: number;
  without_identity: number;
  incomplete: number;
  suppressed: number;
  duplicates: number;
  desired: number;
  acknowledged: number;
  adds: number;
  changes: number;
  unchanged: number;
  removals: number;
  rows: number;
}

export type State = "unfinished" | "succeeded" | "partial" | "cancelled";

/** A number of a delivery: one time that it was planned and sent. */
export interface Run {
  id: string;
  number: number;
  snapshot: number;
  destination: string;
  mode: string;
  started_at: string;
  ended_at: string | null;
  state: State;
  counts: Counts & { accepted: number; rejected: number; unsent: number };
}

export interface Delivery {
  name: string;
  /** Whom it is sent to, where that is an audience. */
  audience: string | null;
  destination: string;
  campaign: string | null;
  mode: string;
  /** The number of the newest run; 0 for none. */
  newest: number;
  /** The newest first. */
  runs: Run[];
}

export interface Sample {
  act: string;
  identity: string;
  fields: [string, string][];
}

export interface Plan {
  delivery: string;
  number: number;
  destination: string;
  mode: string;
  snapshot: SnapshotStamp;
  counts: Counts;
  /** Whether the guard would hold the delivery back, and why. */
  guard: { holds: boolean; message?: string; remedy?: string };
  samples: Sample[];
}

export const ENDS = ["accepted", "rejected", "unsent", "held_out", "forgotten", "erased"] as const;
export type End = (typeof ENDS)[number];

/** A row of the ledger, with what identifies people masked. */
export interface LedgerRow {
  place: number;
  /** Empty for those who were erased since. */
  customer: string;
  identity: string;
  act: string;
  state: End;
  code: string | null;
  message: string | null;
  retryable: boolean | null;
  fields: [string, string][];
}

export interface Rows {
  number: number;
  snapshot: number;
  rows: LedgerRow[];
  /** The place where the next ones begin, where there are more. */
  next: number | null;
}

export async function listDeliveries(signal: AbortSignal): Promise<Delivery[]> {
  return (await get<{ deliveries: Delivery[] }>("/v1/deliveries?limit=1", { signal })).deliveries;
}

const RUNS = 50;

/** A delivery with its runs; further ones are those before a number. */
export function getDelivery(name: string, before: number | null, signal: AbortSignal): Promise<Delivery> {
  const further = before === null ? "" : `&before=${before}`;
  return get(`/v1/deliveries/${encodeURIComponent(name)}?limit=${RUNS}${further}`, { signal });
}

/** What the next number would send of the snapshot. */
export function planDelivery(name: string, at: string | null, signal: AbortSignal): Promise<Plan> {
  return post(`/v1/deliveries/${encodeURIComponent(name)}/plan`, at === null ? {} : { at }, { signal });
}

const ROWS = 100;

export function getRows(
  name: string,
  number: number,
  state: End | null,
  from: number,
  signal: AbortSignal,
): Promise<Rows> {
  const query = new URLSearchParams({ number: String(number), from: String(from), limit: String(ROWS) });
  if (state !== null) query.set("state", state);
  // Rows are for operators; whoever may see the rest of the page is told so, and not asked for another token.
  return get(`/v1/deliveries/${encodeURIComponent(name)}/rows?${query.toString()}`, { signal, quiet: true });
}
