// One widget of a dashboard: its question, its answer as a picture, and what can be done with it.
import { useEffect, useRef, useState } from "preact/hooks";
import { Chart } from "../../chart/Chart.tsx";
import { runCsv } from "../../api/sql.ts";
import type { Row, Snapshot, Table } from "../../api/types.ts";
import { href, place, setQuery } from "../../location.ts";
import type { DashboardDocument, Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { Empty, Failed, Loading } from "../../ui/States.tsx";
import { announce } from "../../ui/Toast.tsx";
import { customerPath } from "../audiences/paths.ts";
import type { Asked } from "./asks.ts";
import { lacking, type Settled } from "./filters.ts";
import { areaOf } from "./grid.ts";
import { toDeclare } from "./needs.ts";
import { chosenName, type View, viewOf } from "./snapshots.ts";
import { crossFilter, drilled, TRAIL, trailFrom, WIDGET } from "./state.ts";
import { useInSight, useShown } from "./useBoard.ts";
import { SnapshotDialog, SqlDialog } from "./WidgetDialogs.tsx";

export interface Report {
  loading: boolean;
  asked: Asked | null;
}

interface Props {
  board: string;
  /** The title of a dashboard, by its name. */
  titleOf: (name: string) => string;
  document: DashboardDocument;
  widget: Widget;
  /** What the filters say now; null while that is being found. */
  settled: Settled | null;
  tables: Table[] | null;
  snapshots: Snapshot[];
  /** The snapshot of the page. */
  view: View;
  /** Asked even where it is out of sight. */
  wanted: boolean;
  onReport: (name: string, report: Report | null) => void;
}

export function WidgetCard(props: Props) {
  const { widget, settled, snapshots, tables } = props;
  const { ref, seen } = useInSight();
  const own = chosenName(place.value.query.get(WIDGET + widget.name), widget.snapshot);
  const view = own === null ? props.view : viewOf(own, snapshots);
  const missing = tables === null ? [] : lacking(widget.needs, tables);
  const wanted = (seen || props.wanted) && tables !== null && missing.length === 0;
  const showing = useShown(widget, settled, view, snapshots, wanted);
  const { shown, error, loading } = showing;
  const [open, setOpen] = useState<"sql" | "snapshot" | null>(null);
  useEffect(() => props.onReport(widget.name, { loading, asked: shown?.asked ?? null }), [loading, shown]);
  useEffect(() => () => props.onReport(widget.name, null), []);
  const picked = useRef(false);
  useEffect(() => {
    // The row whose button was pressed may be gone with the answer to what it asked for: the focus stays at the widget.
    if (picked.current && globalThis.document.activeElement === globalThis.document.body) ref.current?.focus();
    picked.current = false;
  }, [shown]);
  const { onPick } = pickOf(props);
  const choose = (row: Row) => {
    picked.current = true;
    onPick?.pick(row);
  };

  return (
    <article ref={(element) => void (ref.current = element)} class="widget card" tabIndex={-1} aria-label={widget.title} style={areaOf(widget.at)} aria-busy={loading} data-widget={widget.name} data-mark={widget.mark}>
      <header>
        <h2>{widget.title}</h2>
        {own !== null && <span class="badge">{view.known ? `snapshot ${view.known.number}, as of ${view.known.as_of}` : `snapshot ${own}`}</span>}
        <DrillLink board={props.board} widget={widget} titleOf={props.titleOf} />
      </header>
      {missing.length > 0 ? (
        <Missing needs={missing} />
      ) : error ? (
        <Failed error={error} onRetry={showing.reload} />
      ) : shown ? (
        <div class={loading ? "widget-body stale" : "widget-body"}>
          <Chart
            title={widget.title}
            spec={widget}
            result={shown.asked.answer}
            earlier={shown.earlier?.answer ?? null}
            csv={() => runCsv(shown.compiled.sql, shown.compiled.parameters, shown.asked.answer.snapshot.number)}
            {...(onPick ? { onPick: { label: onPick.label, pick: choose } } : {})}
            tools={
              <>
                <Button kind="quiet" onClick={() => setOpen("sql")}>
                  SQL
                </Button>
                <Button kind="quiet" onClick={() => setOpen("snapshot")}>
                  Snapshot
                </Button>
              </>
            }
          />
        </div>
      ) : (
        // What is out of sight is not asked for yet, and says nothing.
        loading && <Loading what={`${widget.title} is loading`} lines={widget.at.h > 2 ? 4 : 1} />
      )}
      {open === "sql" && shown && <SqlDialog widget={widget} shown={shown} onClose={() => setOpen(null)} />}
      {open === "snapshot" && (
        <SnapshotDialog
          title={widget.title}
          chosen={place.value.query.get(WIDGET + widget.name)}
          snapshots={snapshots}
          onChoose={(number) => {
            setQuery({ [WIDGET + widget.name]: number });
            announce(number ? `${widget.title} shows snapshot ${number}` : `${widget.title} follows the page`);
          }}
          onClose={() => setOpen(null)}
        />
      )}
    </article>
  );
}

function Missing({ needs }: { needs: string[] }) {
  return (
    <Empty title="This snapshot lacks what is shown here">
      {needs.map((need) => (
        <p key={need}>
          <code>{need}</code> comes with {toDeclare(need)}.
        </p>
      ))}
    </Empty>
  );
}

/** Where a drill leads that needs no row: a link beside the title. */
function DrillLink({ board, widget, titleOf }: Pick<Props, "board" | "widget" | "titleOf">) {
  const { drill } = widget;
  if (!drill || !("dashboard" in drill)) return null;
  const { query } = place.value;
  const values = drilled({}, {}, query);
  return (
    <a class="drill no-print" href={href(`/boards/${encodeURIComponent(drill.dashboard)}`, { ...values, [TRAIL]: trailFrom(board, query) })}>
      {titleOf(drill.dashboard)} →<span class="unseen"> from {widget.title}</span>
    </a>
  );
}

/** What choosing a part of the picture does. A click that filters here goes before one that leads away. */
function pickOf({ board, document, widget, settled, titleOf }: Props): { onPick?: { label: string; pick: (row: Row) => void } } {
  const { drill, cross_filter: by } = widget;
  if (by && Object.keys(by).length > 0) {
    const names = Object.keys(by).map((name) => document.filters?.find((filter) => filter.name === name)?.label ?? name);
    const pick = (row: Row) => {
      const changes = crossFilter(document.filters ?? [], by, row, settled?.values ?? {});
      setQuery(changes);
      const said = Object.values(changes).every((value) => value === null) ? "cleared" : "set";
      announce(`Filter ${names.join(", ")} ${said}`);
    };
    return { onPick: { label: `Filter ${names.join(", ")}`, pick } };
  }
  if (drill && "customer" in drill) {
    const pick = (row: Row) => {
      const key = row[drill.customer];
      if (typeof key === "string" || typeof key === "number") location.hash = href(customerPath(String(key)));
    };
    return { onPick: { label: "Open customer", pick } };
  }
  if (drill?.pass && Object.keys(drill.pass).length > 0) {
    const { pass } = drill;
    const pick = (row: Row) => {
      const { query } = place.value;
      location.hash = href(`/boards/${encodeURIComponent(drill.dashboard)}`, {
        ...drilled(pass, row, query),
        [TRAIL]: trailFrom(board, query),
      });
    };
    return { onPick: { label: `Open ${titleOf(drill.dashboard)}`, pick } };
  }
  return {};
}

