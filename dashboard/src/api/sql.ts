// Queries: one question in flight for all who ask the same, and answers as CSV for files.
import { get, post, request, token, withQuery } from "./api.ts";
import type { Parameters, Snapshot, SqlAnswer, Table } from "./types.ts";

interface Flight {
  answer: Promise<SqlAnswer>;
  stop: AbortController;
  askers: number;
}

const flights = new Map<string, Flight>();

/**
 * Answers a query over the snapshot `at` (null: the newest). Equal queries that are asked at the same time are sent
 * once; the query is stopped when the last who asked it gave up.
 */
export function runSql(
  sql: string,
  parameters: Parameters = {},
  at: string | number | null = null,
  signal?: AbortSignal,
): Promise<SqlAnswer> {
  const body = bodyOf(sql, parameters, at);
  const key = JSON.stringify([token.value, body]);
  let flight = flights.get(key);
  if (flight === undefined) {
    const stop = new AbortController();
    const answer = post<SqlAnswer>("/v1/sql", { ...body, format: "json" }, { signal: stop.signal });
    const begun: Flight = { answer, stop, askers: 0 };
    const over = () => {
      if (flights.get(key) === begun) flights.delete(key);
    };
    answer.then(over, over);
    flights.set(key, begun);
    flight = begun;
  }
  const shared = flight;
  shared.askers += 1;
  if (signal === undefined) return shared.answer;
  return new Promise((resolve, reject) => {
    const gaveUp = () => {
      shared.askers -= 1;
      if (shared.askers === 0) {
        flights.delete(key);
        shared.stop.abort();
      }
      reject(signal.reason as Error);
    };
    if (signal.aborted) return gaveUp();
    signal.addEventListener("abort", gaveUp, { once: true });
    shared.answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", gaveUp));
  });
}

/** The whole answer as CSV, however many rows it has. */
export async function runCsv(sql: string, parameters: Parameters = {}, at: string | number | null = null): Promise<Blob> {
  const body = { ...bodyOf(sql, parameters, at), format: "csv" };
  const answer = await request("/v1/sql", { method: "POST", body, accept: "text/csv" });
  return answer.blob();
}

function bodyOf(sql: string, parameters: Parameters, at: string | number | null): Record<string, unknown> {
  const none = Array.isArray(parameters) ? parameters.length === 0 : Object.keys(parameters).length === 0;
  return { sql, ...(none ? {} : { parameters }), ...(at === null || at === "latest" ? {} : { at: String(at) }) };
}

/** The snapshots that can be read, those with the highest numbers first. */
export async function listSnapshots(signal?: AbortSignal, quiet = false): Promise<Snapshot[]> {
  return (await get<{ snapshots: Snapshot[] }>("/v1/snapshots", { signal, quiet })).snapshots;
}

/** The newest of listed snapshots: what a backfill made has a higher number and never is it. */
export function newestOf(snapshots: Snapshot[]): Snapshot | null {
  return snapshots.find((snapshot) => snapshot.backfill === null) ?? null;
}

export async function listTables(at: string | null, signal?: AbortSignal): Promise<Table[]> {
  return (await get<{ tables: Table[] }>(withQuery("/v1/tables", { at }), { signal })).tables;
}
