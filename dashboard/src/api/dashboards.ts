// Dashboards as the server keeps them: those that come with Tenfold, and files of the project with their drafts.
import type { DashboardDocument } from "../spec/types.ts";
import { del, get, put, withQuery } from "./api.ts";

export interface DashboardSummary {
  name: string;
  title: string;
  description?: string | null;
  origin: "tenfold" | "project";
  writable: boolean;
  /** Whether there is a draft of it. */
  draft: boolean;
  /** Whether everybody sees it: a new one may be a draft alone. */
  published?: boolean;
  hash: string | null;
  /** What is wrong with its file. */
  problem?: string | null;
}

export interface DashboardList {
  dashboards: DashboardSummary[];
  /** Whether dashboards can be written here at all. */
  writable: boolean;
  /** Currency of the project's money, where it has one. */
  currency?: string | null;
}

export interface SavedDashboard {
  name: string;
  origin: "tenfold" | "project";
  hash: string | null;
  draft: boolean;
  document: DashboardDocument;
  yaml: string;
}

const path = (name: string) => `/v1/dashboards/${encodeURIComponent(name)}`;

export function listDashboards(signal?: AbortSignal): Promise<DashboardList> {
  return get<DashboardList>("/v1/dashboards", { signal });
}

export function getDashboard(name: string, draft: boolean, signal?: AbortSignal): Promise<SavedDashboard> {
  return get<SavedDashboard>(withQuery(path(name), { draft: draft ? "true" : null }), { signal });
}

/** Saves a draft, or publishes. `base` is the hash of what was changed: somebody else may have changed it meanwhile. */
export function putDashboard(
  name: string,
  body: ({ document: DashboardDocument } | { yaml: string }) & { draft: boolean; base: string | null },
): Promise<SavedDashboard> {
  return put<SavedDashboard>(path(name), body);
}

export function deleteDashboard(name: string, draft: boolean, base: string | null): Promise<void> {
  return del(withQuery(path(name), { draft: draft ? "true" : null, base }));
}
