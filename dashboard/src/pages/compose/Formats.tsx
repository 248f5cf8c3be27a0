// How the values of each column of the answer are written.

import { FORMAT_KINDS, type Format, type FormatKind, type Widget } from "../../spec/types.ts";
import { SelectField, TextField } from "../../ui/Field.tsx";
import type { Change } from "./editor.ts";

const WORDS: Record<FormatKind, string> = { number: "number", money: "money", percent: "percent", date: "day", text: "text" };

const MOST_DIGITS = 10;

export function Formats({ widget, columns, change }: { widget: Widget; columns: string[]; change: Change }) {
  const set = (column: string, format: Format | null, kind: string | null = null) =>
    change(({ format: formats, ...now }) => {
      const { [column]: _, ...others } = formats ?? {};
      const next = format ? { ...others, [column]: format } : others;
      return { ...now, ...(Object.keys(next).length > 0 ? { format: next } : {}) };
    }, kind);
  if (columns.length === 0) return null;
  return (
    <section aria-label="Formats" class="stack">
      <h3>Formats</h3>
      {columns.map((column) => {
        const format = widget.format?.[column];
        const numeric = format && format.kind !== "date" && format.kind !== "text";
        return (
          <div key={column} class="compose-format" role="group" aria-label={column}>
            <SelectField
              label={column}
              value={format?.kind ?? ""}
              choices={[{ value: "", label: "by itself" }, ...FORMAT_KINDS.map((kind) => ({ value: kind, label: WORDS[kind] }))]}
              onValue={(kind) => set(column, kind ? { kind: kind as FormatKind } : null)}
            />
            {numeric && (
              <TextField
                label="Digits"
                type="number"
                min={0}
                max={MOST_DIGITS}
                step={1}
                value={format.digits === undefined ? "" : String(format.digits)}
                onValue={(text) => {
                  const { digits: _, ...now } = format;
                  // More or fewer cannot be written, not even while somebody types.
                  const digits = Math.min(MOST_DIGITS, Math.max(0, Math.round(Number(text))));
                  set(column, { ...now, ...(text === "" ? {} : { digits }) }, `digits ${column}`);
                }}
              />
            )}
            {format?.kind === "money" && (
              <TextField
                label="Currency"
                placeholder="EUR"
                value={format.currency ?? ""}
                onValue={(text) => {
                  const { currency: _, ...now } = format;
                  set(column, { ...now, ...(text === "" ? {} : { currency: text.toUpperCase() }) }, `currency ${column}`);
                }}
              />
            )}
          </div>
        );
      })}
    </section>
  );
}
