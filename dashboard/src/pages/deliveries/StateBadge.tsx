// How a delivery ended, as a word in its colour.

import type { State } from "./api.ts";
import { STATES } from "./words.ts";

export function StateBadge({ state }: { state: State }) {
  const { label, kind } = STATES[state] ?? { label: state, kind: "" };
  return <span class={`badge ${kind}`}>{label}</span>;
}
