// What can be done with a rule beside filling it in: move, copy, put into a container, take out.

import { Button } from "../../../ui/Button.tsx";
import { Menu, type MenuItem } from "../../../ui/Menu.tsx";
import * as edit from "../rule/edit.ts";
import { isContainer, type Node } from "../rule/model.ts";
import { said } from "../rule/words.ts";
import { useCanvas } from "./context.ts";

const MOVES: { direction: edit.Direction; label: string; keys: string; none: string }[] = [
  { direction: "up", label: "Move up", keys: "↑", none: "it is the first" },
  { direction: "down", label: "Move down", keys: "↓", none: "it is the last" },
  { direction: "out", label: "Move out of the container", keys: "←", none: "there is no container around this one" },
  { direction: "in", label: "Move into the container beside", keys: "→", none: "there is no container beside" },
];

export function NodeMenu({ node, scope }: { node: Node; scope: edit.Scope }) {
  const { root, replace } = useCanvas();
  const at = edit.spot(root, node.id);
  const isRoot = at?.parent == null;
  const isListed = at?.index != null;
  const name = said(node);
  const items: MenuItem[] = [];
  if (isListed) {
    for (const { direction, label, keys, none } of MOVES) {
      const off = edit.next(root, node.id, direction) === null ? none : null;
      items.push({ label, keys, off, act: () => replace(edit.step(root, node.id, direction), "Moved", node.id) });
    }
    items.push({
      label: "Duplicate",
      act: () => {
        const copied = edit.duplicate(root, node.id);
        replace(copied.root, "Duplicated", copied.id);
      },
    });
  }
  const kinds =
    scope.of === "customer" ? (["all", "any", "none", "steps"] as const) : (["all", "any", "none"] as const);
  const words = { all: "all of these hold", any: "one of these holds", none: "none of these holds", steps: "steps" };
  for (const kind of kinds) {
    items.push({
      label: `Put into “${words[kind]}”`,
      act: () => {
        const wrapped = edit.wrap(root, node.id, kind);
        replace(wrapped.root, "Put into a container", wrapped.id);
      },
    });
  }
  if (isContainer(node)) {
    const parts = edit.parts(node);
    const off = isListed || parts.length === 1 ? null : "it stands for the whole, and has not one rule alone";
    items.push({
      label: "Take the container away",
      off,
      act: () => replace(edit.unwrap(root, node.id), "The container was taken away", parts[0]?.id),
    });
  }
  const remove = () => {
    const siblings = at?.parent ? edit.parts(at.parent) : [];
    const neighbour = at?.index == null ? at?.parent : (siblings[at.index + 1] ?? siblings[at.index - 1] ?? at.parent);
    replace(edit.remove(root, node.id), "Removed", neighbour?.id);
  };
  return (
    <div class="rule-menu">
      <Menu label={`More for: ${name}`} items={items}>
        <span aria-hidden="true">⋯</span>
      </Menu>
      {!isRoot && (
        <Button kind="quiet" aria-label={`Remove: ${name}`} title="Remove" onClick={remove}>
          ✕
        </Button>
      )}
    </div>
  );
}
