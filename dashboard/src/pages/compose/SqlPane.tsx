// A widget by SQL: the text with its line numbers, the parameters that it has, and its columns on the mark.

import { useEffect, useRef, useState } from "preact/hooks";
import { columnFiltersOf, parametersOf } from "../../spec/scan.ts";
import { MARK_INFO, type RoleInfo } from "../../spec/marks.ts";
import { parametersOfFilter, type Scalar, type Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { SelectField, TextField } from "../../ui/Field.tsx";
import { pointed, shown, unpointed } from "./columns.ts";
import type { Change, Editor } from "./editor.ts";
import { Picker } from "./Picker.tsx";
import type { Preview, Trial } from "./preview.ts";

interface Props {
  editor: Editor;
  widget: Widget;
  preview: Preview;
  trial: Trial;
  change: Change;
  /** The SQL that the picture is of. */
  ran: string;
  onRun: (sql: string) => void;
}

export function SqlPane({ editor, widget, preview, change, ran, onRun }: Props) {
  const sql = widget.sql ?? "";
  const area = useRef<HTMLTextAreaElement>(null);
  const place = preview.error ? /Line: (\d+), Column: (\d+)/.exec(preview.error.detail) : null;
  const goThere = () => {
    if (!place || !area.current) return;
    const at = offsetOf(sql, Number(place[1]), Number(place[2]));
    area.current.focus();
    area.current.setSelectionRange(at, at);
  };
  return (
    <>
      <div class="row">
        <h3>SQL</h3>
        {sql !== ran && <span class="badge warn">not run yet</span>}
        <Button kind="primary" class="row-end" disabledBecause={sql.trim() === "" ? "there is nothing to run" : null} onClick={() => onRun(sql)}>
          Run
        </Button>
      </div>
      <SqlEditor
        area={area}
        value={sql}
        onValue={(text) => change((now) => ({ ...now, sql: text }), "sql")}
        onRun={() => sql.trim() !== "" && onRun(sql)}
      />
      {place && (
        <Button kind="quiet" onClick={goThere}>
          Go to line {place[1]}, column {place[2]}
        </Button>
      )}
      <SqlParameters editor={editor} widget={widget} change={change} />
      <ResultRoles widget={widget} columns={preview.answer?.columns.map((column) => column.name) ?? []} change={change} />
    </>
  );
}

/** Where a line and a column of a text are, both counted from one. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return Math.min(text.length, before + Math.min(column - 1, lines[line - 1]?.length ?? 0));
}

interface SqlEditorProps {
  area?: { current: HTMLTextAreaElement | null };
  value: string;
  onValue: (text: string) => void;
  /** Without it the text counts by itself, a moment after it is written. */
  onRun?: () => void;
  label?: string;
}

