// Rules about other audiences, and about tiles that were other ones in the snapshot before.

import type { AudienceNode, MovedNode } from "../rule/model.ts";
import { KeyField } from "./ColumnFields.tsx";
import { ColumnSelect } from "./ColumnSelect.tsx";
import { useCanvas } from "./context.ts";
import { NameField } from "./NameField.tsx";
import { operatorsOf, TestFields } from "./TestFields.tsx";

export function AudienceFields({ node }: { node: AudienceNode }) {
  const { names, update } = useCanvas();
  return (
    <>
      <span>is in the audience</span>
      <NameField
        label="Audience"
        value={node.audience}
        names={names.audiences}
        none="choose an audience"
        onValue={(audience) => update(node.id, (before) => ({ ...before, audience }) as AudienceNode)}
      />
    </>
  );
}

export function MovedFields({ node }: { node: MovedNode }) {
  const { names, update } = useCanvas();
  const change = (next: Partial<MovedNode>, about?: string) =>
    update(node.id, (before) => ({ ...before, ...next }) as MovedNode, about);
  const tiles = names.columns.filter((column) => column.isTile);
  const column = tiles.find((one) => one.name === node.column);
  const operators = operatorsOf("whole", false).filter((operator) => !operator.endsWith(" list"));
  return (
    <>
      <ColumnSelect
        label="Column of tiles"
        value={node.column}
        columns={tiles}
        onColumn={(chosen) => change({ column: chosen.name, key: chosen.kind === "tiles" ? "" : null })}
      />
      <KeyField node={node} column={column} onKey={(key) => change({ key }, `key ${node.id}`)} />
      <span aria-hidden="true">before</span>
      <TestFields
        label={`${node.column} in the snapshot before`}
        test={node.from}
        kind="whole"
        operators={operators}
        onTest={(from) => change({ from }, `from ${node.id}`)}
      />
      <span aria-hidden="true">and now</span>
      <TestFields
        label={`${node.column} now`}
        test={node.to}
        kind="whole"
        operators={operators}
        onTest={(to) => change({ to }, `to ${node.id}`)}
      />
    </>
  );
}
