// A dashboard: its filters, its widgets on their grid, the snapshot that it shows, and the way that led here.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type DashboardList, getDashboard, listDashboards, type SavedDashboard } from "../../api/dashboards.ts";
import { useLoad } from "../../api/load.ts";
import { listSnapshots, listTables } from "../../api/sql.ts";
import type { Snapshot } from "../../api/types.ts";
import { at, href, place } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { Button, LinkButton } from "../../ui/Button.tsx";
import { counted, duration, time } from "../../ui/format.ts";
import { Empty, Failed, Loading, Partial, Shown } from "../../ui/States.tsx";
import { onPaper } from "../../ui/theme.ts";
import { announce } from "../../ui/Toast.tsx";
import type { Asked } from "./asks.ts";
import { nightsUpTo } from "./filters.ts";
import { FilterBar } from "./FilterBar.tsx";
import { inReadingOrder } from "./grid.ts";
import { withCurrency } from "./money.ts";
import { chosenName, type View, viewOf } from "./snapshots.ts";
import { backTo, readTrail, TRAIL } from "./state.ts";
import { TimeBar } from "./TimeBar.tsx";
import { settledKey, useSettled } from "./useBoard.ts";
import { type Report, WidgetCard } from "./WidgetCard.tsx";
import "./boards.css";

export default function BoardPage({ parts }: PageProps) {
  const name = parts.name ?? "";
  const draft = place.value.query.get("draft") === "true";
  const saved = useLoad((signal) => getDashboard(name, draft, signal), [name, draft]);
  const list = useLoad(listDashboards, []);
  const snapshots = useLoad((signal) => listSnapshots(signal), []);
  useEffect(() => {
    // A night may have come while the page was out of sight.
    const again = () => globalThis.document.visibilityState === "visible" && snapshots.reload();
    globalThis.document.addEventListener("visibilitychange", again);
    return () => globalThis.document.removeEventListener("visibilitychange", again);
  }, []);
  if (snapshots.error && snapshots.data === null) return <Failed error={snapshots.error} onRetry={snapshots.reload} />;
  return (
    <Shown of={saved} what="The dashboard is loading" lines={8}>
      {(found) =>
        // While another dashboard is on its way nothing of this one is to be taken for it.
        found.name !== name ? (
          <Loading what="The dashboard is loading" lines={8} />
        ) : snapshots.data === null ? (
          <Loading what="The snapshots are loading" lines={8} />
        ) : snapshots.data.length === 0 ? (
          <Empty title="There is no snapshot yet">
            <p>The first refresh makes one.</p>
          </Empty>
        ) : (
          <Board key={`${name} ${draft}`} saved={found} snapshots={snapshots.data} list={list.data} />
        )
      }
    </Shown>
  );
}

interface BoardProps {
  saved: SavedDashboard;
  snapshots: Snapshot[];
  /** For titles of other dashboards and the currency of the project; without it names stand for titles. */
  list: DashboardList | null;
}

