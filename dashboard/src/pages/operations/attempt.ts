// Work of the server that is asked for in a dialog: what is under way, and what went wrong.
import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../../api/api.ts";
import { tellError } from "../../ui/Toast.tsx";
import { learn, type Role } from "./roles.ts";

export interface Attempt {
  /** What is under way, in words. */
  busy: string | null;
  error: ApiError | null;
  forget: () => void;
  /** `gone` is aborted once what asked is not shown any more. */
  attempt: (doing: string, work: (gone: AbortSignal) => Promise<void>) => Promise<void>;
}

/** `onFailed` is told besides what is kept as `error`. */
export function useAttempt(role: Role, onFailed?: (error: ApiError) => void): Attempt {
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [left] = useState(() => new AbortController());
  useEffect(() => () => left.abort(new DOMException("not needed any more", "AbortError")), []);
  const attempt = async (doing: string, work: (gone: AbortSignal) => Promise<void>) => {
    const gone = left.signal;
    setBusy(doing);
    setError(null);
    try {
      await work(gone);
    } catch (thrown) {
      const failed = asApiError(thrown);
      learn(role, failed);
      if (!gone.aborted) {
        setError(failed);
        onFailed?.(failed);
      } else if (!isStop(thrown)) {
        // Whoever left the page still has to know.
        tellError(failed);
      }
    } finally {
      setBusy(null);
    }
  };
  return { busy, error, forget: () => setError(null), attempt };
}

/** Whether it is a question that was stopped, and not one that failed. */
function isStop(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}
