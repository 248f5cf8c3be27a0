// Chooses values of a column to keep or to leave out, from those that there are, NULL among them.

import { useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { runSql } from "../../api/sql.ts";
import { named } from "../../spec/compile.ts";
import type { Operator, Scalar } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { CheckField, TextField } from "../../ui/Field.tsx";
import { counted, number } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { scalar } from "../boards/state.ts";
import type { Source } from "./columns.ts";
import { type Trial, useLater } from "./preview.ts";

interface Props {
  source: Source;
  trial: Trial;
  op: Operator;
  values: Scalar[];
  onChoose: (op: "in" | "not_in", values: Scalar[]) => void;
  onClose: () => void;
}

/** How many values are shown; the search finds the others. */
const SHOWN = 200;

export function ValuesDialog({ source, trial, op, values, onChoose, onClose }: Props) {
  const [exclude, setExclude] = useState(op === "not_in" || op === "!=");
  const [chosen, setChosen] = useState<Scalar[]>(values);
  const [words, setWords] = useState("");
  const searched = useLater(words);
  const column = source.column ?? "";
  const found = useLoad(
    (signal) => {
      const own = named(column);
      const where = searched ? ` WHERE strpos(lower(CAST(${own} AS VARCHAR)), lower($words)) > 0` : "";
      // Days from the newest on; all else with what is there most often first.
      const order = /^(Date|Timestamp)/.test(source.type ?? "") ? `${own} DESC NULLS LAST` : `"rows" DESC, ${own} NULLS LAST`;
      const sql = `SELECT ${own} AS "value", count(*) AS "rows" FROM ${named(source.table)}${where} GROUP BY ${own} ORDER BY ${order} LIMIT ${SHOWN + 1}`;
      return runSql(sql, searched ? { words: searched } : {}, trial.page, signal);
    },
    [source.table, column, searched, trial.page],
  );
  const has = (value: Scalar) => chosen.includes(value);
  const toggle = (value: Scalar, on: boolean) => setChosen(on ? [...chosen, value] : chosen.filter((one) => one !== value));
  return (
    <Dialog
      title={`Filter by ${column}`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            disabledBecause={chosen.length === 0 ? "no value is chosen" : null}
            onClick={() => onChoose(exclude ? "not_in" : "in", chosen)}
          >
            {exclude ? "Leave out" : "Keep only"} {counted(chosen.length, "value")}
          </Button>
        </>
      }
    >
      <div class="stack">
        <fieldset class="row">
          <legend>Rows with these values</legend>
          <label class="check">
            <input type="radio" name="include" checked={!exclude} onChange={() => setExclude(false)} />
            <span>are kept</span>
          </label>
          <label class="check">
            <input type="radio" name="include" checked={exclude} onChange={() => setExclude(true)} />
            <span>are left out</span>
          </label>
        </fieldset>
        <TextField label="Search values" type="search" value={words} onValue={setWords} />
        {chosen.length > 0 && <p class="quiet">Chosen: {chosen.map(valueText).join(", ")}</p>}
        <Shown of={found} what="The values are loading">
          {(answer) => {
            const rows = answer.rows.slice(0, SHOWN).map((row) => ({ value: scalar(row.value), count: Number(row.rows) }));
            const all = rows.map((row) => row.value);
            return (
              <>
                <div class="row">
                  <Button kind="quiet" onClick={() => setChosen([...new Set([...chosen, ...all])])}>
                    All shown
                  </Button>
                  <Button kind="quiet" onClick={() => setChosen([])}>
                    None
                  </Button>
                </div>
                <fieldset class="compose-values">
                  <legend class="unseen">Values of {column}</legend>
                  {rows.map((row) => (
                    <div class="row" key={JSON.stringify(row.value)}>
                      <CheckField label={valueText(row.value)} checked={has(row.value)} onValue={(on) => toggle(row.value, on)} />
                      <span class="quiet row-end">{number(row.count)}</span>
                    </div>
                  ))}
                  {rows.length === 0 && <p class="quiet">There is no such value.</p>}
                </fieldset>
                {answer.rows.length > SHOWN && <p class="quiet">These are the first {SHOWN}: search for others.</p>}
              </>
            );
          }}
        </Shown>
      </div>
    </Dialog>
  );
}

export function valueText(value: Scalar): string {
  return value === null ? "NULL" : value === "" ? "(empty text)" : String(value);
}
