// A rule about a column: of a customer, of events, or of rows of another table.

import { SelectField } from "../../../ui/Field.tsx";
import { kindIn } from "../rule/check.ts";
import type { Scope } from "../rule/edit.ts";
import { firstTest } from "../rule/fresh.ts";
import type { ColumnNode, MovedNode } from "../rule/model.ts";
import type { RuleColumn } from "../rule/vocabulary.ts";
import { ColumnSelect } from "./ColumnSelect.tsx";
import { useCanvas } from "./context.ts";
import { NameField } from "./NameField.tsx";
import { operatorsOf, TestFields } from "./TestFields.tsx";
import { useDimension, useKeys, useValues } from "./useValues.ts";

interface Props {
  node: ColumnNode;
  scope: Scope;
}

export function ColumnFields({ node, scope }: Props) {
  const { names } = useCanvas();
  if (scope.of === "customer")
    return <OfCustomer node={node} column={names.columns.find((one) => one.name === node.column)} />;
  if (scope.of === "rows") {
    const relation = names.relations.find((one) => one.name === scope.table);
    return <OfRows node={node} scope={scope} columns={relation?.columns ?? []} />;
  }
  return <OfEvents node={node} scope={scope} />;
}

function OfCustomer({ node, column }: { node: ColumnNode; column: RuleColumn | undefined }) {
  const { names, update } = useCanvas();
  const known = useValues(column);
  const change = (next: Partial<ColumnNode>, about?: string) =>
    update(node.id, (before) => ({ ...before, ...next }) as ColumnNode, about);
  const kind = column?.kind ?? null;
  const choose = (chosen: RuleColumn) => {
    // The comparison stays where it fits the new column.
    const isSame =
      column !== undefined && chosen.kind === column.kind && chosen.isTile === column.isTile && !chosen.namesPeople;
    const test = isSame ? node.test : firstTest(chosen.isTile ? "tiles" : chosen.kind);
    change({ column: chosen.name, key: chosen.kind === "tiles" ? "" : null, test });
  };
  return (
    <>
      <ColumnSelect label="Column" value={node.column} columns={names.columns} onColumn={choose} />
      <KeyField node={node} column={column} onKey={(key) => change({ key }, `key ${node.id}`)} />
      <TestFields
        label={node.column}
        test={node.test}
        kind={kind === "tiles" ? "whole" : kind}
        operators={operatorsOf(kind, column?.namesPeople ?? false)}
        known={known}
        lists={names.lists}
        onTest={(test) => change({ test }, `test ${node.id}`)}
      />
    </>
  );
}

/** The value of the dimension, for columns of tiles that have one tile for each. */
export function KeyField({
  node,
  column,
  onKey,
}: {
  node: ColumnNode | MovedNode;
  column: RuleColumn | undefined;
  onKey: (key: string) => void;
}) {
  const keys = useKeys(column);
  if (column?.kind !== "tiles") return null;
  return (
    <>
      <span aria-hidden="true">for</span>
      <NameField
        label={`Value of the dimension of ${node.column}`}
        value={node.key ?? ""}
        names={keys}
        none="choose a value"
        onValue={onKey}
      />
    </>
  );
}

function OfEvents({ node, scope }: { node: ColumnNode; scope: Scope & { of: "events" } }) {
  const { names, update } = useCanvas();
  const source = names.sources.find((one) => one.name === scope.source);
  const known = useDimension(node.column);
  return (
    <>
      <NameField
        label="Dimension"
        value={node.column}
        names={source?.dimensions ?? []}
        none="dimension"
        onValue={(column) => update(node.id, (before) => ({ ...before, column }) as ColumnNode, `column ${node.id}`)}
      />
      <TestFields
        label={node.column}
        test={node.test}
        kind="text"
        operators={operatorsOf("text", false).filter((operator) => !operator.endsWith(" list"))}
        known={known}
        onTest={(test) => update(node.id, (before) => ({ ...before, test }) as ColumnNode, `test ${node.id}`)}
      />
    </>
  );
}

function OfRows({ node, scope, columns }: { node: ColumnNode; scope: Scope; columns: RuleColumn[] }) {
  const { names, update } = useCanvas();
  const column = columns.find((one) => one.name === node.column);
  const known = useValues(column);
  const kind = kindIn(node.column, scope, names);
  const choices = [
    ...(column === undefined ? [{ value: node.column, label: node.column || "choose a column" }] : []),
    ...columns.map((one) => ({ value: one.name, label: one.name })),
  ];
  const choose = (name: string) => {
    const chosen = columns.find((one) => one.name === name);
    const test = chosen?.kind === kind ? node.test : firstTest(chosen?.kind ?? null);
    update(node.id, (before) => ({ ...before, column: name, test }) as ColumnNode);
  };
  return (
    <>
      <SelectField label="Column" labelUnseen value={node.column} choices={choices} onValue={choose} />
      <TestFields
        label={node.column}
        test={node.test}
        kind={kind}
        operators={operatorsOf(kind, column?.namesPeople ?? false)}
        known={known}
        lists={names.lists}
        onTest={(test) => update(node.id, (before) => ({ ...before, test }) as ColumnNode, `test ${node.id}`)}
      />
    </>
  );
}
