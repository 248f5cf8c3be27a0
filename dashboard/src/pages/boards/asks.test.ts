import { afterEach, expect, test, vi } from "vitest";
import { token } from "../../api/api.ts";
import { ask, Queue } from "./asks.ts";

afterEach(() => vi.unstubAllGlobals());

/** A task that ends when it is told to. */
function task() {
  let end: () => void = () => undefined;
  let begun = false;
  const done = new Promise<void>((resolve) => (end = resolve));
  const run = () => {
    begun = true;
    return done;
  };
  return { run, end: () => end(), begun: () => begun };
}

test("so many run at a time, in their order, and who gave up never begins", async () => {
  const queue = new Queue(2);
  const tasks = [task(), task(), task(), task(), task()];
  const stop = new AbortController();
  const runs = tasks.map((one, i) => queue.run(one.run, i === 2 ? stop.signal : undefined));
  const ends = Promise.allSettled(runs);
  expect(tasks.map((one) => one.begun())).toEqual([true, true, false, false, false]);
  stop.abort();
  tasks[0]?.end();
  await runs[0];
  await vi.waitFor(() => expect(tasks.map((one) => one.begun())).toEqual([true, true, false, true, false]));
  for (const one of tasks) one.end();
  expect((await ends).map((end) => end.status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"]);
});

test("who gives up in the moment of their turn passes it on", async () => {
  const queue = new Queue(1);
  const [first, second, third] = [task(), task(), task()];
  const stop = new AbortController();
  const runs = [queue.run(first.run), queue.run(second.run, stop.signal), queue.run(third.run)];
  const ends = Promise.allSettled(runs);
  first.end();
  await runs[0];
  stop.abort();
  third.end();
  second.end();
  const statuses = (await ends).map((end) => end.status);
  expect(statuses[0]).toBe("fulfilled");
  expect(statuses[2]).toBe("fulfilled");
});

test("an answer is asked for once, until the snapshot is another", async () => {
  let sent = 0;
  vi.stubGlobal("fetch", () => {
    sent += 1;
    return Promise.resolve(new Response(JSON.stringify({ columns: [], rows: [], cached: sent === 2 })));
  });
  const compiled = { sql: "SELECT 1", parameters: {} };
  expect((await ask(compiled, 7, "a")).kept).toBeNull();
  expect((await ask(compiled, 7, "a")).kept).toBe("here");
  expect((await ask(compiled, 7, "b")).kept).toBe("server");
  expect((await ask({ ...compiled, parameters: { a: 1 } }, 7, "a")).kept).toBeNull();
  expect(sent).toBe(3);
});

test("what was answered to one token is not kept for another", async () => {
  let sent = 0;
  vi.stubGlobal("fetch", () => {
    sent += 1;
    return Promise.resolve(new Response('{"columns":[],"rows":[]}'));
  });
  const compiled = { sql: "SELECT 1", parameters: {} };
  const before = token.value;
  token.value = "first";
  await ask(compiled, 7, "token");
  token.value = "second";
  expect((await ask(compiled, 7, "token")).kept).toBeNull();
  token.value = before;
  expect(sent).toBe(2);
});

test("what was answered while a question waited is not asked again", async () => {
  const answers: (() => void)[] = [];
  vi.stubGlobal("fetch", () => new Promise((resolve) => answers.push(() => resolve(new Response('{"columns":[],"rows":[]}')))));
  const compiled = (n: number) => ({ sql: `SELECT ${n}`, parameters: {} });
  // Six take all places, so that both questions of the same kind wait, and the second has the answer of the first.
  const before = [1, 2, 3, 4, 5, 6].map((n) => ask(compiled(n), 1, "wait"));
  const [first, second] = [ask(compiled(7), 1, "wait"), ask(compiled(7), 1, "wait")];
  answers.splice(0, 1)[0]?.();
  await before[0];
  await vi.waitFor(() => expect(answers.length).toBe(6));
  answers.splice(5, 1)[0]?.();
  await first;
  for (const answer of answers.splice(0)) answer();
  await second;
  expect(answers.length).toBe(0);
});
