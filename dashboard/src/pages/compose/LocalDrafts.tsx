// Drafts that the server did not take and this browser keeps: what is said of them while somebody works on one, and
// what is offered when the composer opens again.

import { useState } from "preact/hooks";
import type { SavedDashboard } from "../../api/dashboards.ts";
import { href } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { time } from "../../ui/format.ts";
import { Partial } from "../../ui/States.tsx";
import type { Editor } from "./editor.ts";
import { type LocalDraft, localDraft, localNames } from "./local.ts";

/** Where the work is, while the server has not got it. */
export function KeptHere({ editor }: { editor: Editor }) {
  const local = editor.local.value;
  if (local === null) return null;
  return (
    <Partial>
      The server did not take this draft; this browser keeps it as it was at {time(local.at)}, and nobody else sees it. It is offered when the composer opens
      here again, and dropped once the dashboard is saved.
    </Partial>
  );
}

interface OfferProps {
  name: string;
  local: LocalDraft;
  /** What is on the server under this name. */
  saved: SavedDashboard | null;
  onResume: () => void;
  onDrop: () => void;
}

/** Asks what is to become of a draft, before anything else is done with its dashboard. */
export function Offer({ name, local, saved, onResume, onDrop }: OfferProps) {
  const [asked, setAsked] = useState(false);
  return (
    <section class="card compose-start stack">
      <h1>{local.document.title || name}</h1>
      <p>This browser keeps a draft of this dashboard that the server did not take, of {time(local.at)}.</p>
      {local.base !== (saved?.hash ?? null) && (
        <p>What is on the server is not what it was made from any more: both are shown before it replaces anything.</p>
      )}
      <div class="row">
        <Button kind="primary" onClick={onResume}>
          Go on with it
        </Button>
        <Button kind="danger" onClick={() => setAsked(true)}>
          Throw it away
        </Button>
        <a href={href(saved ? `/boards/${name}` : "/boards")}>Back</a>
      </div>
      {asked && (
        <Confirm title="Throw this draft away?" action="Throw away" danger onConfirm={onDrop} onClose={() => setAsked(false)}>
          <p>It is in this browser alone, and cannot be brought back.</p>
        </Confirm>
      )}
    </section>
  );
}

/** The drafts of dashboards that are not on the server: no list but this one has them. */
export function OnlyHere({ known }: { known: string[] }) {
  const [names] = useState(() => localNames().filter((name) => !known.includes(name)));
  if (names.length === 0) return null;
  return (
    <>
      <h2>Drafts that this browser alone keeps</h2>
      <ul>
        {names.map((name) => (
          <li key={name}>
            <a href={href(`/compose/${name}`)}>{localDraft(name)?.document.title || name}</a>
          </li>
        ))}
      </ul>
    </>
  );
}
