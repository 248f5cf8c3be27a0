// What the parts of a dashboard's page wait for: the choices of its filters, the answers of its widgets, and whether
// they are in sight.
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, asApiError, token } from "../../api/api.ts";
import type { Snapshot, Table } from "../../api/types.ts";
import { type Compiled, compileWidget } from "../../spec/compile.ts";
import type { DashboardDocument, Widget } from "../../spec/types.ts";
import { ask, type Asked } from "./asks.ts";
import { nightsUpTo, type Settled, settle } from "./filters.ts";
import { FILTER } from "./state.ts";
import { before, type View } from "./snapshots.ts";

/** The part of an address that filters depend on, as a text that is the same for the same choices. */
export function choicesOf(query: URLSearchParams): string {
  return new URLSearchParams([...query].filter(([name]) => name.startsWith(FILTER)).sort(([a], [b]) => (a < b ? -1 : 1))).toString();
}

/** What the filters offer and say, and for which choices and snapshot that is. */
interface SettledFor extends Settled {
  key: string;
}

/** Names the choices of an address over a snapshot. */
export function settledKey(query: URLSearchParams, view: View): string {
  return JSON.stringify([choicesOf(query), view.at, view.known?.hash]);
}

/**
 * What the filters offer and say; null until it is known for the first time. While the next is on its way the last
 * one stays: its `key` says for what it is.
 */
export function useSettled(document: DashboardDocument, query: URLSearchParams, tables: Table[] | null, snapshots: Snapshot[], view: View): SettledFor | null {
  const [settled, setSettled] = useState<SettledFor | null>(null);
  const choices = choicesOf(query);
  const key = settledKey(query, view);
  useEffect(() => {
    if (tables === null) return;
    const stop = new AbortController();
    const nights = nightsUpTo(snapshots, view.known);
    const question = async (compiled: Compiled) => (await ask(compiled, view.at, view.known?.hash ?? null, stop.signal)).answer;
    void settle(document, new URLSearchParams(choices), tables, nights, question).then((found) => {
      if (!stop.signal.aborted) setSettled({ ...found, key });
    });
    return () => stop.abort(new DOMException("not needed any more", "AbortError"));
  }, [document, key, tables, snapshots, token.value]);
  return settled;
}

/** The answer of a widget, and of the snapshot before where it is compared. */
export interface Shown {
  compiled: Compiled;
  asked: Asked;
  earlier: Asked | null;
}

export interface Showing {
  shown: Shown | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

/**
 * Asks what a widget shows while `wanted`. Without `settled` the filters are still being found. What was shown last
 * stays while the next answer is on its way.
 */
export function useShown(widget: Widget, settled: Settled | null, view: View, snapshots: Snapshot[], wanted: boolean): Showing {
  const [state, setState] = useState<{ key: string | null; shown: Shown | null; error: ApiError | null }>({ key: null, shown: null, error: null });
  const [turn, setTurn] = useState(0);
  let compiled: Compiled | null = null;
  let wrong: ApiError | null = null;
  try {
    compiled = settled && compileWidget(widget, settled.values, settled.columns);
  } catch (thrown) {
    wrong = asApiError(thrown);
  }
  const key = compiled && JSON.stringify([compiled, view.at, view.known?.hash, turn]);
  const latest = useRef(compiled);
  latest.current = compiled;
  useEffect(() => {
    const now = latest.current;
    if (!wanted || now === null) return;
    const stop = new AbortController();
    const put = (shown: Shown | null, error: ApiError | null) => !stop.signal.aborted && setState({ key, shown, error });
    const earlier = widget.compare === "previous" ? before(view, snapshots) : null;
    Promise.all([
      ask(now, view.at, view.known?.hash ?? null, stop.signal),
      // Without an answer of the snapshot before there is no change to tell, and the number stands all the same.
      earlier && ask(now, earlier.at, earlier.known?.hash ?? null, stop.signal).catch(() => null),
    ]).then(
      ([asked, was]) => put({ compiled: now, asked, earlier: was }, null),
      (thrown: unknown) => put(null, asApiError(thrown)),
    );
    return () => stop.abort(new DOMException("not needed any more", "AbortError"));
  }, [key, wanted, token.value]);
  // Told in the same drawing that brings the next question, so that no old answer passes for the new one.
  const loading = wanted && wrong === null && (key === null || state.key !== key);
  return { shown: state.shown, error: wrong ?? (loading ? null : state.error), loading, reload: () => setTurn((last) => last + 1) };
}

/** Whether an element is in sight, or nearly: once it was, it stays so. */
export function useInSight(): { ref: { current: HTMLElement | null }; seen: boolean } {
  const ref = useRef<HTMLElement | null>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element || seen) return;
    const watch = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true),
      { rootMargin: "300px" },
    );
    watch.observe(element);
    return () => watch.disconnect();
  }, [seen]);
  return { ref, seen };
}
