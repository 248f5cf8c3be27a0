// How a widget looks and what a click on it does.

import { useState } from "preact/hooks";
import type { DashboardSummary } from "../../api/dashboards.ts";
import { NAME, NAME_WORDS } from "../../spec/check.ts";
import { outputName } from "../../spec/compile.ts";
import type { LegendPlace, Mark, Options, Widget } from "../../spec/types.ts";
import { setQuery } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { CheckField, Field, SelectField, TextField } from "../../ui/Field.tsx";
import { Clicks } from "./Clicks.tsx";
import { SnapshotField } from "./DashboardPane.tsx";
import { described } from "./describe.ts";
import type { Change, Editor } from "./editor.ts";
import { Formats } from "./Formats.tsx";
import type { Preview, Trial } from "./preview.ts";

interface Props {
  editor: Editor;
  widget: Widget;
  preview: Preview;
  trial: Trial;
  dashboards: DashboardSummary[];
  change: Change;
}

const AXES: Mark[] = ["bar", "line", "area", "combo", "point", "heatmap"];
const STACKED: Mark[] = ["bar", "area", "combo"];
const LEGENDS: Mark[] = ["bar", "line", "area", "combo", "point", "donut"];

export function Properties({ editor, widget, preview, trial, dashboards, change }: Props) {
  const { mark, options = {} } = widget;
  const columns = widget.query?.columns.map(outputName) ?? preview.answer?.columns.map((column) => column.name) ?? [];
  const setOptions = (to: (options: Options) => Options, kind: string | null = null) =>
    change(({ options: now, ...rest }) => {
      const next = to(now ?? {});
      return { ...rest, ...(Object.keys(next).length > 0 ? { options: next } : {}) };
    }, kind);
  const text = (key: "x_title" | "y_title" | "legend_title", label: string) => (
    <TextField
      label={label}
      value={options[key] ?? ""}
      onValue={(value) => setOptions(({ [key]: _, ...now }) => ({ ...now, ...(value === "" ? {} : { [key]: value }) }), key)}
      onBlur={() => editor.settle()}
    />
  );
  const flag = (key: "stacked" | "normalised" | "horizontal", label: string) => (
    <CheckField
      label={label}
      checked={options[key] === true}
      onValue={(on) => setOptions(({ [key]: _, ...now }) => ({ ...now, ...(on ? { [key]: true } : {}) }))}
    />
  );
  return (
    <>
      <h3>Title and words</h3>
      <TextField
        label="Title"
        value={widget.title}
        onValue={(title) => change((now) => ({ ...now, title }), "title")}
        onBlur={() => editor.settle()}
      />
      <Field label="What it shows, for those who cannot see it" hint="Needed: screen readers say it in the place of the picture.">
        {(ids) => (
          <textarea
            {...ids}
            rows={3}
            value={widget.describe}
            onInput={(event) => {
              const describe = event.currentTarget.value;
              change((now) => ({ ...now, describe }), "describe");
            }}
            onBlur={() => editor.settle()}
          />
        )}
      </Field>
      {widget.describe === "" && (
        <Button kind="quiet" onClick={() => change((now) => ({ ...now, describe: described(now) }))}>
          Begin with a sentence
        </Button>
      )}

      {LEGENDS.includes(mark) && (
        <>
          <h3>Legend</h3>
          <SelectField
            label="Place of the legend"
            value={options.legend ?? ""}
            choices={[
              { value: "", label: "By itself" },
              { value: "top", label: "Above" },
              { value: "bottom", label: "Below" },
              { value: "left", label: "To the left" },
              { value: "right", label: "To the right" },
              { value: "none", label: "None" },
            ]}
            onValue={(value) => setOptions(({ legend: _, ...now }) => ({ ...now, ...(value ? { legend: value as LegendPlace } : {}) }))}
          />
          {text("legend_title", "Title of the legend")}
        </>
      )}
      {AXES.includes(mark) && (
        <>
          <h3>Axes</h3>
          {text("x_title", "Title of the x axis")}
          {text("y_title", "Title of the y axis")}
        </>
      )}
      {STACKED.includes(mark) && (
        <div class="compose-flags">
          {flag("stacked", "Stacked")}
          {flag("normalised", "As shares of the whole")}
          {mark === "bar" && flag("horizontal", "Horizontal")}
        </div>
      )}
      {mark !== "number" && (
        <>
          <h3>Sorted in the picture</h3>
          <SelectField
            label="Sort by"
            value={options.sort?.column ?? ""}
            choices={[{ value: "", label: "As the answer comes" }, ...columns.map((name) => ({ value: name, label: name }))]}
            onValue={(column) => setOptions(({ sort, ...now }) => ({ ...now, ...(column ? { sort: { ...sort, column } } : {}) }))}
          />
          {options.sort && (
            <CheckField
              label="Largest first"
              checked={options.sort.descending === true}
              onValue={(on) =>
                setOptions(({ sort, ...now }) => (sort ? { ...now, sort: { column: sort.column, ...(on ? { descending: true } : {}) } } : now))
              }
            />
          )}
        </>
      )}
      <Formats widget={widget} columns={columns} change={change} />

      <h3>Snapshot</h3>
      {mark === "number" && (
        <CheckField
          label="Compare with the snapshot before"
          checked={widget.compare === "previous"}
          onValue={(on) => change(({ compare: _, ...now }) => ({ ...now, ...(on ? { compare: "previous" } : {}) }))}
        />
      )}
      <SnapshotField
        label="Snapshot of this widget"
        hint="For one that stays while the others change."
        value={widget.snapshot}
        none="That of the page"
        snapshots={trial.snapshots}
        onValue={(snapshot) => change(({ snapshot: _, ...now }): Widget => ({ ...now, ...(snapshot === undefined ? {} : { snapshot }) }))}
      />
      <Clicks widget={widget} columns={columns} filters={editor.document.value.filters ?? []} dashboards={dashboards} own={editor.name} change={change} />

      <h3>In the file</h3>
      <TextField
        label="What it needs"
        hint="Tables, or table.column, that other snapshots may lack; with commas between them."
        value={(widget.needs ?? []).join(", ")}
        onValue={(text) => {
          const needs = text.split(",").map((need) => need.trimStart());
          change(({ needs: _, ...now }) => ({ ...now, ...(text.trim() === "" ? {} : { needs }) }), "needs");
        }}
        onBlur={() => {
          const needs = (widget.needs ?? []).map((need) => need.trim()).filter((need) => need !== "");
          if (needs.join() !== (widget.needs ?? []).join()) change(({ needs: _, ...now }) => ({ ...now, ...(needs.length > 0 ? { needs } : {}) }), "needs");
          editor.settle();
        }}
      />
      <NameField editor={editor} name={widget.name} />
    </>
  );
}

/** The name of the widget; it changes when the field is left, since addresses have it. */
function NameField({ editor, name }: { editor: Editor; name: string }) {
  const [text, setText] = useState(name);
  const wrong = !NAME.test(text)
    ? NAME_WORDS
    : text !== name && editor.widget(text)
      ? "Another widget has this name."
      : null;
  const apply = () => {
    if (wrong === null && text !== name && editor.rename(name, text)) setQuery({ widget: text }, true);
  };
  return (
    <TextField
      label="Name"
      hint="Small letters, digits and underscores."
      value={text}
      error={wrong}
      onValue={setText}
      onBlur={apply}
      onKeyDown={(event) => event.key === "Enter" && apply()}
    />
  );
}