/** Tab indents, and after Escape leaves the field, so that nobody is held in it. */
export function SqlEditor({ area, value, onValue, onRun, label = "SQL of the widget" }: SqlEditorProps) {
  const numbers = useRef<HTMLPreElement>(null);
  const own = useRef<HTMLTextAreaElement | null>(null);
  const caret = useRef<number | null>(null);
  const [leaving, setLeaving] = useState(false);
  const count = Math.max(6, value.split("\n").length);
  useEffect(() => {
    if (caret.current === null) return;
    own.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [value]);
  return (
    <div class="compose-sql-frame">
      <div class="compose-sql">
        <pre aria-hidden="true" ref={numbers}>
          {Array.from({ length: count }, (_, i) => i + 1).join("\n")}
        </pre>
        <textarea
          ref={(element) => {
            own.current = element;
            if (area) area.current = element;
          }}
          class="code"
          aria-label={label}
          aria-description={`Tab indents; press Escape, then Tab to leave.${onRun ? " Control with Enter runs it." : ""}`}
          spellcheck={false}
          rows={count}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
          onScroll={(event) => {
            if (numbers.current) numbers.current.scrollTop = event.currentTarget.scrollTop;
          }}
          onBlur={() => setLeaving(false)}
          onKeyDown={(event) => {
            if (event.key === "Escape") return setLeaving(true);
            if (onRun && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
              event.preventDefault();
              return onRun();
            }
            if (event.key !== "Tab" || event.shiftKey || leaving) return;
            event.preventDefault();
            const { selectionStart: from, selectionEnd: to } = event.currentTarget;
            caret.current = from + 2;
            onValue(`${value.slice(0, from)}  ${value.slice(to)}`);
          }}
        />
      </div>
      <p class="hint">Tab indents; Escape, then Tab leaves the field.{onRun && " Control and Enter run it."}</p>
    </div>
  );
}

function SqlParameters({ editor, widget, change }: { editor: Editor; widget: Widget; change: Change }) {
  const filters = editor.document.value.filters ?? [];
  const names = parametersOf(widget.sql ?? "");
  const columns = columnFiltersOf(widget.sql ?? "");
  if (names.length === 0 && columns.length === 0) return null;
  const fixed = widget.parameters ?? {};
  const giver = (name: string) => filters.find((filter) => parametersOfFilter(filter).includes(name));
  const setFixed = (name: string, value: Scalar | undefined) =>
    change(({ parameters, ...now }) => {
      const { [name]: _, ...others } = parameters ?? {};
      const next = value === undefined ? others : { ...others, [name]: value };
      return { ...now, ...(Object.keys(next).length > 0 ? { parameters: next } : {}) };
    }, `parameter ${name}`);
  return (
    <section aria-label="Parameters" class="stack">
      <h3>Parameters</h3>
      {names.map((name) => {
        const filter = giver(name);
        const isFixed = Object.hasOwn(fixed, name);
        return (
          <div key={name} class="compose-parameter">
            <code>${name}</code>
            {filter && !isFixed ? (
              <>
                <span class="quiet">from the filter {filter.label ?? filter.name}: choose a sample value above</span>
                <Button kind="quiet" onClick={() => setFixed(name, "")}>
                  Fix it
                </Button>
              </>
            ) : (
              <>
                <FixedValue name={name} value={isFixed ? (fixed[name] ?? null) : undefined} onValue={(value) => setFixed(name, value)} />
                {filter && (
                  <Button kind="quiet" onClick={() => setFixed(name, undefined)}>
                    From the filter
                  </Button>
                )}
              </>
            )}
          </div>
        );
      })}
      {columns.map((name) => (
        <div key={name} class="compose-parameter">
          <code>"${name}"</code>
          <span class="quiet">
            {filters.some((filter) => filter.name === name) ? "the column that its filter chooses" : "needs a filter that chooses a column"}
          </span>
        </div>
      ))}
      {names.some((name) => giver(name)) && (
        <p class="hint">
          A filter without a choice gives NULL: write <code>($name IS NULL OR column = $name)</code>. Several values go into{" "}
          <code>column IN ($name)</code>.
        </p>
      )}
    </section>
  );
}

type Kind = "text" | "number" | "boolean" | "null";

function FixedValue({ name, value, onValue }: { name: string; value: Scalar | undefined; onValue: (value: Scalar) => void }) {
  const kind: Kind = value === null ? "null" : typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "text";
  const as: Record<Kind, () => Scalar> = {
    text: () => (value === undefined || value === null ? "" : String(value)),
    number: () => (Number.isFinite(Number(value)) ? Number(value) : 0),
    boolean: () => value === true || value === "true",
    null: () => null,
  };
  return (
    <>
      <SelectField
        label={`Kind of $${name}`}
        labelUnseen
        value={kind}
        choices={[
          { value: "text", label: "text or day" },
          { value: "number", label: "number" },
          { value: "boolean", label: "yes or no" },
          { value: "null", label: "NULL" },
        ]}
        onValue={(next) => onValue(as[next as Kind]())}
      />
      {kind === "boolean" ? (
        <SelectField
          label={`Value of $${name}`}
          labelUnseen
          value={String(value)}
          choices={[
            { value: "true", label: "yes" },
            { value: "false", label: "no" },
          ]}
          onValue={(text) => onValue(text === "true")}
        />
      ) : (
        kind !== "null" && (
          <TextField
            label={`Value of $${name}`}
            labelUnseen
            type={kind === "number" ? "number" : "text"}
            placeholder={value === undefined ? "no value yet" : ""}
            {...(kind === "number" ? { step: "any" } : {})}
            value={value === undefined ? "" : String(value)}
            onValue={(text) => onValue(kind === "number" && text !== "" ? Number(text) : text)}
          />
        )
      )}
    </>
  );
}

/** The columns of the answer on the places of the mark. */
function ResultRoles({ widget, columns, change }: { widget: Widget; columns: string[]; change: Change }) {
  return (
    <section aria-label="Places" class="compose-roles">
      <h3>Shown on</h3>
      {columns.length === 0 && <p class="quiet">Run the SQL: its columns are then put on the picture here.</p>}
      {MARK_INFO[widget.mark].roles.map((info) => (
        <ResultRole key={info.role} info={info} widget={widget} columns={columns} change={change} />
      ))}
    </section>
  );
}

function ResultRole({ info, widget, columns, change }: { info: RoleInfo; widget: Widget; columns: string[]; change: Change }) {
  const names = shown(widget.encode, info.role);
  const free = columns.filter((name) => !names.includes(name));
  return (
    <div class="compose-role" role="group" aria-label={info.label}>
      <span class="compose-role-name">
        {info.label}
        {!info.optional && names.length === 0 && <span class="quiet"> needed</span>}
      </span>
      <div class="compose-chips">
        {names.map((name) => (
          <span key={name} class={columns.length > 0 && !columns.includes(name) ? "compose-chip wrong" : "compose-chip"}>
            <span>{name}</span>
            <button
              type="button"
              class="compose-chip-off"
              aria-label={`Take ${name} off ${info.label}`}
              onClick={() => change((now) => unpointed(now, info.role, name))}
            >
              ✕
            </button>
          </span>
        ))}
        {free.length > 0 && (info.many || names.length === 0) && (
          <Picker
            label={`Put a column on ${info.label}`}
            groups={[{ title: "Columns", items: free.map((name) => ({ label: name, value: name })) }]}
            onPick={(name) => change((now) => pointed(now, info.role, name))}
          >
            + column
          </Picker>
        )}
      </div>
    </div>
  );
}