function Board({ saved, snapshots, list }: BoardProps) {
  const currency = list?.currency ?? null;
  const document = useMemo(() => withCurrency(saved.document, currency), [saved.document, currency]);
  const titleOf = (name: string) => list?.dashboards.find((one) => one.name === name)?.title ?? name;
  const { query } = place.value;
  const view = viewOf(chosenName(at.value, document.snapshot), snapshots);
  const tables = useLoad((signal) => listTables(view.at === null ? null : String(view.at), signal), [view.at]);
  // By what was saved: the currency, which may come later, is nothing that filters ask for.
  const settled = useSettled(saved.document, query, tables.data, snapshots, view);
  const [reports, setReports] = useState<Record<string, Report>>({});
  const onReport = useCallback((widget: string, report: Report | null) => {
    setReports(({ [widget]: _, ...others }) => (report ? { ...others, [widget]: report } : others));
  }, []);
  const current = settled?.key === settledKey(query, view) ? settled : null;
  const busy = (current === null && tables.error === null) || tables.loading || Object.values(reports).some((report) => report.loading);
  const [printing, setPrinting] = useState(false);
  usePrinting(printing, busy, () => setPrinting(false));
  const shownFirst = useRef(view.at);
  useEffect(() => {
    if (shownFirst.current === view.at) return;
    shownFirst.current = view.at;
    if (view.known) announce(`Snapshot ${view.known.number}, as of ${view.known.as_of}`);
  }, [view.at]);
  useEffect(() => {
    globalThis.document.title = `${document.title} · Tenfold`;
  }, [document]);
  return (
    <div class={printing ? "board printing" : "board"} data-settled={!busy}>
      <Trail title={document.title} titleOf={titleOf} />
      <div class="page-head">
        <h1>{document.title}</h1>
        {saved.draft && <span class="badge warn">draft</span>}
        <div class="actions row no-print">
          <LinkButton href={href(`/compose/${encodeURIComponent(saved.name)}`)}>{saved.origin === "tenfold" ? "Make a copy" : "Edit"}</LinkButton>
          <Button disabledBecause={printing ? "all widgets are being loaded" : null} onClick={() => setPrinting(true)}>
            Print
          </Button>
        </div>
      </div>
      {document.description && <p class="quiet">{document.description}</p>}
      <div class="board-stamp">
        <Stamp view={view} reports={reports} busy={busy} />
        <TimeBar
          nights={nightsUpTo(snapshots, null).reverse()}
          number={view.known?.number ?? null}
          busy={busy}
          newest={document.snapshot === undefined ? null : "latest"}
        />
      </div>
      {tables.error && <Failed error={tables.error} onRetry={tables.reload} />}
      {settled && Object.keys(settled.failed).length > 0 && (
        <Partial>Some filters do not know what there is to choose; the widgets show what they show without them.</Partial>
      )}
      <FilterBar filters={document.filters ?? []} settled={settled} />
      {document.widgets.length === 0 ? (
        <Empty title="This dashboard has no widgets">
          <p>
            <a href={href(`/compose/${encodeURIComponent(saved.name)}`)}>Put some on it</a>
          </p>
        </Empty>
      ) : (
        <div class="board-grid">
          {inReadingOrder(document.widgets).map((widget) => (
            <WidgetCard
              key={widget.name}
              board={saved.name}
              titleOf={titleOf}
              document={document}
              widget={widget}
              settled={current}
              tables={tables.data}
              snapshots={snapshots}
              view={view}
              wanted={printing}
              onReport={onReport}
            />
          ))}
        </div>
      )}
    </div>
  );
}

/** The dashboards that a drill led through, each with what was chosen there. */
function Trail({ title, titleOf }: { title: string; titleOf: (name: string) => string }) {
  const steps = readTrail(place.value.query.get(TRAIL));
  if (steps.length === 0) return null;
  return (
    <nav class="trail no-print" aria-label="The way here">
      <ol>
        {steps.map((step, index) => (
          <li key={index}>
            <a href={href(`/boards/${encodeURIComponent(step.board)}`, { at: null, ...backTo(steps, index) })}>{titleOf(step.board)}</a>
          </li>
        ))}
        <li aria-current="page">{title}</li>
      </ol>
    </nav>
  );
}

/** As of when the figures are, and where the answers came from. */
function Stamp({ view, reports, busy }: { view: View; reports: Record<string, Report>; busy: boolean }) {
  const asked = Object.values(reports).flatMap((report): Asked[] => (report.asked ? [report.asked] : []));
  const snapshot = view.known ?? asked[0]?.answer.snapshot;
  const kept = asked.filter((one) => one.kept !== null).length;
  const longest = Math.max(0, ...asked.map((one) => one.milliseconds));
  return (
    <p class="stamp">
      {snapshot ? (
        <>
          As of <strong>{snapshot.as_of}</strong>, snapshot {snapshot.number}, published {time(snapshot.published_at)}
        </>
      ) : (
        <>Snapshot {view.at}</>
      )}
      <span class="quiet">
        {busy ? " · asking" : ` · ${counted(asked.length, "answer")}, ${kept} of them kept${longest > 0 ? `, the slowest in ${duration(longest / 1000)}` : ""}`}
      </span>
    </p>
  );
}

/** Prints when every widget has its answer and is drawn for paper. */
function usePrinting(printing: boolean, busy: boolean, done: () => void): void {
  // Who leaves the page before it is printed leaves the paper as well.
  useEffect(() => () => void (onPaper.value = false), []);
  useEffect(() => {
    onPaper.value = printing;
    if (!printing || busy) return;
    let wanted = true;
    // Charts are drawn anew for the width and the colours of the paper, and move there in the next frames.
    const frames = (left: number): void => {
      requestAnimationFrame(() => {
        if (!wanted) return;
        if (left > 0) return frames(left - 1);
        print();
        onPaper.value = false;
        done();
      });
    };
    frames(24);
    return () => {
      wanted = false;
    };
  }, [printing, busy]);
}
