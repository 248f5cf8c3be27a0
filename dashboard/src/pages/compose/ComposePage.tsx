// The composer's page: opens a dashboard to edit, or asks what a new one or a copy is to be called.

import { useEffect, useState } from "preact/hooks";
import { type DashboardList, getDashboard, listDashboards, type SavedDashboard } from "../../api/dashboards.ts";
import { useLoad } from "../../api/load.ts";
import { href, navigate, place } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { NAME, NAME_WORDS } from "../../spec/check.ts";
import { Button } from "../../ui/Button.tsx";
import { TextField } from "../../ui/Field.tsx";
import { Empty, Shown } from "../../ui/States.tsx";
import { Composer } from "./Composer.tsx";
import { freeName } from "./columns.ts";
import { Editor } from "./editor.ts";
import { Offer, OnlyHere } from "./LocalDrafts.tsx";
import { forgetLocal, type LocalDraft, localDraft } from "./local.ts";
import { ReadOnly } from "./ReadOnly.tsx";
import "./compose.css";

/** The last part of the address that asks for a new dashboard. */
const NEW = "new";

export default function ComposePage({ parts }: PageProps) {
  const name = parts.name ?? NEW;
  return <Opened key={name} name={name} />;
}

interface Found {
  list: DashboardList;
  /** What is worked on under this name. */
  saved: SavedDashboard | null;
  published: boolean;
  /** What a new one begins as. */
  source: SavedDashboard | null;
}

async function find(name: string, from: string | null, signal: AbortSignal): Promise<Found> {
  const list = await listDashboards(signal);
  const listed = list.dashboards.find((one) => one.name === name);
  // Drafts are for those who may write.
  const saved = listed ? await getDashboard(name, list.writable, signal) : null;
  const source = from !== null && !saved ? await getDashboard(from, false, signal) : null;
  return { list, saved, published: listed ? (listed.published ?? !saved?.draft) : false, source };
}

/** What is worked on: what is on the server, or a new one of the title in the address. Null where there is neither. */
function editorOf(name: string, { list, saved, published, source }: Found, asked: string | null): Editor | null {
  const origin = { kept: saved, published, writable: list.writable };
  if (saved) return new Editor(name, saved.document, origin);
  const title = asked ?? source?.document.title;
  if (title === undefined) return null;
  return new Editor(name, { ...source?.document, title, widgets: source?.document.widgets ?? [] }, origin);
}

function Opened({ name }: { name: string }) {
  const { query } = place.value;
  const from = query.get("from");
  const title = query.get("title");
  const found = useLoad((signal) => find(name, from, signal), [name]);
  const [editor, setEditor] = useState<Editor | null>(null);
  const [local, setLocal] = useState(() => (name === NEW ? null : localDraft(name)));
  const data = found.data;
  const fromTenfold = data?.saved?.origin === "tenfold";
  useEffect(() => {
    if (!data || name === NEW) return;
    // What was changed since the page was opened is not lost when another token shows more.
    if (editor) editor.writable.value = data.list.writable;
    else if (!local && !fromTenfold) setEditor(editorOf(name, data, title));
  }, [data, local]);

  if (editor) return <Composer editor={editor} dashboards={data?.list.dashboards ?? []} />;
  const resume = (found: Found, draft: LocalDraft) => {
    const resumed = editorOf(name, found, title) ?? new Editor(name, draft.document, { kept: null, published: false, writable: found.list.writable });
    resumed.resume(draft);
    setEditor(resumed);
  };
  const drop = () => {
    forgetLocal(name);
    setLocal(null);
  };
  return (
    <Shown of={found} what="The dashboard is loading" lines={8}>
      {(all) =>
        local ? (
          <Offer name={name} local={local} saved={all.saved} onResume={() => resume(all, local)} onDrop={drop} />
        ) : name === NEW ? (
          <Start list={all.list} source={null} />
        ) : fromTenfold && all.saved ? (
          <Start list={all.list} source={all.saved} />
        ) : !all.saved && from === null && !title ? (
          <Empty title={`There is no dashboard ${name}`}>
            <p>
              <a href={href(`/compose/${NEW}`)}>Make a new one</a>
            </p>
          </Empty>
        ) : null
      }
    </Shown>
  );
}

/** Asks for the title and the name of a new dashboard, or of a copy of one that comes with Tenfold. */
function Start({ list, source }: { list: DashboardList; source: SavedDashboard | null }) {
  const taken = list.dashboards.map((one) => one.name);
  const [title, setTitle] = useState(source ? source.document.title : "");
  const [name, setName] = useState(source ? freeName(`${source.name}_2`, taken) : "");
  const [typed, setTyped] = useState(source !== null);
  const [tried, setTried] = useState(false);
  const wrong = !NAME.test(name)
    ? NAME_WORDS
    : name === NEW || taken.includes(name)
      ? "There is a dashboard of this name already."
      : null;
  const untitled = title.trim() === "" ? "A dashboard has a title." : null;
  const go = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong === null && untitled === null) navigate(`/compose/${name}`, { title, from: source?.name ?? null });
  };
  return (
    <form class="card compose-start stack" onSubmit={go} noValidate>
      <h1>{source ? `A copy of ${source.document.title}` : "A new dashboard"}</h1>
      {source && <p class="quiet">This dashboard comes with Tenfold and stays as it is. A copy belongs to the project and can be changed.</p>}
      {!list.writable && <ReadOnly />}
      <TextField
        label="Title"
        value={title}
        error={tried ? untitled : null}
        onValue={(text) => {
          setTitle(text);
          if (!typed) setName(nameFrom(text));
        }}
      />
      <TextField
        label="Name"
        hint="It stands in addresses, and is the name of the file."
        value={name}
        error={tried ? wrong : null}
        onValue={(text) => {
          setName(text);
          setTyped(true);
        }}
      />
      <div class="row">
        <Button kind="primary" type="submit">
          {source ? "Make a copy" : "Begin"}
        </Button>
        <a href={href(source ? `/boards/${source.name}` : "/boards")}>Back</a>
      </div>
      {!source && <OnlyHere known={taken} />}
    </form>
  );
}

/** A title as a name. */
function nameFrom(title: string): string {
  return title
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, 64);
}
