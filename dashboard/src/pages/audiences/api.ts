// What the server says of audiences, and the queries that the pages about them ask.

import { get, post, put, withQuery } from "../../api/api.ts";
import { listTables, runSql } from "../../api/sql.ts";
import type { Cell, SnapshotStamp } from "../../api/types.ts";
import type { Node } from "./rule/model.ts";
import type { Fields } from "./rule/written.ts";
import { parse } from "./rule/parse.ts";
import { columnsOf, relationsOf, type ServerNames, type Vocabulary } from "./rule/vocabulary.ts";

export interface Listed {
  audience: string;
  description: string;
  members: number | null;
  control: number | null;
  share: number | null;
  entered: number | null;
  exited: number | null;
  priority: number;
}

/** A tile of the column `tiles` with how many members it has; null for those without a tile. */
export interface MixRow {
  tile: number | null;
  members: number;
  customers: number;
}

export interface Shown {
  snapshot: SnapshotStamp;
  audience: string;
  description: string | null;
  rule: string;
  consent: string | null;
  priority: number;
  members: number;
  customers: number;
  tiles: string | null;
  mix: MixRow[];
}

export interface Counted {
  snapshot: SnapshotStamp;
  rule: string;
  members: number;
  customers: number;
  share: number;
  tiles: string | null;
  mix: MixRow[];
  sample: Record<string, Cell>[];
}

export async function listAudiences(
  at: string | null,
  signal: AbortSignal,
): Promise<{ snapshot: SnapshotStamp; audiences: Listed[] }> {
  return get(withQuery("/v1/audiences", { at }), { signal });
}

export function getAudience(name: string, at: string | null, signal: AbortSignal): Promise<Shown> {
  return get(withQuery(`/v1/audiences/${encodeURIComponent(name)}`, { at }), { signal });
}

/** Whom a rule chooses, counted exactly, with some of them. */
export function countRule(text: string, at: string | null, sample: number, signal: AbortSignal): Promise<Counted> {
  return post("/v1/audiences:count", { text, sample, ...(at === null ? {} : { at }) }, { signal });
}

/** The file of an audience, as the project has it now. */
export interface AudienceFile {
  hash: string;
  yaml: string;
  /** What it says; null where it cannot be read. */
  document: Fields | null;
}

export function getFile(name: string, signal: AbortSignal): Promise<AudienceFile> {
  return get(`/v1/audiences/${encodeURIComponent(name)}/file`, { signal });
}

/** Keeps the file of an audience in place of the one with the hash `base`; null for none. */
export function putFile(name: string, yaml: string, base: string | null): Promise<AudienceFile> {
  return put(`/v1/audiences/${encodeURIComponent(name)}`, { yaml, base });
}

/** The SQL that a rule is compiled to. */
export async function explainRule(text: string, at: string | null, signal: AbortSignal): Promise<string> {
  const body = { text, sample: 0, explain: true, ...(at === null ? {} : { at }) };
  return (await post<{ sql: string }>("/v1/audiences:count", body, { signal })).sql;
}

const AUDIENCES = "SELECT audience FROM dim_audience ORDER BY audience";

/** What rules over a snapshot may name. */
export async function loadVocabulary(at: string | null, signal: AbortSignal): Promise<Vocabulary> {
  const [tables, names] = await Promise.all([
    listTables(at, signal),
    get<ServerNames>(withQuery("/v1/audiences:names", { at }), { signal }),
  ]);
  const isThere = tables.some((table) => table.name === "dim_audience");
  const audiences = isThere ? (await runSql(AUDIENCES, {}, at, signal)).rows : [];
  return {
    columns: columnsOf(tables, names),
    sources: names.sources,
    relations: relationsOf(tables),
    audiences: audiences.map((row) => String(row.audience)),
    lists: names.lists,
  };
}

/** The tree of a rule; none for one that this page cannot read. */
export function parsed(rule: string): Node[] {
  try {
    return [parse(rule)];
  } catch {
    return [];
  }
}
