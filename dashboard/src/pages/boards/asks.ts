// Questions of a dashboard: a few at a time, since the server lets nobody ask everything at once, and each answer
// kept while the page is open. A snapshot never changes, so what was asked of it needs no second asking.
import { token } from "../../api/api.ts";
import { runSql } from "../../api/sql.ts";
import type { SqlAnswer } from "../../api/types.ts";
import type { Compiled } from "../../spec/compile.ts";

/** How many questions are with the server at the same time, and how many answers are kept. */
const AT_A_TIME = 6;
const KEPT = 300;

/** An answer, and whether it was there already: here or in the server. */
export interface Asked {
  answer: SqlAnswer;
  kept: "here" | "server" | null;
  /** From the question to the answer. */
  milliseconds: number;
}

/** Lets so many tasks run at a time, in their order; who gave up before their turn never begins. */
export class Queue {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly places: number) {}

  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    // Whoever ends hands the place on, so that nobody overtakes those who wait.
    if (this.running < this.places) this.running += 1;
    else await this.turn(signal);
    try {
      signal?.throwIfAborted();
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }

  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const gaveUp = () => {
        this.waiting.splice(this.waiting.indexOf(go), 1);
        reject(signal?.reason as Error);
      };
      const go = () => {
        signal?.removeEventListener("abort", gaveUp);
        resolve();
      };
      if (signal?.aborted) return reject(signal.reason as Error);
      this.waiting.push(go);
      signal?.addEventListener("abort", gaveUp, { once: true });
    });
  }
}

const queue = new Queue(AT_A_TIME);
const answers = new Map<string, SqlAnswer>();

/**
 * Asks over a snapshot. `hash` is that of the snapshot where it is known: an erasure gives a snapshot other files
 * under the same number, and then what is kept here counts no more. Nor does it for another token.
 */
export async function ask(compiled: Compiled, at: string | number | null, hash: string | null, signal?: AbortSignal): Promise<Asked> {
  const key = hash === null ? null : JSON.stringify([token.value, hash, at, compiled.sql, compiled.parameters]);
  const keptHere = () => (key === null ? undefined : answers.get(key));
  const here = keptHere();
  if (here !== undefined) return { answer: here, kept: "here", milliseconds: 0 };
  const begun = performance.now();
  // Somebody else may have asked the same while this question waited for its turn.
  const answer = await queue.run(async () => keptHere() ?? runSql(compiled.sql, compiled.parameters, at, signal), signal);
  if (key !== null) {
    answers.delete(key);
    answers.set(key, answer);
    for (const oldest of answers.keys()) {
      if (answers.size <= KEPT) break;
      answers.delete(oldest);
    }
  }
  return { answer, kept: answer.cached ? "server" : null, milliseconds: performance.now() - begun };
}
