// Counts whom a rule chooses while it is being written: a little after the last change, and never with an answer to
// an earlier rule.

import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../../../api/api.ts";
import { countRule, type Counted } from "../api.ts";

/** Milliseconds without a change before a rule is counted. */
const PAUSE = 300;

export interface Count {
  counted: Counted | null;
  /** Whether `counted` is of the rule as it is now. */
  isCurrent: boolean;
  error: ApiError | null;
}

/** Counts the rule of a text; nothing while there is none. */
export function useCount(text: string | null, at: string | null, sample: number): Count {
  const [count, setCount] = useState<{ counted: Counted | null; error: ApiError | null; of: string }>({ counted: null, error: null, of: "" });
  const asked = JSON.stringify([text, at, sample]);
  useEffect(() => {
    if (text === null) return;
    const stop = new AbortController();
    const ask = async () => {
      try {
        const counted = await countRule(text, at, sample, stop.signal);
        if (!stop.signal.aborted) setCount({ counted, error: null, of: asked });
      } catch (thrown) {
        if (!stop.signal.aborted) setCount((before) => ({ ...before, error: asApiError(thrown), of: asked }));
      }
    };
    const timer = setTimeout(() => void ask(), PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [asked]);
  // Told in the same drawing that brings the next rule, so that no old count passes for the new one.
  const error = count.of === asked ? count.error : null;
  return { counted: count.counted, isCurrent: count.of === asked && error === null, error };
}
