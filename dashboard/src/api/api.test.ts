import { afterEach, expect, test, vi } from "vitest";
import { answerToken, ApiError, asking, get, parseExact, request, token, withQuery } from "./api.ts";
import { quoted } from "./quoted.ts";
import { runSql } from "./sql.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  token.value = null;
});

const store = () => vi.stubGlobal("sessionStorage", { getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
const problem = (status: number, code: string) =>
  new Response(JSON.stringify({ code, title: "t", detail: "d", remedy: "r", status }), { status });

test("numbers keep all their digits", () => {
  expect(parseExact('{"a":12345678901234567890,"b":9007199254740993,"c":1.5,"d":1234567890123456.78}')).toEqual({
    a: "12345678901234567890",
    b: "9007199254740993",
    c: 1.5,
    d: "1234567890123456.78",
  });
  expect(parseExact("[0.1234567890123456,1e300,100000000000000000000,0.30000000000000004]")).toEqual([
    0.1234567890123456, 1e300, 1e20, 0.30000000000000004,
  ]);
});

test("what a path asks for is escaped, and left out where it is null", () => {
  expect(withQuery("/v1/tables", { at: null })).toBe("/v1/tables");
  expect(withQuery("/v1/x", { at: "2026-03-01T00:00:00+01:00", by: null, to: "a&b" })).toBe(
    "/v1/x?at=2026-03-01T00%3A00%3A00%2B01%3A00&to=a%26b",
  );
});

test("a name in SQL ends where it should", () => {
  expect(quoted('a"b\0" c')).toBe('"a""b"" c"');
});

test("a problem is an error with code, detail and remedy", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(problem(400, "E2117")));
  const error = await get("/v1/x").catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 400, code: "E2117", detail: "d", remedy: "r" });
});

test("what is no problem document is told as it is", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("bad gateway", { status: 502 })));
  await expect(get("/v1/x")).rejects.toMatchObject({ status: 502, detail: "bad gateway" });
});

test("requests without a token wait for one, and are sent again with it", async () => {
  store();
  const seen: (string | undefined)[] = [];
  vi.stubGlobal("fetch", (_: string, init: { headers: Record<string, string> }) => {
    seen.push(init.headers.authorization);
    return Promise.resolve(init.headers.authorization ? new Response("{}") : problem(401, "E2401"));
  });
  const both = Promise.all([request("/v1/a"), request("/v1/b")]);
  await vi.waitFor(() => expect(asking.value?.because?.code).toBe("E2401"));
  answerToken("secret");
  await both;
  expect(asking.value).toBeNull();
  expect(seen).toEqual([undefined, undefined, "Bearer secret", "Bearer secret"]);
});

test("a token is used also where the browser keeps nothing", async () => {
  const refuses = () => {
    throw new DOMException("data of sites is blocked", "SecurityError");
  };
  vi.stubGlobal("sessionStorage", { getItem: refuses, setItem: refuses, removeItem: refuses });
  vi.stubGlobal("fetch", (_: string, init: { headers: Record<string, string> }) =>
    Promise.resolve(init.headers.authorization ? new Response("{}") : problem(401, "E2401")),
  );
  const asked = request("/v1/a");
  await vi.waitFor(() => expect(asking.value).not.toBeNull());
  answerToken("secret");
  expect((await asked).ok).toBe(true);
});

test("whoever gives no token is told the problem, and is not asked again by the next request", async () => {
  store();
  vi.stubGlobal("fetch", () => Promise.resolve(problem(401, "E2401")));
  const first = request("/v1/a");
  await vi.waitFor(() => expect(asking.value).not.toBeNull());
  answerToken(null);
  await expect(first).rejects.toMatchObject({ code: "E2401" });
  await expect(request("/v1/a")).rejects.toMatchObject({ code: "E2401" });
});

test("equal queries at the same time are sent once, and stopped when nobody waits", async () => {
  let sent = 0;
  const stopped: AbortSignal[] = [];
  vi.stubGlobal("fetch", (_: string, init: { signal: AbortSignal }) => {
    sent += 1;
    stopped.push(init.signal);
    return new Promise((_, reject) => init.signal.addEventListener("abort", () => reject(init.signal.reason as Error)));
  });
  const [one, two] = [new AbortController(), new AbortController()];
  const answers = [runSql("SELECT 1", {}, null, one.signal), runSql("SELECT 1", {}, null, two.signal)];
  const ends = Promise.allSettled(answers);
  expect(sent).toBe(1);
  one.abort();
  expect(stopped[0]?.aborted).toBe(false);
  two.abort();
  expect(stopped[0]?.aborted).toBe(true);
  expect((await ends).map((end) => end.status)).toEqual(["rejected", "rejected"]);
});
