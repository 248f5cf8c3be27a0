// A rule about what events, or rows of another table, add up to.

import { Button } from "../../../ui/Button.tsx";
import { SelectField } from "../../../ui/Field.tsx";
import { firstTest, fresh } from "../rule/fresh.ts";
import { AGGREGATES, type Aggregate, type EventsNode, type Node, type RelationNode } from "../rule/model.ts";
import { useCanvas } from "./context.ts";
import { NameField } from "./NameField.tsx";
import { OF_NUMBERS, TestFields } from "./TestFields.tsx";
import { WindowFields } from "./WindowFields.tsx";

const SAID: Record<Aggregate, string> = {
  count: "the number",
  sum: "the sum",
  avg: "the mean",
  min: "the least",
  max: "the greatest",
};

export function AddedFields({ node }: { node: EventsNode | RelationNode }) {
  const { names, update } = useCanvas();
  const isEvents = node.kind === "events";
  const change = (next: Partial<EventsNode> & Partial<RelationNode>, about?: string) =>
    update(node.id, (before) => ({ ...before, ...next }) as Node, about);
  const measures = isEvents
    ? (names.sources.find((one) => one.name === node.source)?.measures ?? [])
    : (names.relations.find((one) => one.name === node.table)?.columns ?? [])
        .filter((column) => column.kind === "whole" || column.kind === "number")
        .map((column) => column.name);
  const isCount = node.aggregate === "count";
  // Sources whose events have no ids keep sums of days.
  const hasEvents = !isEvents || (names.sources.find((one) => one.name === node.source)?.event_id ?? true);
  const aggregates = AGGREGATES.filter(
    (one) => hasEvents || one === "count" || one === "sum" || one === node.aggregate,
  );
  const aggregate = (word: string) => {
    const chosen = word as Aggregate;
    change({ aggregate: chosen, measure: chosen === "count" ? null : (node.measure ?? measures[0] ?? "") });
  };
  const thing = isEvents ? node.source : node.table;
  return (
    <>
      <SelectField
        label="What is added up"
        labelUnseen
        value={node.aggregate}
        choices={aggregates.map((one) => ({ value: one, label: SAID[one] }))}
        onValue={aggregate}
      />
      {!isCount && (
        <NameField
          label="Measure"
          value={node.measure ?? ""}
          names={measures}
          none="measure"
          onValue={(measure) => change({ measure }, `measure ${node.id}`)}
        />
      )}
      <span aria-hidden="true">
        {isCount ? (isEvents ? "of events of" : "of rows of") : isEvents ? "over events of" : "over rows of"}
      </span>
      {isEvents ? (
        <NameField
          label="Source of events"
          value={node.source}
          names={names.sources.map((source) => source.name)}
          none="source"
          onValue={(source) => change({ source }, `source ${node.id}`)}
        />
      ) : (
        <NameField
          label="Table"
          value={node.table}
          names={names.relations.map((one) => one.name)}
          none="choose a table"
          onValue={(table) => change({ table })}
        />
      )}
      {isEvents && (
        <>
          <span aria-hidden="true">in</span>
          <WindowFields
            label={`Days, ${thing}`}
            window={node.window}
            mayBeEver
            onWindow={(window) => change({ window }, `window ${node.id}`)}
          />
        </>
      )}
      <TestFields
        label={thing}
        test={node.test}
        kind="number"
        operators={OF_NUMBERS}
        onTest={(test) => change({ test }, `test ${node.id}`)}
      />
    </>
  );
}

/** Picks which of the events or rows count. */
export function WhereButton({ thing, onWhere }: { thing: string; onWhere: (where: Node) => void }) {
  const { names } = useCanvas();
  const column = () => ({ ...fresh("column", names), test: firstTest("text") }) as Node;
  return (
    <Button kind="quiet" onClick={() => onWhere({ ...fresh("all", names), rules: [column()] } as Node)}>
      Pick {thing}…
    </Button>
  );
}
