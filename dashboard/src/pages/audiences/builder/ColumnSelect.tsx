// A column of customers, picked from the columns by what they are.

import { Field } from "../../../ui/Field.tsx";
import type { RuleColumn } from "../rule/vocabulary.ts";

/** Columns as they are listed: attributes, tiles, and what is known and expected of customers. */
export function groupsOf(columns: RuleColumn[]): { label: string; columns: RuleColumn[] }[] {
  const groups = [
    { label: "Deciles and other tiles", columns: columns.filter((column) => column.isTile) },
    { label: "Attributes", columns: columns.filter((column) => column.table === "dim_customer") },
    {
      label: "What is known and expected",
      columns: columns.filter((column) => column.table === "customer_value" && !column.isTile),
    },
  ];
  return groups.filter((group) => group.columns.length > 0);
}

interface Props {
  label: string;
  value: string;
  columns: RuleColumn[];
  onColumn: (column: RuleColumn) => void;
}

export function ColumnSelect({ label, value, columns, onColumn }: Props) {
  const isKnown = columns.some((column) => column.name === value);
  return (
    <Field label={label} labelUnseen>
      {(ids) => (
        <select
          {...ids}
          class="column"
          value={value}
          title={columns.find((column) => column.name === value)?.about ?? ""}
          onChange={(event) => {
            const chosen = columns.find((column) => column.name === event.currentTarget.value);
            if (chosen) onColumn(chosen);
          }}
        >
          {!isKnown && <option value={value}>{value || "choose a column"}</option>}
          {groupsOf(columns).map((group) => (
            <optgroup key={group.label} label={group.label}>
              {group.columns.map((column) => (
                <option key={column.name} value={column.name}>
                  {column.name}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      )}
    </Field>
  );
}
