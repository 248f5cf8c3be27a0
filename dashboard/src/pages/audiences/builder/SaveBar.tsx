// Saves the audience as a file of the project, under its name.

import { useState } from "preact/hooks";
import { type ApiError, asApiError } from "../../../api/api.ts";
import { Button } from "../../../ui/Button.tsx";
import { TextField } from "../../../ui/Field.tsx";
import { Failed } from "../../../ui/States.tsx";
import { tell } from "../../../ui/Toast.tsx";
import { putFile } from "../api.ts";
import { fileOf, nameWrong, type Draft } from "./document.ts";
import type { Saved } from "./saved.ts";

interface Props {
  draft: Draft;
  saved: Saved;
  /** Names of other audiences. */
  taken: string[];
  /** Why it cannot be saved yet. */
  off: string | null;
  onSaved: (saved: Saved) => void;
}

export function SaveBar({ draft, saved, taken, off, onSaved }: Props) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const isNew = saved.base === null;
  const wrongName = isNew ? nameWrong(saved.name, taken) : null;
  const save = async () => {
    setBusy(true);
    setError(null);
    try {
      const answer = await putFile(saved.name, fileOf(draft), saved.base);
      onSaved({ ...saved, base: answer.hash, draft, hasComments: false });
      tell(`Saved as audiences/${saved.name}.yaml. The next refresh finds its members.`);
    } catch (thrown) {
      setError(asApiError(thrown));
    }
    setBusy(false);
  };
  const because = busy
    ? "it is being saved"
    : (off ?? wrongName ?? (draft === saved.draft ? "nothing was changed" : null));
  return (
    <>
      <div class="row end">
        {isNew && (
          <TextField
            label="Name of the audience"
            labelUnseen
            class="name"
            placeholder="name"
            autocomplete="off"
            spellcheck={false}
            value={saved.name}
            error={saved.name === "" ? null : wrongName}
            onValue={(name) => onSaved({ ...saved, name })}
          />
        )}
        <Button kind="primary" disabledBecause={because} onClick={() => void save()}>
          Save
        </Button>
      </div>
      {error && (
        <div class="whole-row">
          <Failed error={error} onRetry={() => void save()} />
        </div>
      )}
    </>
  );
}
