// The answer of a widget while it is edited: asked a moment after the last change, over the snapshot that the widget
// will be shown with, and with the values that filters have here. The last good answer stays until there is a new one.

import { useEffect, useMemo, useState } from "preact/hooks";
import { asApiError, type ApiError } from "../../api/api.ts";
import type { Snapshot, SqlAnswer, Table } from "../../api/types.ts";
import { type Compiled, compileWidget, CompileError } from "../../spec/compile.ts";
import type { Widget } from "../../spec/types.ts";
import { ask } from "../boards/asks.ts";
import { lacking, type Settled } from "../boards/filters.ts";
import { before, chosenName, type View, viewOf } from "../boards/snapshots.ts";

/** What previews are made with: the tables, the snapshots, the one that the page shows, and what filters say. */
export interface Trial {
  tables: Table[];
  snapshots: Snapshot[];
  page: string | number | null;
  settled: Settled;
}

export interface Preview {
  compiled: Compiled | null;
  /** What is still missing in the widget, in words. */
  incomplete: string | null;
  answer: SqlAnswer | null;
  /** The same of the snapshot before, where the widget compares. */
  earlier: SqlAnswer | null;
  error: ApiError | null;
  loading: boolean;
}

const DELAY = 300;
const NOTHING = { answer: null, earlier: null, error: null, of: "" };

type Asking = Pick<Widget, "query" | "sql" | "parameters" | "snapshot" | "compare" | "needs">;

/** A value as it is a moment after its last change. */
export function useLater<T>(value: T): T {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), DELAY);
    return () => clearTimeout(timer);
  }, [value]);
  return later;
}

/** Asks while `wanted`; a widget that is out of sight waits. */
export function usePreview(widget: Asking, trial: Trial, wanted = true): Preview {
  /** The last answer, the last failure, and the question that was answered last. */
  const [state, setState] = useState<Pick<Preview, "answer" | "earlier" | "error"> & { of: string }>(NOTHING);
  const { values, columns } = trial.settled;
  const [compiled, incomplete] = useMemo<[Compiled | null, string | null]>(() => {
    const missing = lacking(widget.needs, trial.tables);
    if (missing.length > 0) return [null, `this snapshot has no ${missing.join(", ")}`];
    if (widget.sql !== undefined && widget.sql.trim() === "") return [null, "there is no SQL yet"];
    try {
      return [compileWidget(widget, values, columns), null];
    } catch (error) {
      if (error instanceof CompileError) return [null, error.message];
      throw error;
    }
  }, [widget.query, widget.sql, widget.parameters, widget.needs, trial.tables, values, columns]);
  const view = viewOf(chosenName(widget.snapshot, trial.page), trial.snapshots);
  const earlier = widget.compare === "previous" ? before(view, trial.snapshots) : null;
  const key = compiled === null ? "" : JSON.stringify([compiled, view.at, view.known?.hash, earlier?.at]);

  useEffect(() => {
    if (compiled === null) {
      setState(NOTHING);
      return;
    }
    if (!wanted) return;
    const stop = new AbortController();
    const over = (one: View) => ask(compiled, one.at, one.known?.hash ?? null, stop.signal);
    const timer = setTimeout(() => {
      Promise.all([over(view), earlier ? over(earlier) : null]).then(
        ([now, then]) => {
          if (!stop.signal.aborted) {
            setState({ answer: now.answer, earlier: then?.answer ?? null, error: null, of: key });
          }
        },
        (thrown: unknown) => {
          if (!stop.signal.aborted) setState((last) => ({ ...last, error: asApiError(thrown), of: key }));
        },
      );
    }, DELAY);
    return () => {
      clearTimeout(timer);
      stop.abort(new DOMException("not needed any more", "AbortError"));
    };
  }, [key, wanted]);
  const { of, ...last } = state;
  // Told in the same drawing that brings the next question, so that no old answer passes for the new one.
  return { compiled, incomplete, ...last, loading: compiled !== null && wanted && of !== key };
}
