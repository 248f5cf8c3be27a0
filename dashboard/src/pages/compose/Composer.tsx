// A dashboard that is edited: what can be done with the whole of it, and either its layout, its filters, its own
// properties, or one of its widgets.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { DashboardSummary } from "../../api/dashboards.ts";
import { useLoad } from "../../api/load.ts";
import { listSnapshots, listTables } from "../../api/sql.ts";
import { download } from "../../chart/export.ts";
import { at, guardLeaving, href, navigate, place, setQuery } from "../../location.ts";
import { Button, LinkButton } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { Empty, Failed, Loading } from "../../ui/States.tsx";
import { Tabs } from "../../ui/Tabs.tsx";
import { announce, tell, tellError } from "../../ui/Toast.tsx";
import { FilterBar } from "../boards/FilterBar.tsx";
import { chosenName, viewOf } from "../boards/snapshots.ts";
import { useSettled } from "../boards/useBoard.ts";
import { Canvas } from "./Canvas.tsx";
import { ConflictDialog } from "./ConflictDialog.tsx";
import { DashboardPane } from "./DashboardPane.tsx";
import type { Editor } from "./editor.ts";
import { FiltersPane } from "./FiltersPane.tsx";
import { Findings } from "./Findings.tsx";
import { KeptHere } from "./LocalDrafts.tsx";
import { type Trial, useLater } from "./preview.ts";
import { ReadOnly } from "./ReadOnly.tsx";
import { WidgetView } from "./WidgetView.tsx";
import { toYaml } from "./yaml.ts";
import "../boards/boards.css";

const LEAVE = "There are changes that are not saved. Leave this page and lose them?";

export function Composer({ editor, dashboards }: { editor: Editor; dashboards: DashboardSummary[] }) {
  const document = editor.document.value;
  const atRisk = editor.atRisk.value;
  const [tab, setTab] = useState("layout");
  useEffect(() => {
    guardLeaving(atRisk ? () => confirm(LEAVE) : null);
    return () => guardLeaving(null);
  }, [atRisk]);
  useUndoKeys(editor);
  useEffect(() => {
    globalThis.document.title = `${document.title || editor.name} · Tenfold`;
  }, [document.title]);

  const snapshots = useLoad((signal) => listSnapshots(signal), []);
  const view = viewOf(chosenName(at.value, document.snapshot), snapshots.data ?? []);
  const tables = useLoad((signal) => listTables(view.at === null ? null : String(view.at), signal), [view.at]);
  // What filters offer depends on them alone, not on the words that are typed elsewhere in the document.
  const written = useLater(document.filters);
  const filtered = useMemo(() => ({ title: "", widgets: [], filters: written ?? [] }), [written]);
  const settled = useSettled(filtered, place.value.query, tables.data, snapshots.data ?? [], view);
  const trial: Trial | null =
    settled && tables.data && snapshots.data ? { tables: tables.data, snapshots: snapshots.data, page: view.at, settled } : null;

  const { query } = place.value;
  const widget = editor.widget(query.get("widget") ?? "");
  const findings = editor.findings.value;
  const failed = snapshots.error ?? tables.error;
  return (
    <div class="compose">
      <Head editor={editor} />
      {!editor.writable.value && <ReadOnly />}
      <KeptHere editor={editor} />
      {failed && <Failed error={failed} onRetry={snapshots.error ? snapshots.reload : tables.reload} />}
      {editor.conflict.value && <ConflictDialog editor={editor} />}
      {!trial ? (
        !failed && <Loading what="The tables are loading" lines={8} />
      ) : trial.snapshots.length === 0 ? (
        <Empty title="There is no snapshot yet">
          <p>The first refresh makes one; then there is something to show.</p>
        </Empty>
      ) : widget ? (
        <>
          <FilterBar filters={document.filters ?? []} settled={settled} />
          <WidgetView key={widget.name} editor={editor} widget={widget} trial={trial} dashboards={dashboards} />
        </>
      ) : (
        <Tabs
          label="Parts of the dashboard"
          chosen={tab}
          onChoose={setTab}
          tabs={[
            { id: "layout", label: "Widgets" },
            { id: "filters", label: `Filters (${document.filters?.length ?? 0})` },
            { id: "dashboard", label: "Title and snapshot" },
            { id: "findings", label: findings.length === 0 ? "Nothing to mend" : `To mend (${findings.length})` },
          ]}
        >
          {tab === "layout" && (
            <>
              <FilterBar filters={document.filters ?? []} settled={settled} />
              <Canvas editor={editor} trial={trial} />
            </>
          )}
          {tab === "filters" && <FiltersPane editor={editor} trial={trial} />}
          {tab === "dashboard" && <DashboardPane editor={editor} snapshots={trial.snapshots} />}
          {tab === "findings" && <Findings findings={findings} onPart={setTab} onWidget={(name) => setQuery({ widget: name })} />}
        </Tabs>
      )}
    </div>
  );
}

