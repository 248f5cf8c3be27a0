// One value or several that something is compared with, in the field that fits its kind.

import { useId, useState } from "preact/hooks";
import { Button } from "../../../ui/Button.tsx";
import { CheckField, SelectField, TextField } from "../../../ui/Field.tsx";
import { digitsOf, isDigits, type Scalar } from "../rule/model.ts";
import { scalarText } from "../rule/text.ts";
import type { Kinds } from "../rule/vocabulary.ts";

/** Values that are few enough to be ticked. */
const TICKED = 12;

export interface ValueProps {
  label: string;
  kind: Kinds | null;
  value: Scalar;
  /** Values that the snapshot has, as far as they are known. */
  known: string[];
  onValue: (value: Scalar) => void;
}

/** What is shown of a value while it is typed. */
function typed(value: Scalar): string {
  return isDigits(value) ? value.digits : String(value);
}

/** A field with values that there are as proposals. */
function Proposing({ known, ...field }: Parameters<typeof TextField>[0] & { known: string[] }) {
  const list = useId();
  return (
    <>
      <TextField labelUnseen autocomplete="off" {...field} {...(known.length > 0 ? { list } : {})} />
      {known.length > 0 && (
        <datalist id={list}>
          {known.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </>
  );
}

/** A value of a kind; a text that is none stays as it was typed, and is found to be wrong. */
export function scalarOf(text: string, kind: Kinds | null): Scalar {
  if (kind === "whole" || kind === "number" || kind === "tiles") return digitsOf(text) ?? text;
  if (kind !== null) return text;
  // Of a column whose kind is not known: what it looks like, and a text when it stands in quotes.
  const inQuotes = /^'(.*)'$/.exec(text)?.[1];
  if (inQuotes !== undefined) return inQuotes.replaceAll("''", "'");
  return text === "true" || text === "false" ? text === "true" : (digitsOf(text) ?? text);
}

export function ValueField({ label, kind, value, known, onValue }: ValueProps) {
  // A number is shown as it was typed, not in its one form, as long as it is the same number.
  const [last, setLast] = useState(typed(value));
  const isSame = JSON.stringify(scalarOf(last, kind)) === JSON.stringify(value);
  const shown = isSame ? last : typed(value);
  const type = (text: string) => {
    setLast(text);
    onValue(scalarOf(text, kind));
  };
  if (kind === "bool") {
    const choices = [
      { value: "true", label: "true" },
      { value: "false", label: "false" },
    ];
    return (
      <SelectField
        label={label}
        labelUnseen
        value={String(value)}
        choices={choices}
        onValue={(text) => onValue(text === "true")}
      />
    );
  }
  if (kind === "date") return <TextField label={label} labelUnseen type="date" value={typed(value)} onValue={type} />;
  const isNumber = kind === "whole" || kind === "number" || kind === "tiles";
  return (
    <Proposing
      label={label}
      class={isNumber ? "short" : "value"}
      {...(isNumber ? { inputMode: "decimal" as const } : {})}
      known={known}
      value={shown}
      onValue={type}
    />
  );
}

interface SeveralProps {
  label: string;
  kind: Kinds | null;
  values: Scalar[];
  known: string[];
  onValues: (values: Scalar[]) => void;
}

/** Several values: those that are known are ticked, where they are few; others are added. */
export function SeveralField({ label, kind, values, known, onValues }: SeveralProps) {
  const [text, setText] = useState("");
  const has = (value: Scalar) => values.some((one) => scalarText(one) === scalarText(value));
  const ticked = known.length > 0 && known.length <= TICKED ? known : [];
  const others = values.filter((value) => !(typeof value === "string" && ticked.includes(value)));
  const without = (value: Scalar) => values.filter((one) => scalarText(one) !== scalarText(value));
  const add = (lines: string[]) => {
    const given = lines.map((line) => line.trim()).filter((line) => line !== "");
    const all = [...values, ...given.map((line) => scalarOf(line, kind))];
    const byText = new Map(all.map((value) => [scalarText(value), value]));
    onValues([...byText.values()]);
  };
  return (
    <div class="several" role="group" aria-label={label}>
      {ticked.map((one) => (
        <CheckField
          key={one}
          label={one === "" ? "(empty)" : one}
          checked={has(one)}
          onValue={(on) => onValues(on ? [...values, one] : without(one))}
        />
      ))}
      {others.map((value) => (
        <span key={scalarText(value)} class="chip">
          {typed(value) || "(empty)"}
          <button type="button" aria-label={`Take out ${scalarText(value)}`} onClick={() => onValues(without(value))}>
            ✕
          </button>
        </span>
      ))}
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          add([text]);
          setText("");
        }}
        onPaste={(event) => {
          // A list comes line by line, which a field of one line would lose.
          const pasted = event.clipboardData?.getData("text") ?? "";
          if (!/[\n\r\t]/.test(pasted.trim())) return;
          event.preventDefault();
          add(pasted.split(/[\n\r\t]+/));
        }}
      >
        <Proposing
          label={`Another value, ${label}`}
          type={kind === "date" ? "date" : "text"}
          class="value"
          placeholder="another value"
          known={ticked.length > 0 ? [] : known}
          value={text}
          onValue={setText}
        />
        <Button type="submit" disabledBecause={text.trim() === "" ? "type a value first" : null}>
          Add
        </Button>
      </form>
    </div>
  );
}
