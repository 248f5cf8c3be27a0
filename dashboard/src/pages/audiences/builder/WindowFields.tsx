// Days that count: the last days or months before the snapshot, or from one day to another.

import { SelectField, TextField } from "../../../ui/Field.tsx";
import type { Window } from "../rule/model.ts";

const CHOICES = [
  { value: "last_days", label: "the last days" },
  { value: "last_months", label: "the last months" },
  { value: "between", label: "from a day to another" },
];

interface Props {
  label: string;
  window: Window | null;
  /** Whether all days may be meant. */
  mayBeEver?: boolean;
  onWindow: (window: Window | null) => void;
}

export function WindowFields({ label, window, mayBeEver = false, onWindow }: Props) {
  const choose = (kind: string) => {
    if (kind === "") onWindow(null);
    else if (kind === "between") onWindow({ kind: "between", from: "", to: "" });
    else onWindow({ kind: kind as "last_days" | "last_months", count: kind === "last_days" ? 30 : 3 });
  };
  const choices = mayBeEver ? [{ value: "", label: "all days" }, ...CHOICES] : CHOICES;
  return (
    <>
      <SelectField label={label} labelUnseen value={window?.kind ?? ""} choices={choices} onValue={choose} />
      {window !== null && window.kind !== "between" && (
        <TextField
          label={window.kind === "last_days" ? "Number of days" : "Number of months"}
          labelUnseen
          class="short"
          type="number"
          min={1}
          step={1}
          value={Number.isNaN(window.count) ? "" : String(window.count)}
          onValue={(text) => onWindow({ ...window, count: text === "" ? NaN : Number(text) })}
        />
      )}
      {window?.kind === "between" && (
        <>
          <TextField
            label="First day"
            labelUnseen
            type="date"
            value={window.from}
            onValue={(from) => onWindow({ ...window, from })}
          />
          <span aria-hidden="true">to</span>
          <TextField
            label="Last day"
            labelUnseen
            type="date"
            value={window.to}
            onValue={(to) => onWindow({ ...window, to })}
          />
        </>
      )}
    </>
  );
}
