// A rule on the canvas: its fields, what is wrong with it, and what can be done with it. Containers have the rules
// within them, in a list into which others can be moved.

import { Button } from "../../../ui/Button.tsx";
import { SelectField } from "../../../ui/Field.tsx";
import * as edit from "../rule/edit.ts";
import { isContainer, type EventsNode, type Group, type Node, type RelationNode, type Steps } from "../rule/model.ts";
import { said } from "../rule/words.ts";
import { AddedFields, WhereButton } from "./AddedFields.tsx";
import { ColumnFields } from "./ColumnFields.tsx";
import { useCanvas } from "./context.ts";
import { Grip } from "./Grip.tsx";
import { NodeMenu } from "./NodeMenu.tsx";
import { AudienceFields, MovedFields } from "./OtherFields.tsx";
import { SequenceFields } from "./SequenceFields.tsx";

const KINDS = [
  { value: "all", label: "All of these hold" },
  { value: "any", label: "One of these holds at least" },
  { value: "none", label: "None of these holds" },
  { value: "steps", label: "Steps: take in, take out" },
];

export function NodeCard({ node, scope }: { node: Node; scope: edit.Scope }) {
  const canvas = useCanvas();
  const wrong = canvas.findings.filter((finding) => finding.id === node.id);
  const isBad = wrong.length > 0 || canvas.blamed.includes(node.id);
  return (
    <div
      class={`rule ${isContainer(node) ? `container ${node.kind}` : "leaf"} ${isBad ? "bad" : ""}`}
      role="group"
      aria-label={said(node)}
    >
      <div class="rule-head">
        <Grip node={node} />
        <div class="rule-fields">
          {isContainer(node) ? <ContainerKind node={node} scope={scope} /> : <Fields node={node} scope={scope} />}
        </div>
        <NodeMenu node={node} scope={scope} />
      </div>
      {wrong.map((finding) => (
        <p key={finding.message} class="field-error">
          {finding.message}
        </p>
      ))}
      {isContainer(node) && <Inside node={node} scope={scope} />}
      {(node.kind === "events" || node.kind === "relation") && <Where node={node} />}
    </div>
  );
}

function Fields({ node, scope }: { node: Node; scope: edit.Scope }) {
  switch (node.kind) {
    case "column":
      return <ColumnFields node={node} scope={scope} />;
    case "events":
    case "relation":
      return <AddedFields node={node} />;
    case "sequence":
      return <SequenceFields node={node} />;
    case "audience":
      return <AudienceFields node={node} />;
    case "moved":
      return <MovedFields node={node} />;
    default:
      return null;
  }
}

function ContainerKind({ node, scope }: { node: Group | Steps; scope: edit.Scope }) {
  const { root, replace } = useCanvas();
  const choices = scope.of === "customer" ? KINDS : KINDS.filter((kind) => kind.value !== "steps");
  const convert = (kind: string) =>
    replace(edit.convert(root, node.id, kind as Group["kind"] | "steps"), "The container was changed");
  return (
    <SelectField label="What the container asks" labelUnseen value={node.kind} choices={choices} onValue={convert} />
  );
}

function Inside({ node, scope }: { node: Group | Steps; scope: edit.Scope }) {
  const { add } = useCanvas();
  const parts = edit.parts(node);
  return (
    <>
      <ul class="rules">
        {parts.map((part, place) => (
          <li key={part.id}>
            <Slot parent={node.id} index={place} />
            {node.kind === "steps" && <Verb node={node} place={place} />}
            <NodeCard node={part} scope={scope} />
          </li>
        ))}
        <li class="rules-end">
          <Slot parent={node.id} index={parts.length} />
          <Button kind="quiet" onClick={() => add(node.id, parts.length)}>
            + {node.kind === "steps" ? "Add a step" : "Add a rule"}
          </Button>
        </li>
      </ul>
    </>
  );
}

/** A place into which a rule can be dropped; to be seen while one is dragged. */
function Slot({ parent, index }: { parent: string; index: number }) {
  return <span class="slot" data-parent={parent} data-index={index} aria-hidden="true" />;
}

function Verb({ node, place }: { node: Steps; place: number }) {
  const { update } = useCanvas();
  const step = node.steps[place];
  if (step === undefined) return null;
  const choose = (verb: string) =>
    update(node.id, (before) => {
      const steps = (before as Steps).steps.map((one) =>
        one.id === step.id ? { ...one, verb: verb as "include" | "exclude" } : one,
      );
      return { ...before, steps } as Steps;
    });
  const choices = [
    { value: "include", label: "Take in those for whom" },
    { value: "exclude", label: "Take out those for whom" },
  ];
  return (
    <div class={`verb ${step.verb}`}>
      <span class="quiet">{place + 1}.</span>
      <SelectField label={`Step ${place + 1}`} labelUnseen value={step.verb} choices={choices} onValue={choose} />
    </div>
  );
}

function Where({ node }: { node: EventsNode | RelationNode }) {
  const { update } = useCanvas();
  const isEvents = node.kind === "events";
  const scope: edit.Scope = isEvents ? { of: "events", source: node.source } : { of: "rows", table: node.table };
  if (node.where === null) {
    const put = (where: Node) => update(node.id, (before) => ({ ...before, where }) as Node);
    return (
      <div class="where">
        <WhereButton thing={isEvents ? "events" : "rows"} onWhere={put} />
      </div>
    );
  }
  return (
    <div class="where">
      <span class="quiet">of those for which</span>
      <NodeCard node={node.where} scope={scope} />
    </div>
  );
}
