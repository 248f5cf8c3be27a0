// The filters of a dashboard: what they are called, how they are chosen, and where their values come from.

import { asApiError } from "../../api/api.ts";
import type { Control, Filter } from "../../spec/types.ts";
import { CONTROLS, parametersOfFilter } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { SelectField, TextField } from "../../ui/Field.tsx";
import { counted } from "../../ui/format.ts";
import { Empty } from "../../ui/States.tsx";
import { isPlain, writtenDefault } from "../boards/filters.ts";
import { freeName } from "./columns.ts";
import type { Editor } from "./editor.ts";
import { isVersioned } from "./joins.ts";
import type { Trial } from "./preview.ts";
import { SqlEditor } from "./SqlPane.tsx";

const CONTROL_WORDS: Record<Control, string> = {
  select: "one of several values",
  multiselect: "any of several values",
  date_range: "from a day to another",
  date_from: "from a day on",
  date_to: "up to a day",
  number: "a number",
  text: "a text",
  snapshot: "a snapshot",
};

export function FiltersPane({ editor, trial }: { editor: Editor; trial: Trial }) {
  const filters = editor.document.value.filters ?? [];
  const set = (next: Filter[], kind: string | null = null) =>
    editor.change(({ filters: _, ...now }) => ({ ...now, ...(next.length > 0 ? { filters: next } : {}) }), kind);
  const add = () => {
    const name = freeName("filter", filters.map((filter) => filter.name));
    const table = trial.tables.find((one) => one.name === "dim_customer") ?? trial.tables[0];
    const column = table?.columns.find((one) => one.type === "Utf8" && !table.key.includes(one.name)) ?? table?.columns[0];
    set([...filters, { name, control: "select", values: { column: `${table?.name ?? ""}.${column?.name ?? ""}` } }]);
  };
  const move = (index: number, by: number) => {
    const next = [...filters];
    const [filter] = next.splice(index, 1);
    if (filter) next.splice(index + by, 0, filter);
    set(next);
  };
  return (
    <div class="stack">
      <div class="row compose-tools">
        <Button kind="primary" onClick={add}>
          Add a filter
        </Button>
        <span class="quiet">A widget takes part where one of its conditions, or a parameter of its SQL, names the filter.</span>
      </div>
      {filters.length === 0 && (
        <Empty title="There are no filters">
          <p>A filter is chosen once, for all widgets that name it.</p>
        </Empty>
      )}
      {filters.map((filter, i) => (
        <One
          key={i}
          filter={filter}
          trial={trial}
          findings={editor.findings.value.filter((finding) => finding.place.startsWith(`filters.${filter.name || i}.`)).map((finding) => finding.message)}
          onChange={(next, kind) => set(filters.map((one, j) => (j === i ? next : one)), kind ? `filter ${i} ${kind}` : null)}
          onDelete={() => set(filters.filter((_, j) => j !== i))}
          onUp={i === 0 ? null : () => move(i, -1)}
          onDown={i === filters.length - 1 ? null : () => move(i, 1)}
        />
      ))}
    </div>
  );
}

interface OneProps {
  filter: Filter;
  trial: Trial;
  findings: string[];
  onChange: (filter: Filter, kind?: string) => void;
  onDelete: () => void;
  onUp: (() => void) | null;
  onDown: (() => void) | null;
}

function One({ filter, trial, findings, onChange, onDelete, onUp, onDown }: OneProps) {
  const { label: _, ...unlabelled } = filter;
  const { default: given, ...undecided } = filter;
  const chosen = filter.control === "select" || filter.control === "multiselect";
  const setControl = (control: Control) => {
    const { values, ...now } = filter;
    const keeps = control === "select" || control === "multiselect";
    // What is a text for one control may be a number for the next.
    const begin = typeof given === "string" ? { default: writtenDefault(control, given) } : {};
    onChange({ ...now, control, ...begin, ...(keeps ? { values: values ?? { sql: "" } } : {}) });
  };
  return (
    <section class="card stack" aria-label={`Filter ${filter.label ?? filter.name}`}>
      <div class="row">
        <h3>{filter.label ?? filter.name}</h3>
        <span class="quiet">{parametersOfFilter(filter).map((name) => `$${name}`).join(" and ")}</span>
        <div class="row end">
          <Button kind="quiet" disabledBecause={onUp ? null : "it is the first"} onClick={() => onUp?.()}>
            Up
          </Button>
          <Button kind="quiet" disabledBecause={onDown ? null : "it is the last"} onClick={() => onDown?.()}>
            Down
          </Button>
          <Button kind="quiet" onClick={onDelete} aria-label={`Delete the filter ${filter.label ?? filter.name}`}>
            Delete
          </Button>
        </div>
      </div>
      <div class="compose-filter-fields">
        <TextField label="Label" value={filter.label ?? ""} onValue={(label) => onChange({ ...unlabelled, ...(label === "" ? {} : { label }) }, "label")} />
        <TextField
          label="Name"
          hint="Queries name it so."
          value={filter.name}
          error={findings[0] ?? null}
          onValue={(name) => onChange({ ...filter, name }, "name")}
        />
        <SelectField
          label="What is chosen"
          value={filter.control}
          choices={CONTROLS.map((control) => ({ value: control, label: CONTROL_WORDS[control] }))}
          onValue={(control) => setControl(control as Control)}
        />
        {filter.control !== "date_range" && (
          <TextField
            label="Chosen to begin with"
            hint={chosen ? "A value, or “first” for the first of them." : "Nothing while it is empty."}
            value={given === undefined || given === null ? "" : String(given)}
            onValue={(text) =>
              onChange({ ...undecided, ...(text === "" ? {} : { default: writtenDefault(filter.control, text) }) }, "default")
            }
          />
        )}
      </div>
      {chosen && <Values filter={filter} trial={trial} onChange={onChange} />}
    </section>
  );
}

