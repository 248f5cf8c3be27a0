// Which roles the caller turned out not to have. The server decides and tells nobody beforehand, so the pages learn it
// from the first refusal and say so from then on, until another token is used.
import { effect, signal } from "@preact/signals";
import { type ApiError, token } from "../../api/api.ts";

export type Role = "operator" | "admin";

const refused = signal<ReadonlySet<Role>>(new Set());

effect(() => {
  void token.value;
  refused.value = new Set();
});

/** Why the caller may not do what needs a role; null as far as is known. */
export function lacking(role: Role): string | null {
  return refused.value.has(role) ? `your token has no role that may do this: it takes ${role}` : null;
}

/** Learns from a refusal. Who is no operator is no admin either. */
export function learn(role: Role, error: ApiError): void {
  if (error.status !== 403) return;
  refused.value = new Set<Role>([...refused.value, role, ...(role === "operator" ? (["admin"] as const) : [])]);
}
