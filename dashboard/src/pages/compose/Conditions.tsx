// The conditions of a guided query: fixed values, or those of a filter of the dashboard.

import { useState } from "preact/hooks";
import type { Condition, Filter, Operator, Scalar, Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { SelectField, TextField } from "../../ui/Field.tsx";
import { isNumeric } from "../../ui/format.ts";
import type { Group } from "./attributes.ts";
import { conditionChanged, type Source } from "./columns.ts";
import type { Change } from "./editor.ts";
import type { Trial } from "./preview.ts";
import { ValuesDialog, valueText } from "./ValuesDialog.tsx";

const WORDS: Record<Operator, string> = {
  in: "is one of",
  not_in: "is none of",
  "=": "is",
  "!=": "is not",
  "<": "is below",
  "<=": "is at most",
  ">": "is above",
  ">=": "is at least",
  between: "is from … to …",
  contains: "contains",
  is_null: "is NULL",
  is_not_null: "is not NULL",
  newest: "is the newest",
};
const FIXED = "";

interface Props {
  widget: Widget;
  trial: Trial;
  filters: Filter[];
  groups: Group[];
  change: Change;
}

export function Conditions({ widget, trial, filters, groups, change }: Props) {
  const where = widget.query?.where ?? [];
  return (
    <section aria-label="Conditions" class="stack">
      <h3>Filters</h3>
      {where.length === 0 && <p class="quiet">All rows count. Put a column on “Filter” to keep some.</p>}
      {where.map((condition, i) => {
        const table = condition.table ?? widget.query?.table ?? "";
        const type = groups.find((group) => group.table.name === table)?.columns.find((one) => one.name === condition.column)?.type;
        return (
          <One
            key={i}
            condition={condition}
            source={{ table, column: condition.column, ...(type ? { type } : {}) }}
            trial={trial}
            filters={filters}
            onChange={(next, kind) => change((now) => conditionChanged(now, i, next), kind ?? null)}
          />
        );
      })}
    </section>
  );
}

interface OneProps {
  condition: Condition;
  source: Source;
  trial: Trial;
  filters: Filter[];
  onChange: (condition: Condition | null, kind?: string) => void;
}

function One({ condition, source, trial, filters, onChange }: OneProps) {
  // While values are chosen: whether they are to be kept or left out.
  const [choosing, setChoosing] = useState<"in" | "not_in" | null>(null);
  const { column, op } = condition;
  const { value: _v, values: _s, parameter: _p, ...bare } = condition;
  const type = source.type ?? "";
  const operators = operatorsFor(type);
  const needsValue = !["is_null", "is_not_null", "newest"].includes(op);
  const fits = filters.filter((filter) => (op === "between") === (filter.control === "date_range"));
  const values = condition.values ?? (condition.value === undefined ? [] : [condition.value]);
  const isList = op === "in" || op === "not_in";

  const setOp = (next: Operator) => {
    if (["is_null", "is_not_null", "newest"].includes(next)) return onChange({ ...bare, op: next });
    const range = (next === "between") !== (op === "between");
    if (condition.parameter !== undefined && !range) return onChange({ ...bare, op: next, parameter: condition.parameter });
    const first = values[0] ?? start(type);
    if (next === "in" || next === "not_in") {
      return values.length > 0 ? onChange({ ...bare, op: next, values }) : setChoosing(next);
    }
    onChange(next === "between" ? { ...bare, op: next, values: [first, values[1] ?? first] } : { ...bare, op: next, value: first });
  };
  const setValue = (index: number, value: Scalar) =>
    op === "between"
      ? onChange({ ...bare, values: index === 0 ? [value, values[1] ?? value] : [values[0] ?? value, value] }, `where ${column} ${index}`)
      : onChange({ ...bare, value }, `where ${column}`);
  return (
    <div class="compose-condition">
      <div class="row">
        <strong title={`${source.table}.${column}`}>{column}</strong>
        <Button kind="quiet" class="row-end" aria-label={`Take the filter on ${column} away`} onClick={() => onChange(null)}>
          ✕
        </Button>
      </div>
      <SelectField
        label={`How ${column} is compared`}
        labelUnseen
        value={op}
        choices={[...new Set([...operators, op])].map((one) => ({ value: one, label: WORDS[one] }))}
        onValue={(next) => setOp(next as Operator)}
      />
      {needsValue && fits.length > 0 && (
        <SelectField
          label={`With what ${column} is compared`}
          labelUnseen
          value={condition.parameter ?? FIXED}
          choices={[
            { value: FIXED, label: "these values" },
            ...fits.map((filter) => ({ value: filter.name, label: `the filter ${filter.label ?? filter.name}` })),
          ]}
          onValue={(name) => {
            if (name !== FIXED) onChange({ ...bare, parameter: name });
            else if (isList) setChoosing(op);
            else onChange({ ...bare, ...(op === "between" ? { values: [start(type), start(type)] } : { value: start(type) }) });
          }}
        />
      )}
      {needsValue && condition.parameter === undefined && isList && (
        <div class="row">
          <span class="compose-condition-values">{values.map(valueText).join(", ")}</span>
          <Button kind="quiet" onClick={() => setChoosing(op)}>
            Choose values<span class="unseen"> of {column}</span>
          </Button>
        </div>
      )}
      {needsValue && condition.parameter === undefined && !isList && (
        <div class="row">
          <ValueField label={op === "between" ? `${column} from` : `Value of ${column}`} type={type} value={values[0] ?? null} onValue={(value) => setValue(0, value)} />
          {op === "between" && <ValueField label={`${column} to`} type={type} value={values[1] ?? null} onValue={(value) => setValue(1, value)} />}
        </div>
      )}
      {choosing && (
        <ValuesDialog
          source={source}
          trial={trial}
          op={choosing}
          values={values}
          onChoose={(next, chosen) => {
            setChoosing(null);
            onChange({ ...bare, op: next, values: chosen });
          }}
          onClose={() => setChoosing(null)}
        />
      )}
    </div>
  );
}

function operatorsFor(type: string): Operator[] {
  if (type === "Boolean") return ["=", "!=", "is_null", "is_not_null"];
  const common: Operator[] = ["in", "not_in", "=", "!=", "is_null", "is_not_null"];
  if (type.startsWith("Date") || type.startsWith("Timestamp")) return ["newest", ...common, "<", "<=", ">", ">=", "between"];
  if (isNumeric(type)) return [...common, "<", "<=", ">", ">=", "between"];
  return [...common, "contains"];
}

/** What a value begins as. */
function start(type: string): Scalar {
  if (type === "Boolean") return true;
  if (isNumeric(type)) return 0;
  return type.startsWith("Date") || type.startsWith("Timestamp") ? new Date().toISOString().slice(0, 10) : "";
}

interface ValueProps {
  label: string;
  type: string;
  value: Scalar;
  onValue: (value: Scalar) => void;
}

/** A field for a value of a type. */
function ValueField({ label, type, value, onValue }: ValueProps) {
  if (type === "Boolean") {
    return (
      <SelectField
        label={label}
        labelUnseen
        value={String(value)}
        choices={[
          { value: "true", label: "yes" },
          { value: "false", label: "no" },
        ]}
        onValue={(text) => onValue(text === "true")}
      />
    );
  }
  const kind = isNumeric(type) ? "number" : type.startsWith("Date") ? "date" : "text";
  return (
    <TextField
      label={label}
      labelUnseen
      type={kind}
      {...(kind === "number" ? { step: "any" } : {})}
      value={value === null ? "" : String(value)}
      onValue={(text) => onValue(kind === "number" && text !== "" ? Number(text) : text)}
    />
  );
}
