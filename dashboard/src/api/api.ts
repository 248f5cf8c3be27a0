// The one way to the server: adds the token, reads problems, and asks for a token where one is missing.
import { signal } from "@preact/signals";
import { keep, kept } from "../storage.ts";

/** What the server says about a request that it did not answer. */
export class ApiError extends Error {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly remedy: string;
  readonly status: number;
  /** All that the problem said, for fields of one kind of problem alone. */
  readonly problem: Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>) {
    const text = (name: string) => (typeof problem[name] === "string" ? (problem[name] as string) : "");
    super(text("detail") || text("title") || `the server answered ${status}`);
    this.name = "ApiError";
    this.status = status;
    this.code = text("code");
    this.title = text("title");
    this.detail = text("detail");
    this.remedy = text("remedy");
    this.problem = problem;
  }
}

/** What is wrong, whatever was thrown. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  return new ApiError(0, { title: "Something went wrong in this page", detail: said, remedy: "reload the page" });
}

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  accept?: string;
  signal?: AbortSignal | undefined;
  /** Fails at once where a token or a role is missing, and asks for no other token. */
  quiet?: boolean;
}

const KEY = "tenfold-token";

/** The token of this tab, kept until the tab is closed. */
export const token = signal<string | null>(kept("sessionStorage", KEY));

/** Why a token is asked for, while the dialog is open: null where a person asked for the dialog. */
export const asking = signal<{ because: ApiError | null } | null>(null);

let waiting: { given: Promise<boolean>; end: (given: boolean) => void } | null = null;
let declined = false;

/** Opens the dialog, once for all who wait; whether a token was given then. */
export function askForToken(because: ApiError | null): Promise<boolean> {
  if (waiting === null) {
    let end: (given: boolean) => void = () => undefined;
    const given = new Promise<boolean>((resolve) => (end = resolve));
    waiting = { given, end };
    asking.value = { because };
  }
  return waiting.given;
}

/** Ends the dialog: with a token, with an empty one (forget it), or with none (cancelled). */
export function answerToken(text: string | null): void {
  if (text !== null) {
    token.value = text === "" ? null : text;
    keep("sessionStorage", KEY, token.value);
  }
  declined = text === null;
  asking.value = null;
  const ended = waiting;
  waiting = null;
  ended?.end(text !== null);
}

/** A path with named values behind it; those that are null are left out. */
export function withQuery(path: string, values: Record<string, string | null>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

/** Sends a request and gives the answer, whose status is one of success. */
export async function request(path: string, ask: Ask = {}): Promise<Response> {
  for (;;) {
    const headers: Record<string, string> = { accept: ask.accept ?? "application/json" };
    const sent = token.value;
    if (sent !== null) headers.authorization = `Bearer ${sent}`;
    if (ask.body !== undefined) headers["content-type"] = "application/json";
    let answer: Response;
    try {
      answer = await fetch(path, {
        method: ask.method ?? (ask.body === undefined ? "GET" : "POST"),
        headers,
        body: ask.body === undefined ? null : JSON.stringify(ask.body),
        signal: ask.signal ?? null,
        cache: "no-store",
      });
    } catch (thrown) {
      if (ask.signal?.aborted) throw thrown;
      throw unreachable();
    }
    if (answer.ok) return answer;
    const error = await problemOf(answer);
    const refused = error.code === "E2401" || error.code === "E2402";
    if (!refused || ask.quiet || (declined && waiting === null)) throw error;
    // Another request may have got a token while this one was under way.
    if (token.value !== sent) continue;
    if (!(await askForToken(error))) throw error;
  }
}

function unreachable(): ApiError {
  return new ApiError(0, {
    title: "The server does not answer",
    detail: "the connection was refused or broken off",
    remedy: "check that the server runs and can be reached, then try again",
  });
}

async function problemOf(answer: Response): Promise<ApiError> {
  const text = await answer.text().catch(() => "");
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === "object" && problem !== null) {
      return new ApiError(answer.status, problem as Record<string, unknown>);
    }
  } catch {
    // Not the server itself but something before it answers like this.
  }
  return new ApiError(answer.status, {
    title: `The answer was ${answer.status}`,
    detail: text.slice(0, 500) || "without an explanation",
  });
}

export async function get<T>(path: string, ask: Ask = {}): Promise<T> {
  return parseExact(await (await request(path, ask)).text()) as T;
}

export async function post<T>(path: string, body: unknown, ask: Ask = {}): Promise<T> {
  return parseExact(await (await request(path, { ...ask, method: "POST", body })).text()) as T;
}

export async function put<T>(path: string, body: unknown, ask: Ask = {}): Promise<T> {
  return parseExact(await (await request(path, { ...ask, method: "PUT", body })).text()) as T;
}

export async function del(path: string, ask: Ask = {}): Promise<void> {
  await request(path, { ...ask, method: "DELETE" });
}

/**
 * Reads JSON without losing digits: a number that a float cannot hold (keys and sums of 64 bits and more) becomes a
 * text of its digits.
 */
export function parseExact(text: string): unknown {
  if (text === "") return null;
  return JSON.parse(LONG.test(text) ? text.replace(TOKENS, exact) : text);
}

const LONG = /[0-9.]{16}/;
/** Texts, to pass over them, and numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function exact(token: string): string {
  if (token.startsWith('"') || token.length < 16) return token;
  return digits(token) === digits(String(Number(token))) ? token : `"${token}"`;
}

function digits(number: string): string {
  const mantissa = number.split(/e/i)[0] as string;
  return mantissa.replace(/[^0-9]/g, "").replace(/^0+|0+$/g, "");
}
