// One widget that is edited: what it asks to the left, its picture in the middle, how it looks to the right.

import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { DashboardSummary } from "../../api/dashboards.ts";
import { setQuery } from "../../location.ts";
import type { Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { Tabs } from "../../ui/Tabs.tsx";
import { ResultTable } from "../../chart/Figures.tsx";
import { asSql, withMark } from "./columns.ts";
import type { Editor } from "./editor.ts";
import { GuidedPane } from "./GuidedPane.tsx";
import { MarkRow } from "./MarkRow.tsx";
import { Picture } from "./Picture.tsx";
import { type Preview, type Trial, usePreview } from "./preview.ts";
import { Properties } from "./Properties.tsx";
import { SqlPane } from "./SqlPane.tsx";

interface Props {
  editor: Editor;
  widget: Widget;
  trial: Trial;
  dashboards: DashboardSummary[];
}

export function WidgetView({ editor, widget, trial, dashboards }: Props) {
  const [turning, setTurning] = useState(false);
  // SQL runs when it is run, not while it is typed.
  const [ran, setRan] = useState(widget.sql);
  const isSql = widget.sql !== undefined;
  const preview = usePreview(isSql ? { ...widget, sql: ran ?? "" } : widget, trial);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const change = (to: (widget: Widget) => Widget, kind: string | null = null) => editor.changeWidget(widget.name, to, kind);
  const findings = editor.findings.value.filter((finding) => finding.widget === widget.name);
  return (
    <div class="compose-widget">
      <div class="row compose-widget-head">
        <Button onClick={() => setQuery({ widget: null })}>← All widgets</Button>
        <h2 tabIndex={-1} ref={heading}>
          {widget.title || widget.name}
        </h2>
        <span class="badge">{isSql ? "SQL" : "guided"}</span>
        {!isSql && (
          <Button kind="quiet" disabledBecause={preview.incomplete} onClick={() => setTurning(true)}>
            Go on in SQL
          </Button>
        )}
        {findings.length > 0 && (
          <details class="compose-findings">
            <summary>
              {findings.length} to mend
            </summary>
            <ul>
              {findings.map((finding) => (
                <li key={finding.place + finding.message}>{finding.message}</li>
              ))}
            </ul>
          </details>
        )}
      </div>
      <div class={isSql ? "compose-panes by-sql" : "compose-panes"}>
        <section class="card compose-left" aria-label="What it asks">
          {isSql ? (
            <SqlPane editor={editor} widget={widget} preview={preview} trial={trial} change={change} ran={ran ?? ""} onRun={setRan} />
          ) : (
            <GuidedPane editor={editor} widget={widget} trial={trial} change={change} />
          )}
        </section>
        <section class="compose-middle" aria-label="Picture">
          <MarkRow mark={widget.mark} onMark={(mark) => change((now) => withMark(now, mark))} />
          <div class="card compose-picture">
            <Picture widget={widget} preview={preview} />
          </div>
          <Behind widget={widget} preview={preview} />
        </section>
        <section class="card compose-right" aria-label="How it looks">
          <Properties editor={editor} widget={widget} preview={preview} trial={trial} dashboards={dashboards} change={change} />
        </section>
      </div>
      {turning && (
        <Confirm
          title="Go on in SQL?"
          action="Go on in SQL"
          onConfirm={() => {
            setTurning(false);
            const sql = asSql(widget);
            change(() => sql);
            setRan(sql.sql);
          }}
          onClose={() => setTurning(false)}
        >
          <p>
            The query becomes SQL that asks the same. From then on the widget is changed as SQL: there is no way back to
            choosing columns, but undo.
          </p>
        </Confirm>
      )}
    </div>
  );
}

/** The rows and the SQL behind the picture. */
function Behind({ widget, preview }: { widget: Widget; preview: Preview }) {
  const [tab, setTab] = useState("data");
  const { answer, compiled } = preview;
  return (
    <Tabs
      label="Behind the picture"
      chosen={tab}
      onChoose={setTab}
      tabs={[
        { id: "data", label: answer ? `Data (${answer.row_count})` : "Data" },
        { id: "sql", label: "SQL that runs" },
      ]}
    >
      {tab === "data" ? (
        answer ? (
          <ResultTable title={widget.title || widget.name} spec={widget} result={answer} all />
        ) : (
          <p class="quiet">There is no answer yet.</p>
        )
      ) : compiled ? (
        <>
          <pre class="code">{compiled.sql}</pre>
          {Object.keys(compiled.parameters).length > 0 && (
            <dl class="facts compose-parameters">
              {Object.entries(compiled.parameters).map(([name, value]) => (
                <Fragment key={name}>
                  <dt>
                    <code>${name}</code>
                  </dt>
                  <dd>
                    <code>{JSON.stringify(value)}</code>
                  </dd>
                </Fragment>
              ))}
            </dl>
          )}
          {answer && (
            <p class="quiet">
              Over snapshot {answer.snapshot.number}, as of {answer.snapshot.as_of}.
            </p>
          )}
        </>
      ) : (
        <p class="quiet">There is no query yet.</p>
      )}
    </Tabs>
  );
}
