// The filters of a dashboard. What is chosen stands in the address; what is passed along for other dashboards is told.
import { useEffect, useState } from "preact/hooks";
import { asApiError } from "../../api/api.ts";
import { place, setQuery } from "../../location.ts";
import { type Filter, parametersOfFilter, type Scalar } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { CheckField, Field, SelectField, TextField } from "../../ui/Field.tsx";
import { announce } from "../../ui/Toast.tsx";
import type { Option, Settled } from "./filters.ts";
import { FILTER, readList, withoutFilters, writeList } from "./state.ts";

export function FilterBar({ filters, settled }: { filters: Filter[]; settled: Settled | null }) {
  const query = place.value.query;
  const own = new Set(filters.flatMap(parametersOfFilter));
  const chosen = [...query.keys()].filter((name) => name.startsWith(FILTER)).map((name) => name.slice(FILTER.length));
  const passed = chosen.filter((name) => !own.has(name));
  const shown = filters.filter((filter) => !settled?.idle.includes(filter.name));
  if (shown.length === 0 && passed.length === 0) return null;
  return (
    <section class="filter-bar no-print" aria-label="Filters">
      {shown.map((filter) => (
        <div key={filter.name} class={parametersOfFilter(filter).some((name) => chosen.includes(name)) ? "filter chosen" : "filter"}>
          <Control filter={filter} settled={settled} />
        </div>
      ))}
      <div class="filter-end">
        {passed.length > 0 && <span class="quiet">Passed on, without effect here: {passed.join(", ")}</span>}
        <Button
          kind="quiet"
          disabledBecause={chosen.length === 0 ? "nothing is chosen" : null}
          onClick={() => {
            setQuery(withoutFilters(query));
            announce("All filters are cleared");
          }}
        >
          Clear all
        </Button>
      </div>
    </section>
  );
}

/** What is chosen for a field of the address, or what holds while nothing is. */
function current(settled: Settled | null, field: string): Scalar[] {
  const text = place.value.query.get(FILTER + field);
  if (text) return readList(text);
  const value = settled?.values[field];
  return Array.isArray(value) ? value : value === null || value === undefined ? [] : [value];
}

function choose(field: string, values: Scalar[]): void {
  setQuery({ [FILTER + field]: values.length === 0 ? null : writeList(values) });
}

function Control({ filter, settled }: { filter: Filter; settled: Settled | null }) {
  const label = filter.label ?? filter.name;
  const failed = settled?.failed[filter.name];
  const error = failed === undefined ? null : asApiError(failed).detail || "its values cannot be found";
  const options = settled?.options[filter.name] ?? [];
  switch (filter.control) {
    case "select":
    case "snapshot":
      return <Select filter={filter} label={label} error={error} settled={settled} options={options} />;
    case "multiselect":
      return <Several filter={filter} label={label} error={error} settled={settled} options={options} />;
    case "date_range":
      return (
        <fieldset class="filter-range">
          <legend>{label}</legend>
          <Text field={`${filter.name}_from`} label="From" type="date" settled={settled} />
          <Text field={`${filter.name}_to`} label="To" type="date" settled={settled} />
        </fieldset>
      );
    case "date_from":
    case "date_to":
      return <Text field={filter.name} label={label} type="date" settled={settled} />;
    default:
      return <Text field={filter.name} label={label} type={filter.control === "number" ? "number" : "text"} settled={settled} />;
  }
}

interface ChoiceProps {
  filter: Filter;
  label: string;
  error: string | null;
  settled: Settled | null;
  options: Option[];
}

