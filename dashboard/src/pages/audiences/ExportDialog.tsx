// All members of an audience as a CSV file, with the columns that somebody picks.

import { useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { runCsv } from "../../api/sql.ts";
import { at } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { download } from "../../chart/export.ts";
import { CheckField, TextField } from "../../ui/Field.tsx";
import { counted } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { tell, tellError } from "../../ui/Toast.tsx";
import { loadVocabulary } from "./api.ts";
import { exportSql } from "./queries.ts";

export function ExportDialog({ name, members, onClose }: { name: string; members: number; onClose: () => void }) {
  const names = useLoad((signal) => loadVocabulary(at.value, signal), [at.value]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [search, setSearch] = useState("");
  const [busy, setBusy] = useState(false);
  // A column of tiles has several values, and a field of CSV has one.
  const columns = (names.data?.columns ?? []).filter((column) => column.name !== "customer" && column.kind !== "tiles");
  const found = columns.filter((column) => column.name.toLowerCase().includes(search.trim().toLowerCase()));
  const save = async () => {
    setBusy(true);
    try {
      const file = await runCsv(
        exportSql(columns.filter((column) => chosen.has(column.name))),
        { audience: name },
        at.value,
      );
      download(`${name}.csv`, file);
      tell(`${counted(members, "member")} of ${name} exported`);
      onClose();
    } catch (thrown) {
      tellError(thrown);
      setBusy(false);
    }
  };
  const toggle = (column: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(column);
    else next.delete(column);
    setChosen(next);
  };
  return (
    <Dialog
      title={`Export ${counted(members, "member")} of ${name}`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabledBecause={busy ? "the file is being made" : null} onClick={() => void save()}>
            Export CSV
          </Button>
        </>
      }
    >
      <p>The file has the key, the group and the priority of each member, and the columns that are picked here.</p>
      <TextField label="Find a column" value={search} onValue={setSearch} />
      <Shown of={names} what="Columns are loading">
        {() => (
          <fieldset class="picked">
            <legend>{counted(chosen.size, "column")} picked</legend>
            {found.map((column) => (
              <CheckField
                key={column.name}
                label={column.name}
                checked={chosen.has(column.name)}
                onValue={(on) => toggle(column.name, on)}
              />
            ))}
            {found.length === 0 && <p class="quiet">No column has such a name.</p>}
          </fieldset>
        )}
      </Shown>
    </Dialog>
  );
}
