// Loading for components: the state of one answer, asked anew when what it depends on changes, stopped when nobody
// waits for it any more. While a new answer is on its way the old one stays.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, asApiError, token } from "./api.ts";

export interface Loaded<T> {
  /** The last good answer. */
  data: T | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): Loaded<T> {
  const [turn, setTurn] = useState(0);
  const question = [...inputs, turn, token.value];
  const [state, setState] = useState<{ data: T | null; error: ApiError | null; answers: readonly unknown[] | null }>({ data: null, error: null, answers: null });
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const stop = new AbortController();
    latest.current(stop.signal).then(
      (data) => {
        if (!stop.signal.aborted) setState({ data, error: null, answers: question });
      },
      (thrown: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ data: before.data, error: asApiError(thrown), answers: question }));
      },
    );
    return () => stop.abort(new DOMException("not needed any more", "AbortError"));
  }, question);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  // Told in the same drawing that brings the next question, so that no old answer passes for the new one.
  const loading = state.answers === null || state.answers.some((input, index) => !Object.is(input, question[index]));
  return { data: state.data, error: state.error, loading, reload };
}
