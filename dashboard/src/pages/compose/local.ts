// Drafts that the server did not take, as it takes none with something to mend: this browser keeps one for each
// dashboard, offers it when the composer opens again, and drops it once the dashboard is saved.

import type { DashboardDocument } from "../../spec/types.ts";
import { keep, kept, keysAfter } from "../../storage.ts";

export interface LocalDraft {
  document: DashboardDocument;
  /** Hash of what it was made from, so that it replaces nothing that somebody else wrote since; null for a new one. */
  base: string | null;
  /** When it was kept. */
  at: string;
}

const KEY = "tenfold-draft:";

export function localDraft(name: string): LocalDraft | null {
  const text = kept("localStorage", KEY + name);
  try {
    const draft = JSON.parse(text ?? "null") as LocalDraft | null;
    const isOne = typeof draft?.document?.title === "string" && Array.isArray(draft.document.widgets);
    return isOne ? draft : null;
  } catch {
    return null;
  }
}

/** Whether this browser keeps it: it may be told to keep nothing, or have no room. */
export function keepLocal(name: string, draft: LocalDraft): boolean {
  return keep("localStorage", KEY + name, JSON.stringify(draft));
}

export function forgetLocal(name: string): void {
  keep("localStorage", KEY + name, null);
}

/** The dashboards that there are drafts of, by name. */
export function localNames(): string[] {
  return keysAfter("localStorage", KEY).sort();
}