function Values({ filter, trial, onChange }: { filter: Filter; trial: Trial; onChange: OneProps["onChange"] }) {
  const { values } = filter;
  const kind = !values ? "sql" : "sql" in values ? "sql" : "column" in values ? "column" : "columns";
  const [table = "", column = ""] = values && "column" in values ? values.column.split(".") : values && "columns" in values ? [values.columns] : [];
  const columns = trial.tables.find((one) => one.name === table)?.columns.filter((one) => isPlain(one.type)) ?? [];
  const tables = trial.tables.map((one) => ({ value: one.name, label: one.name }));
  const offered = trial.settled.options[filter.name];
  const failed = trial.settled.failed[filter.name];
  const setKind = (next: string) => {
    const first = trial.tables.find((one) => isVersioned(one)) ?? trial.tables[0];
    const name = table || (first?.name ?? "");
    if (next === "sql") return onChange({ ...filter, values: { sql: "" } });
    if (next === "columns") return onChange({ ...filter, values: { columns: name, like: "*" } });
    const own = trial.tables.find((one) => one.name === name)?.columns[0]?.name ?? "";
    onChange({ ...filter, values: { column: `${name}.${own}` } });
  };
  return (
    <div class="stack">
      <div class="compose-filter-fields">
        <SelectField
          label="Values come from"
          value={kind}
          choices={[
            { value: "column", label: "a column" },
            { value: "sql", label: "SQL" },
            { value: "columns", label: "names of columns" },
          ]}
          onValue={setKind}
        />
        {kind !== "sql" && (
          <SelectField
            label="Table"
            value={table}
            choices={tables}
            onValue={(name) => {
              const own = trial.tables.find((one) => one.name === name)?.columns[0]?.name ?? "";
              onChange({ ...filter, values: kind === "columns" ? { ...values, columns: name } : { column: `${name}.${own}` } });
            }}
          />
        )}
        {kind === "column" && (
          <SelectField
            label="Column"
            value={column}
            choices={[
              ...(columns.some((one) => one.name === column) ? [] : [{ value: column, label: column || "…" }]),
              ...columns.map((one) => ({ value: one.name, label: one.name })),
            ]}
            onValue={(name) => onChange({ ...filter, values: { column: `${table}.${name}` } })}
          />
        )}
        {values && "columns" in values && (
          <TextField
            label="Whose names are like"
            hint="* stands for any letters; SQL names the chosen column “$name” in double quotes."
            value={values.like ?? ""}
            onValue={(like) => onChange({ ...filter, values: { columns: values.columns, ...(like ? { like } : {}) } }, "like")}
          />
        )}
      </div>
      {kind === "sql" && (
        <SqlEditor
          label={`SQL for the values of ${filter.label ?? filter.name}`}
          value={values && "sql" in values ? values.sql : ""}
          onValue={(sql) => onChange({ ...filter, values: { sql } }, "values")}
        />
      )}
      <p class="quiet" aria-live="polite">
        {failed !== undefined
          ? `Its values cannot be found: ${asApiError(failed).detail || asApiError(failed).title}`
          : offered
            ? `There ${offered.length === 1 ? "is" : "are"} ${counted(offered.length, "value")}: ${offered.slice(0, 8).map((option) => option.label).join(", ")}${offered.length > 8 ? ", …" : ""}`
            : "The values are looked up."}
      </p>
    </div>
  );
}
