// What the file says beside the rule: who they are, whose consent is needed, who is left out, who is held back.

import { Button } from "../../../ui/Button.tsx";
import { CheckField, SelectField, TextField, type Choice } from "../../../ui/Field.tsx";
import type { Vocabulary } from "../rule/vocabulary.ts";
import { draftFindings, type Draft, type Suppressed } from "./document.ts";

interface Props {
  draft: Draft;
  name: string;
  names: Vocabulary;
  onChange: (next: Partial<Draft>, about?: string) => void;
}

export function MetaFields({ draft, name, names, onChange }: Props) {
  const wrong = draftFindings(draft);
  const consents = names.columns
    .filter((column) => column.table === "dim_customer" && column.kind === "bool")
    .map((column) => column.column);
  const tiles = names.columns.filter((column) => column.isTile && column.kind === "whole").map((column) => column.name);
  return (
    <section class="card stack" aria-label="Beside the rule">
      <TextField
        label="Description"
        hint="Who they are, in a sentence"
        value={draft.description}
        onValue={(description) => onChange({ description }, "description")}
      />
      <div class="meta-fields">
        <SelectField
          label="Consent"
          hint="An attribute that has to be true; no value is no consent"
          value={draft.consent}
          choices={choices("none is asked for", consents, draft.consent)}
          onValue={(consent) => onChange({ consent })}
        />
        <TextField
          label="Held back"
          hint="A share of the members, such as 0.1; empty for nobody"
          inputMode="decimal"
          value={draft.fraction}
          error={wrong.fraction ?? null}
          onValue={(fraction) => onChange({ fraction }, "fraction")}
        />
        <SelectField
          label="The same share of each tile of"
          value={draft.stratifyBy}
          choices={choices("no column", tiles, draft.stratifyBy)}
          onValue={(stratifyBy) => onChange({ stratifyBy })}
          disabled={draft.fraction.trim() === ""}
        />
        <TextField
          label="Priority"
          hint="Where somebody is in several audiences, the smallest goes first; 100 when empty"
          inputMode="numeric"
          value={draft.priority}
          error={wrong.priority ?? null}
          onValue={(priority) => onChange({ priority }, "priority")}
        />
      </div>
      <CheckField
        label="Live: members are also found between refreshes, as events come"
        checked={draft.live === true}
        onValue={(live) => onChange({ live })}
      />
      <Suppression
        draft={draft}
        name={name}
        names={names}
        error={wrong.suppress ?? null}
        onSuppress={(suppress, about) => onChange({ suppress }, about)}
      />
    </section>
  );
}

/** What there is, and what was chosen though it is not there, such as an audience that no snapshot has yet. */
function choices(none: string, values: string[], chosen: string, label = (value: string) => value): Choice[] {
  const all = values.includes(chosen) || chosen === "" ? values : [...values, chosen];
  return [{ value: "", label: none }, ...all.map((value) => ({ value, label: label(value) }))];
}

interface SuppressionProps {
  draft: Draft;
  name: string;
  names: Vocabulary;
  error: string | null;
  onSuppress: (suppress: Suppressed[], about?: string) => void;
}

function Suppression({ draft, name, names, error, onSuppress }: SuppressionProps) {
  const { suppress } = draft;
  const others = names.audiences.filter((one) => one !== name);
  const set = (place: number, one: Suppressed, about?: string) =>
    onSuppress(
      suppress.map((before, at) => (at === place ? one : before)),
      about,
    );
  return (
    <fieldset>
      <legend>Never in it</legend>
      {suppress.length === 0 && <p class="quiet">Nobody is left out beside the rule.</p>}
      <ul class="plain-list">
        {suppress.map((one, place) => (
          <li key={place} class="row">
            {"audience" in one ? (
              <SelectField
                label={`Left out, ${place + 1}: members of the audience`}
                labelUnseen
                value={one.audience}
                choices={choices("choose an audience", others, one.audience, (other) => `members of ${other}`)}
                onValue={(audience) => set(place, { audience })}
              />
            ) : (
              <TextField
                label={`Left out, ${place + 1}: customers of the list`}
                labelUnseen
                placeholder="lists/blocked.txt"
                value={one.list}
                onValue={(list) => set(place, { list }, `suppress ${place}`)}
              />
            )}
            <Button
              kind="quiet"
              aria-label={`Leave out no more: ${"audience" in one ? one.audience : one.list}`}
              onClick={() => onSuppress(suppress.filter((_, at) => at !== place))}
            >
              ✕
            </Button>
          </li>
        ))}
      </ul>
      {error && <p class="field-error">{error}</p>}
      <div class="row">
        <Button
          kind="quiet"
          disabledBecause={others.length === 0 ? "there is no other audience" : null}
          onClick={() => onSuppress([...suppress, { audience: others[0] ?? "" }])}
        >
          + Members of an audience
        </Button>
        <Button kind="quiet" onClick={() => onSuppress([...suppress, { list: names.lists[0] ?? "" }])}>
          + Customers of a list
        </Button>
      </div>
    </fieldset>
  );
}
