// Answers that are asked for again and again while they are looked at: not in a tab that is hidden, one question at a
// time, and without a word while nothing is wrong. What was there stays when a later question fails.
import { signal } from "@preact/signals";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asApiError, token } from "../../api/api.ts";
import type { Loaded } from "../../api/load.ts";

/** The instant that all words about time go by; it moves on with every answer. */
export const now = signal(Date.now());

/** Seconds until the next question, by the last answer; null ends it. */
type Every<T> = (data: T | null) => number | null;

/**
 * Seconds until a question that failed is asked again. What was refused or is not there stays so until another token
 * is used or somebody asks again; a server that has trouble is left alone for a while.
 */
export function patience(status: number, seconds: number | null): number | null {
  if (seconds === null || [401, 403, 404].includes(status)) return null;
  return Math.max(10, seconds);
}

/** With other `inputs` it is another question. When `live` changes it is asked anew, and what is there stays. */
export function usePolled<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
  every: Every<T>,
  live = true,
): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>({ data: null, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef({ load, every });
  latest.current = { load, every };
  const asked = JSON.stringify([...inputs, token.value]);
  const shown = useRef(asked);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = (data: T | null, seconds = latest.current.every(data)) => {
      if (seconds !== null) timer = setTimeout(() => void ask(data), seconds * 1000);
    };
    const ask = async (before: T | null): Promise<void> => {
      if (document.hidden && before !== null) return again(before);
      try {
        const data = await latest.current.load(stop.signal);
        if (stop.signal.aborted) return;
        now.value = Date.now();
        setState({ data, error: null, loading: false });
        again(data);
      } catch (thrown) {
        if (stop.signal.aborted) return;
        const error = asApiError(thrown);
        setState((was) => ({ ...was, error, loading: false }));
        again(before, patience(error.status, latest.current.every(before)));
      }
    };
    // Another question: the answer to the one before is none to this.
    if (shown.current !== asked) setState({ data: null, error: null, loading: true });
    shown.current = asked;
    void ask(null);
    return () => {
      stop.abort(new DOMException("not needed any more", "AbortError"));
      clearTimeout(timer);
    };
  }, [asked, turn, live]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...state, reload };
}
