// Words of deliveries: modes, states, and what is counted.

import type { Counts, End, State } from "./api.ts";

export const MODES: Record<string, string> = {
  upsert: "rows that are new or changed; nobody is removed",
  mirror: "the destination becomes equal to the members",
  full: "every row again; nobody is removed",
  file_full: "files with every row",
  file_incremental: "files with rows that are new or changed",
};

export const STATES: Record<State, { label: string; kind: string }> = {
  unfinished: { label: "unfinished", kind: "warn" },
  succeeded: { label: "succeeded", kind: "good" },
  partial: { label: "with rejects", kind: "bad" },
  cancelled: { label: "cancelled", kind: "" },
};

export const ENDS_SAID: Record<End, string> = {
  accepted: "accepted",
  rejected: "rejected",
  unsent: "not known",
  held_out: "held out",
  forgotten: "not there any more",
  erased: "erased since",
};

export const ACTS: Record<string, string> = {
  upsert: "add or change",
  remove: "remove",
  forget: "forget",
  hold_out: "hold out",
};

/** Why members are not sent, with how many they are; those that are nobody are left out. */
export function leftOut(counts: Counts): [string, number][] {
  const all: [string, number][] = [
    ["held out", counts.held_out],
    ["without an identity", counts.without_identity],
    ["without a required field", counts.incomplete],
    ["erased since the snapshot", counts.suppressed],
    ["with an identity of somebody who is sent", counts.duplicates],
  ];
  return all.filter(([, count]) => count > 0);
}
