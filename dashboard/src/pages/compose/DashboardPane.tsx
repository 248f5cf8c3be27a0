// What the dashboard says of itself: its title, what it is about, and the snapshot that it shows.

import type { Snapshot } from "../../api/types.ts";
import type { DashboardDocument, SnapshotName } from "../../spec/types.ts";
import { Field, SelectField, TextField } from "../../ui/Field.tsx";
import { snapshotLabel } from "../../ui/SnapshotPicker.tsx";
import type { Editor } from "./editor.ts";

export function DashboardPane({ editor, snapshots }: { editor: Editor; snapshots: Snapshot[] }) {
  const document = editor.document.value;
  return (
    <div class="card stack compose-form">
      <TextField
        label="Title"
        value={document.title}
        onValue={(title) => editor.change((now) => ({ ...now, title }), "title")}
        onBlur={() => editor.settle()}
      />
      <Field label="Description" hint="What it shows, in a sentence or two.">
        {(ids) => (
          <textarea
            {...ids}
            rows={3}
            value={document.description ?? ""}
            onInput={(event) => {
              const text = event.currentTarget.value;
              editor.change(({ description: _, ...now }) => ({ ...now, ...(text === "" ? {} : { description: text }) }), "description");
            }}
            onBlur={() => editor.settle()}
          />
        )}
      </Field>
      <SnapshotField
        label="Snapshot"
        hint="What is shown while the page chooses none."
        value={document.snapshot}
        none="The newest"
        snapshots={snapshots}
        onValue={(snapshot) =>
          editor.change(({ snapshot: _, ...now }): DashboardDocument => ({ ...now, ...(snapshot === undefined ? {} : { snapshot }) }))
        }
      />
    </div>
  );
}

interface SnapshotProps {
  label: string;
  hint: string;
  value: SnapshotName | undefined;
  /** What it is without a choice. */
  none: string;
  snapshots: Snapshot[];
  onValue: (value: SnapshotName | undefined) => void;
}

export function SnapshotField({ label, hint, value, none, snapshots, onValue }: SnapshotProps) {
  const text = value === undefined ? "" : String(value);
  const tags = [...new Set(snapshots.flatMap((snapshot) => snapshot.tags))];
  const known = [...snapshots.map((snapshot) => String(snapshot.number)), ...tags, "latest", ""];
  return (
    <SelectField
      label={label}
      hint={hint}
      value={text}
      choices={[
        { value: "", label: none },
        { value: "latest", label: "latest" },
        ...(known.includes(text) ? [] : [{ value: text, label: text }]),
        ...tags.map((tag) => ({ value: tag, label: `tag ${tag}` })),
        ...snapshots.map((snapshot) => ({ value: String(snapshot.number), label: snapshotLabel(snapshot) })),
      ]}
      onValue={(next) => onValue(next === "" ? undefined : /^\d+$/.test(next) ? Number(next) : next)}
    />
  );
}