function Head({ editor }: { editor: Editor }) {
  const document = editor.document.value;
  const [asked, setAsked] = useState<"publish" | "discard" | null>(null);
  const kept = editor.kept.value;
  const history = editor.history.value;
  const writable = editor.writable.value;
  const busy = editor.busy.value ? "it is being saved" : null;
  const unsaved = writable ? busy : "nothing can be saved from here";
  const findings = editor.findings.value.length;

  const save = async (draft: boolean) => {
    setAsked(null);
    try {
      if (await editor.save(draft)) tell(draft ? "The draft is saved" : "It is published: everybody sees it");
    } catch (thrown) {
      tellError(thrown);
    }
  };
  const discard = async () => {
    setAsked(null);
    try {
      const left = await editor.discardDraft();
      tell("The draft is deleted");
      if (left === null) {
        guardLeaving(null);
        navigate("/boards");
      }
    } catch (thrown) {
      tellError(thrown);
    }
  };
  return (
    <div class="page-head">
      <h1>{document.title || "Without a title"}</h1>
      <State editor={editor} />
      <div class="actions row">
        <Button kind="quiet" disabledBecause={history.past.length === 0 ? "there is nothing to undo" : null} onClick={() => undo(editor)}>
          Undo
        </Button>
        <Button kind="quiet" disabledBecause={history.future.length === 0 ? "there is nothing to redo" : null} onClick={() => redo(editor)}>
          Redo
        </Button>
        <Button kind="quiet" onClick={() => download(`${editor.name}.yaml`, new Blob([toYaml(document)], { type: "application/yaml" }))}>
          YAML
        </Button>
        {kept && <LinkButton href={href(`/boards/${editor.name}`, kept.draft ? { draft: "true" } : {})}>View</LinkButton>}
        {kept?.draft && (
          <Button kind="danger" disabledBecause={unsaved} onClick={() => setAsked("discard")}>
            Discard draft
          </Button>
        )}
        <Button disabledBecause={unsaved ?? (editor.dirty.value ? null : "nothing has changed")} onClick={() => void save(true)}>
          Save draft
        </Button>
        <Button
          kind="primary"
          disabledBecause={
            unsaved ??
            (findings > 0 ? "there is something to mend" : null) ??
            (editor.dirty.value || kept?.draft ? null : "nothing has changed")
          }
          onClick={() => setAsked("publish")}
        >
          Publish
        </Button>
      </div>
      {asked === "publish" && (
        <Confirm title="Publish this dashboard?" action="Publish" onConfirm={() => void save(false)} onClose={() => setAsked(null)}>
          <p>
            Everybody who may look at dashboards sees it as it is now, under the name <code>{editor.name}</code>.
          </p>
        </Confirm>
      )}
      {asked === "discard" && (
        <Confirm title="Discard the draft?" action="Discard" danger onConfirm={() => void discard()} onClose={() => setAsked(null)}>
          <p>{editor.published.value ? "What everybody sees stays as it is." : "It was never published: nothing is left of it."}</p>
        </Confirm>
      )}
    </div>
  );
}

function State({ editor }: { editor: Editor }) {
  const kept = editor.kept.value;
  const [kind, text] = editor.atRisk.value
    ? ["warn", "not saved"]
    : editor.dirty.value
      ? ["warn", "kept in this browser"]
      : kept?.draft
        ? ["warn", "draft"]
        : ["good", "published"];
  return (
    <span class={`badge ${kind}`} role="status">
      {text}
    </span>
  );
}

function undo(editor: Editor): void {
  editor.undo();
  announce("Undone");
}

function redo(editor: Editor): void {
  editor.redo();
  announce("Done again");
}

/** Undo and redo by keys, but where a text field has its own. */
function useUndoKeys(editor: Editor): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      if (!(event.ctrlKey || event.metaKey) || target?.closest("input, textarea, dialog")) return;
      const key = event.key.toLowerCase();
      if (key === "z" && !event.shiftKey) undo(editor);
      else if (key === "y" || (key === "z" && event.shiftKey)) redo(editor);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [editor]);
}
