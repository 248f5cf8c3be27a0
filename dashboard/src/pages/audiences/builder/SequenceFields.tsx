// A rule about events that came one after the other.

import { Button } from "../../../ui/Button.tsx";
import { TextField } from "../../../ui/Field.tsx";
import { MOST_STEPS } from "../rule/check.ts";
import { newId, type SequenceNode, type SequenceStep } from "../rule/model.ts";
import { WhereButton } from "./AddedFields.tsx";
import { useCanvas } from "./context.ts";
import { NameField } from "./NameField.tsx";
import { NodeCard } from "./NodeCard.tsx";
import { WindowFields } from "./WindowFields.tsx";

export function SequenceFields({ node }: { node: SequenceNode }) {
  const { update } = useCanvas();
  const change = (next: Partial<SequenceNode>, about?: string) =>
    update(node.id, (before) => ({ ...before, ...next }) as SequenceNode, about);
  const last = node.steps.at(-1);
  const add = () =>
    change({
      steps: [...node.steps, { id: newId(), source: last?.source ?? "", where: null, afterDays: 0, withinDays: 30 }],
    });
  return (
    <div class="sequence">
      <div class="row">
        <span>These events in this order, in</span>
        <WindowFields
          label="Days of all events"
          window={node.window}
          mayBeEver
          onWindow={(window) => change({ window }, `window ${node.id}`)}
        />
      </div>
      <ol>
        {node.steps.map((step, place) => (
          <Step key={step.id} node={node} step={step} place={place} />
        ))}
      </ol>
      <Button
        kind="quiet"
        disabledBecause={node.steps.length >= MOST_STEPS ? `a sequence has ${MOST_STEPS} events at most` : null}
        onClick={add}
      >
        Add an event
      </Button>
    </div>
  );
}

function Step({ node, step, place }: { node: SequenceNode; step: SequenceStep; place: number }) {
  const { names, update, findings } = useCanvas();
  // Nothing comes before the first event.
  const all = (steps: SequenceStep[]) => {
    const inOrder = steps.map((one, at) => (at === 0 ? { ...one, afterDays: 0, withinDays: null } : one));
    update(node.id, (before) => ({ ...before, steps: inOrder }) as SequenceNode);
  };
  const change = (next: Partial<SequenceStep>, about?: string) => {
    const steps = node.steps.map((one) => (one.id === step.id ? { ...one, ...next } : one));
    update(node.id, (before) => ({ ...before, steps }) as SequenceNode, about);
  };
  const swap = (other: number) => {
    const steps = [...node.steps];
    [steps[place], steps[other]] = [steps[other] as SequenceStep, steps[place] as SequenceStep];
    all(steps);
  };
  const days = (text: string) => (/^\d{1,5}$/.test(text) ? Number(text) : null);
  const wrong = findings.filter((finding) => finding.id === step.id);
  const name = `event ${place + 1}`;
  return (
    <li>
      <div class="row">
        <NameField
          label={`Source of ${name}`}
          value={step.source}
          names={names.sources.map((one) => one.name)}
          none="source"
          onValue={(source) => change({ source }, `source ${step.id}`)}
        />
        {place > 0 && (
          <>
            <span aria-hidden="true">at least</span>
            <TextField
              label={`Days before ${name}, at least`}
              labelUnseen
              class="short"
              inputMode="numeric"
              value={String(step.afterDays)}
              onValue={(text) => change({ afterDays: days(text) ?? 0 }, `after ${step.id}`)}
            />
            <span aria-hidden="true">and at most</span>
            <TextField
              label={`Days before ${name}, at most`}
              labelUnseen
              class="short"
              inputMode="numeric"
              placeholder="any"
              value={step.withinDays === null ? "" : String(step.withinDays)}
              onValue={(text) => change({ withinDays: days(text) }, `within ${step.id}`)}
            />
            <span aria-hidden="true">days later</span>
          </>
        )}
        {step.where === null && <WhereButton thing="events" onWhere={(where) => change({ where })} />}
        <span class="row end">
          <Button
            kind="quiet"
            aria-label={`Move ${name} up`}
            disabledBecause={place === 0 ? "it is the first" : null}
            onClick={() => swap(place - 1)}
          >
            ↑
          </Button>
          <Button
            kind="quiet"
            aria-label={`Move ${name} down`}
            disabledBecause={place === node.steps.length - 1 ? "it is the last" : null}
            onClick={() => swap(place + 1)}
          >
            ↓
          </Button>
          <Button
            kind="quiet"
            aria-label={`Remove ${name}`}
            disabledBecause={node.steps.length <= 2 ? "a sequence has two events at least" : null}
            onClick={() => all(node.steps.filter((one) => one.id !== step.id))}
          >
            ✕
          </Button>
        </span>
      </div>
      {wrong.map((finding) => (
        <p key={finding.message} class="field-error">
          {finding.message}
        </p>
      ))}
      {step.where !== null && (
        <div class="where">
          <span class="quiet">of those for which</span>
          <NodeCard node={step.where} scope={{ of: "events", source: step.source }} />
        </div>
      )}
    </li>
  );
}