function Select({ filter, label, error, settled, options }: ChoiceProps) {
  const [value] = current(settled, filter.name);
  const text = value === undefined || value === null ? "" : String(value);
  const known = text === "" || options.some((option) => String(option.value) === text);
  const none = filter.default === undefined || filter.default === null;
  return (
    <SelectField
      label={label}
      {...(error ? { error } : {})}
      value={text}
      choices={[
        ...(none ? [{ value: "", label: "All" }] : []),
        ...(!none && options.length === 0 ? [{ value: "", label: settled ? "There is none" : "…" }] : []),
        ...(known ? [] : [{ value: text, label: text }]),
        ...options.filter((option) => option.value !== null).map((option) => ({ value: String(option.value), label: option.label })),
      ]}
      onValue={(next) => choose(filter.name, next === "" ? [] : [next])}
    />
  );
}

/** How many choices are shown at once; the search finds the others. */
const SHOWN_CHOICES = 200;

function Several({ filter, label, error, settled, options }: ChoiceProps) {
  const [words, setWords] = useState("");
  const chosen = current(settled, filter.name).map((value) => (value === null ? null : String(value)));
  const isChosen = (option: Option) => chosen.includes(option.value === null ? null : String(option.value));
  const found = options.filter((option) => option.label.toLowerCase().includes(words.toLowerCase()));
  const shown = found.slice(0, SHOWN_CHOICES);
  const only = options.find(isChosen)?.label ?? chosen[0] ?? "(none)";
  const summary = chosen.length === 0 ? "All" : chosen.length === 1 ? only : `${chosen.length} chosen`;
  return (
    <Field label={label} {...(error ? { error } : {})}>
      {(ids) => (
        <details
          class="several"
          onKeyDown={(event) => {
            if (event.key !== "Escape" || !event.currentTarget.open) return;
            event.currentTarget.open = false;
            event.currentTarget.querySelector("summary")?.focus();
          }}
          onFocusOut={(event) => {
            if (event.relatedTarget instanceof Node && !event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
          }}
        >
          <summary {...ids} aria-label={`${label}: ${summary}`}>
            {summary}
          </summary>
          <div class="several-list">
            {options.length > 12 && <TextField label="Search" labelUnseen type="search" placeholder="Search" value={words} onValue={setWords} />}
            <fieldset>
              <legend class="unseen">{label}</legend>
              {shown.map((option) => (
                <CheckField
                  key={JSON.stringify(option.value)}
                  label={option.label}
                  checked={isChosen(option)}
                  onValue={(on) => {
                    const own = option.value === null ? null : String(option.value);
                    choose(filter.name, on ? [...chosen, own] : chosen.filter((value) => value !== own));
                  }}
                />
              ))}
            </fieldset>
            {found.length > shown.length && <p class="quiet">and {found.length - shown.length} more: search for them</p>}
            {options.length === 0 && <p class="quiet">{settled ? "There is nothing to choose." : "…"}</p>}
            <Button kind="quiet" disabledBecause={chosen.length === 0 ? "nothing is chosen" : null} onClick={() => choose(filter.name, [])}>
              All
            </Button>
          </div>
        </details>
      )}
    </Field>
  );
}

/** How long after the last key a text counts as written. */
const WRITTEN = 500;

function Text({ field, label, type, settled }: { field: string; label: string; type: "text" | "number" | "date"; settled: Settled | null }) {
  const [value] = current(settled, field);
  const shown = value === undefined || value === null ? "" : String(value);
  const [draft, setDraft] = useState<string | null>(null);
  const apply = (text: string) => {
    if (text !== shown) choose(field, text === "" ? [] : [text]);
    setDraft(null);
  };
  useEffect(() => {
    if (draft === null) return;
    const timer = setTimeout(() => apply(draft), WRITTEN);
    return () => clearTimeout(timer);
  }, [draft]);
  return (
    <TextField
      label={label}
      type={type}
      {...(type === "number" ? { step: "any" } : {})}
      value={draft ?? shown}
      onValue={setDraft}
      onBlur={() => draft !== null && apply(draft)}
      onKeyDown={(event) => {
        if (event.key === "Enter" && draft !== null) apply(draft);
      }}
    />
  );
}
