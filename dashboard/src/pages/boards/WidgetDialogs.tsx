// What a widget asked, exactly as it ran; and the choice of a snapshot for one widget.
import type { Snapshot } from "../../api/types.ts";
import type { Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { SelectField } from "../../ui/Field.tsx";
import { counted, duration, time } from "../../ui/format.ts";
import { snapshotLabel } from "../../ui/SnapshotPicker.tsx";
import { tell, tellError } from "../../ui/Toast.tsx";
import type { Shown } from "./useBoard.ts";

export function SqlDialog({ widget, shown, onClose }: { widget: Widget; shown: Shown; onClose: () => void }) {
  const { sql, parameters } = shown.compiled;
  const { answer, kept, milliseconds } = shown.asked;
  const names = Object.keys(parameters);
  const from = kept === "here" ? "kept in this page" : `${kept === "server" ? "kept by the server" : "computed"}, in ${duration(milliseconds / 1000)}`;
  return (
    <Dialog
      wide
      title={`SQL of ${widget.title}`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={() => navigator.clipboard.writeText(sql).then(() => tell("The SQL is copied"), tellError)}>Copy</Button>
          <Button kind="primary" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <div class="stack">
        <p class="quiet">
          Ran over snapshot {answer.snapshot.number}, as of {answer.snapshot.as_of}, published {time(answer.snapshot.published_at)}:{" "}
          {counted(answer.row_count, "row")}, {from}.
        </p>
        <pre tabIndex={0} aria-label="SQL">
          {sql.trim()}
        </pre>
        {names.length > 0 && (
          <table>
            <caption>Values of its parameters, which are bound and no part of the text</caption>
            <thead>
              <tr>
                <th scope="col">Parameter</th>
                <th scope="col">Value</th>
              </tr>
            </thead>
            <tbody>
              {names.map((name) => (
                <tr key={name}>
                  <th scope="row">
                    <code>${name}</code>
                  </th>
                  <td>
                    <code>{parameters[name] === null ? "NULL" : JSON.stringify(parameters[name])}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </Dialog>
  );
}

interface SnapshotProps {
  title: string;
  chosen: string | null;
  snapshots: Snapshot[];
  onChoose: (number: string | null) => void;
  onClose: () => void;
}

export function SnapshotDialog({ title, chosen, snapshots, onChoose, onClose }: SnapshotProps) {
  return (
    <Dialog title={`Snapshot of ${title}`} onClose={onClose}>
      <SelectField
        label="Snapshot of this widget alone"
        hint="The others go on with the snapshot of the page, so that the two can be seen side by side."
        value={chosen ?? ""}
        choices={[
          { value: "", label: "That of the page" },
          ...snapshots.map((snapshot) => ({ value: String(snapshot.number), label: snapshotLabel(snapshot) })),
        ]}
        onValue={(value) => onChoose(value || null)}
      />
    </Dialog>
  );
}
