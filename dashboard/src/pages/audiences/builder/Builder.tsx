// The builder of an audience: the canvas of rules, the count beside it, and the file that comes of both.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { at, guardLeaving } from "../../../location.ts";
import { Button } from "../../../ui/Button.tsx";
import { Tabs } from "../../../ui/Tabs.tsx";
import { announce } from "../../../ui/Toast.tsx";
import { check, isEmpty, namedIn } from "../rule/check.ts";
import * as edit from "../rule/edit.ts";
import type { Node } from "../rule/model.ts";
import { text } from "../rule/text.ts";
import type { Vocabulary } from "../rule/vocabulary.ts";
import { RuleWords } from "../RuleWords.tsx";
import { AddDialog } from "./AddDialog.tsx";
import { CanvasProvider, gripId, type Canvas } from "./context.ts";
import { CountPanel } from "./CountPanel.tsx";
import { countedText, draftFindings, type Draft } from "./document.ts";
import { FilePanel } from "./FilePanel.tsx";
import * as history from "../../../history.ts";
import { MetaFields } from "./MetaFields.tsx";
import { NodeCard } from "./NodeCard.tsx";
import { SaveBar } from "./SaveBar.tsx";
import type { Saved } from "./saved.ts";
import { SqlPanel } from "./SqlPanel.tsx";
import { TextPanel } from "./TextPanel.tsx";
import { useCount } from "./useCount.ts";

/** Customers that are shown beside the count. */
const SAMPLE = 10;

const WHOLE: edit.Scope = { of: "customer" };

interface Props {
  names: Vocabulary;
  begun: Saved;
}

export function Builder({ names, begun }: Props) {
  const [state, setState] = useState(() => history.begun(begun.draft));
  const [saved, setSaved] = useState(begun);
  const [adding, setAdding] = useState<{ parent: string; index: number } | null>(null);
  const [view, setView] = useState("text");
  const focus = useRef<string | null>(null);
  const draft = state.present;
  const root = draft.rule;
  const isChanged = draft !== saved.draft;

  const findings = useMemo(() => check(root, names), [root, names]);
  const waiting = isEmpty(root)
    ? "Add a rule to see whom it chooses."
    : findings.length > 0
      ? `Nothing is counted while the rule is not whole: ${findings[0]?.message ?? ""}.`
      : null;
  const whole = waiting === null ? countedText(draft) : null;
  const alone = waiting === null && whole !== text(root) ? text(root) : null;
  const count = useCount(whole, at.value, SAMPLE);
  const byRule = useCount(alone, at.value, 0);
  const blamed = useMemo(() => (count.error ? namedIn(root, count.error.detail) : []), [root, count.error]);

  const set = (next: Draft, about: string | null = null) => setState((before) => history.changed(before, next, about));
  const canvas: Canvas = {
    names,
    root,
    findings: isEmpty(root) ? [] : findings,
    blamed,
    update: (id, change, about) => set({ ...draft, rule: edit.update(root, id, change) }, about ?? null),
    replace: (rule, said, to) => {
      set({ ...draft, rule });
      announce(said);
      focus.current = to ?? null;
    },
    add: (parent, index) => setAdding({ parent, index }),
  };

  // Not before the paint: a dialog that closes with the change gives the focus back just then.
  useEffect(() => {
    if (focus.current === null) return;
    const grip = document.getElementById(gripId(focus.current));
    focus.current = null;
    grip?.focus();
  }, [root]);

  useEffect(() => {
    guardLeaving(isChanged ? () => confirm("Leave the builder? What was changed is not saved.") : null);
    return () => guardLeaving(null);
  }, [isChanged]);

  const put = (node: Node) => {
    if (adding === null) return;
    const place = adding;
    setAdding(null);
    canvas.replace(edit.insert(root, place.parent, place.index, node), "A rule was added", node.id);
  };
  const scope = adding === null ? WHOLE : scopeInside(root, adding.parent);
  const off = waiting !== null || Object.keys(draftFindings(draft)).length > 0 ? "the audience is not whole yet" : null;

  return (
    <CanvasProvider value={canvas}>
      <div class="builder">
        <div class="stack">
          <div class="row" role="group" aria-label="Changes">
            <Button
              kind="quiet"
              disabledBecause={state.past.length === 0 ? "nothing was changed" : null}
              onClick={() => setState(history.undone)}
            >
              Undo
            </Button>
            <Button
              kind="quiet"
              disabledBecause={state.future.length === 0 ? "nothing was undone" : null}
              onClick={() => setState(history.redone)}
            >
              Redo
            </Button>
            <SaveBar draft={draft} saved={saved} taken={names.audiences} off={off} onSaved={setSaved} />
          </div>
          <section class="canvas" aria-label="Rules">
            <NodeCard node={root} scope={WHOLE} />
          </section>
          <MetaFields
            draft={draft}
            name={saved.name}
            names={names}
            onChange={(next, about) => set({ ...draft, ...next }, about ?? null)}
          />
          <Tabs
            label="Other forms of the rule"
            tabs={[
              { id: "text", label: "Text" },
              { id: "words", label: "In words" },
              { id: "sql", label: "SQL" },
              { id: "file", label: "File" },
            ]}
            chosen={view}
            onChoose={setView}
          >
            {view === "text" && (
              <TextPanel root={root} onRoot={(rule) => set({ ...draft, rule }, "text")} />
            )}
            {view === "words" &&
              (isEmpty(root) ? <p class="quiet">There is no rule yet.</p> : <RuleWords rule={root} />)}
            {view === "file" && <FilePanel draft={draft} saved={saved} />}
            {view === "sql" && <SqlPanel text={whole} />}
          </Tabs>
        </div>
        <CountPanel count={count} alone={alone === null ? null : byRule} waiting={waiting} published={begun.members} />
      </div>
      {adding !== null && <AddDialog scope={scope} names={names} onAdd={put} onClose={() => setAdding(null)} />}
    </CanvasProvider>
  );
}

/** What the columns of rules in a container are those of. */
function scopeInside(root: Node, parent: string): edit.Scope {
  return edit.spot(root, parent)?.scope ?? WHOLE;
}
