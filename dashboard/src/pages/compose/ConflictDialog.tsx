// Somebody else changed the dashboard meanwhile: both are shown, line by line, and one of them is chosen.

import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { tell, tellError } from "../../ui/Toast.tsx";
import { compareLines } from "./diff.ts";
import type { Editor } from "./editor.ts";
import { toYaml } from "./yaml.ts";

export function ConflictDialog({ editor }: { editor: Editor }) {
  const conflict = editor.conflict.value;
  if (!conflict) return null;
  const { theirs, draft } = conflict;
  const mine = toYaml(editor.document.value);
  const other = theirs ? toYaml(theirs.document) : "";
  const keepMine = () =>
    editor.saveOver().then(
      (kept) => kept && tell(draft ? "Your draft is saved in the place of the other" : "Yours is published in the place of the other"),
      tellError,
    );
  return (
    <Dialog
      title="Somebody else changed this dashboard"
      wide
      onClose={() => (editor.conflict.value = null)}
      actions={
        <>
          <Button onClick={() => (editor.conflict.value = null)}>Go on without saving</Button>
          <Button disabledBecause={theirs ? null : "it was deleted"} onClick={() => editor.takeTheirs()}>
            Take theirs
          </Button>
          <Button kind="danger" onClick={() => void keepMine()}>
            Keep mine instead
          </Button>
        </>
      }
    >
      <p>
        {theirs
          ? `What is ${theirs.draft ? "in the draft" : "published"} now is not what you began from. These lines differ:`
          : "It was deleted since you began. This is yours:"}
      </p>
      <table class="compose-diff">
        <caption class="unseen">Lines of both, those that differ marked</caption>
        <thead>
          <tr>
            <th scope="col">Whose</th>
            <th scope="col">Line</th>
          </tr>
        </thead>
        <tbody>
          {compareLines(other.split("\n"), mine.split("\n")).map((line, i) => (
            <tr key={i} class={line.whose}>
              <td>{line.whose === "both" ? "" : line.whose}</td>
              <td>
                <code>{line.text}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="quiet">Taking theirs can be undone: undo brings yours back.</p>
    </Dialog>
  );
}
