// Changes to the tree of a rule: each gives a new tree and leaves the old one as it was, so that steps can be undone.
// A node stands in a list (that of a container or of steps) or in the place of `where`, which holds one.

import { isContainer, isGroup, newId, type Node, type SequenceStep, type Steps } from "./model.ts";

/** What the columns of a node are those of. */
export type Scope = { of: "customer" } | { of: "events"; source: string } | { of: "rows"; table: string };

/** Where a node stands. */
export interface Spot {
  /** The container, steps, or the node whose `where` it is; null for the rule as a whole. */
  parent: Node | null;
  /** The place among the parent's list, or null in a `where`. */
  index: number | null;
  scope: Scope;
  depth: number;
}

/** The nodes right below one, in their order, those of `where` among them. */
export function parts(node: Node): Node[] {
  if (isGroup(node)) return node.rules;
  if (node.kind === "steps") return node.steps.map((step) => step.rule);
  if (node.kind === "events" || node.kind === "relation") return node.where === null ? [] : [node.where];
  if (node.kind === "sequence") return node.steps.flatMap((step) => (step.where === null ? [] : [step.where]));
  return [];
}

/** The node and all below it. */
export function all(node: Node): Node[] {
  return [node, ...parts(node).flatMap(all)];
}

export function find(root: Node, id: string): Node | null {
  return all(root).find((node) => node.id === id) ?? null;
}

/** Where the node of an id stands, or null where there is none. */
export function spot(root: Node, id: string): Spot | null {
  const look = (node: Node, at: Spot): Spot | null => {
    if (node.id === id) return at;
    for (const [index, part] of parts(node).entries()) {
      const isListed = isContainer(node);
      const below: Spot = {
        parent: node,
        index: isListed ? index : null,
        scope: scopeBelow(node, part, at.scope),
        depth: at.depth + 1,
      };
      const found = look(part, below);
      if (found !== null) return found;
    }
    return null;
  };
  return look(root, { parent: null, index: null, scope: { of: "customer" }, depth: 0 });
}

function scopeBelow(node: Node, part: Node, scope: Scope): Scope {
  if (node.kind === "events") return { of: "events", source: node.source };
  if (node.kind === "relation") return { of: "rows", table: node.table };
  if (node.kind !== "sequence") return scope;
  const step = node.steps.find((one) => one.where?.id === part.id);
  return { of: "events", source: step?.source ?? "" };
}

/** The tree with what stands right below a node changed: by several nodes in a list, by one or none in a `where`. */
function withParts(node: Node, change: (part: Node) => Node[]): Node {
  const picked = (where: Node | null): Node | null => (where === null ? null : (change(where)[0] ?? null));
  if (isGroup(node)) return { ...node, rules: node.rules.flatMap(change) };
  if (node.kind === "steps") {
    const steps = node.steps.flatMap((step) =>
      change(step.rule).map((rule, place) => ({ ...step, id: place === 0 ? step.id : newId(), rule })),
    );
    return { ...node, steps };
  }
  if (node.kind === "events" || node.kind === "relation") return { ...node, where: picked(node.where) };
  if (node.kind === "sequence") {
    return { ...node, steps: node.steps.map((step): SequenceStep => ({ ...step, where: picked(step.where) })) };
  }
  return node;
}

/** Puts something else in the place of a node. */
function instead(root: Node, id: string, change: (node: Node) => Node[]): Node {
  if (root.id === id) return change(root)[0] ?? root;
  return withParts(root, (part) => (part.id === id ? change(part) : [instead(part, id, change)]));
}

/** The tree with a node changed. */
export function update(root: Node, id: string, change: (node: Node) => Node): Node {
  return instead(root, id, (node) => [change(node)]);
}

/** The tree without a node; the rule as a whole stays. */
export function remove(root: Node, id: string): Node {
  return root.id === id ? root : instead(root, id, () => []);
}

/** The tree with a node put into the list of another one, before the place `index`. */
export function insert(
  root: Node,
  parent: string,
  index: number,
  node: Node,
  verb: "include" | "exclude" = "include",
): Node {
  return update(root, parent, (target) => {
    if (isGroup(target)) return { ...target, rules: target.rules.toSpliced(index, 0, node) };
    if (target.kind !== "steps") return target;
    return { ...target, steps: target.steps.toSpliced(index, 0, { id: newId(), verb, rule: node }) };
  });
}

/** A copy with ids of its own. */
export function copy(node: Node): Node {
  const fresh: Node = { ...withParts(node, (part) => [copy(part)]), id: newId() };
  if (fresh.kind === "steps") fresh.steps = fresh.steps.map((step) => ({ ...step, id: newId() }));
  if (fresh.kind === "sequence") fresh.steps = fresh.steps.map((step) => ({ ...step, id: newId() }));
  return fresh;
}

/** The tree with a copy of a node right behind it, and the id of the copy. */
export function duplicate(root: Node, id: string): { root: Node; id: string } {
  const node = find(root, id);
  const at = spot(root, id);
  if (node === null || at?.parent == null || at.index === null) return { root, id };
  const second = copy(node);
  const verb = at.parent.kind === "steps" ? at.parent.steps[at.index]?.verb : undefined;
  return { root: insert(root, at.parent.id, at.index + 1, second, verb), id: second.id };
}

/** Whether a node may stand in the list of another one: not within itself, and among columns of the same things. */
export function fits(root: Node, id: string, parent: string): boolean {
  const node = find(root, id);
  const target = find(root, parent);
  const from = spot(root, id);
  const to = spot(root, parent);
  if (node === null || target === null || from === null || to === null || from.parent === null) return false;
  if (!isContainer(target)) return false;
  if (all(node).some((one) => one.id === parent)) return false;
  return JSON.stringify(from.scope) === JSON.stringify(to.scope);
}

/** Moves a node into a list, before the place `index` as the list is now. */
export function move(root: Node, id: string, parent: string, index: number): Node {
  const node = find(root, id);
  const from = spot(root, id);
  if (node === null || from === null || !fits(root, id, parent)) return root;
  const verb = from.parent?.kind === "steps" && from.index !== null ? from.parent.steps[from.index]?.verb : undefined;
  const isSame = from.parent?.id === parent;
  const before = isSame && from.index !== null && from.index < index ? index - 1 : index;
  return insert(remove(root, id), parent, before, node, verb);
}

export type Direction = "up" | "down" | "out" | "in";

/** Where a node goes when it is moved one place by keys: the list and the place in it, or null where it cannot go. */
export function next(root: Node, id: string, direction: Direction): { parent: string; index: number } | null {
  const at = spot(root, id);
  if (at?.parent == null || at.index === null) return null;
  const siblings = parts(at.parent);
  if (direction === "up") return at.index > 0 ? { parent: at.parent.id, index: at.index - 1 } : null;
  if (direction === "down")
    return at.index < siblings.length - 1 ? { parent: at.parent.id, index: at.index + 2 } : null;
  if (direction === "out") {
    const above = spot(root, at.parent.id);
    if (above?.parent == null || above.index === null) return null;
    return { parent: above.parent.id, index: above.index + 1 };
  }
  const before = siblings[at.index - 1];
  const after = siblings[at.index + 1];
  const holds = (node: Node | undefined): node is Node => node !== undefined && isContainer(node);
  if (holds(before)) return { parent: before.id, index: parts(before).length };
  return holds(after) ? { parent: after.id, index: 0 } : null;
}

/** Moves a node one place by keys; the same tree where it cannot go. */
export function step(root: Node, id: string, direction: Direction): Node {
  const target = next(root, id, direction);
  return target === null ? root : move(root, id, target.parent, target.index);
}

/** Puts a node into a container of its own, in its place. The id of the container is new. */
export function wrap(root: Node, id: string, kind: "all" | "any" | "none" | "steps"): { root: Node; id: string } {
  const container = newId();
  const around = (node: Node): Node =>
    kind === "steps"
      ? { id: container, kind, steps: [{ id: newId(), verb: "include", rule: node }] }
      : { id: container, kind, rules: [node] };
  return { root: update(root, id, around), id: container };
}

/** Puts the rules of a container in its place; a container that stands in no list has to have one rule. */
export function unwrap(root: Node, id: string): Node {
  const node = find(root, id);
  const at = spot(root, id);
  if (node === null || at === null || !isContainer(node)) return root;
  const inner = parts(node);
  if (at.index === null && inner.length !== 1) return root;
  return instead(root, id, () => inner);
}

/** Makes a container another one; its rules stay. */
export function convert(root: Node, id: string, kind: "all" | "any" | "none" | "steps"): Node {
  return update(root, id, (node) => {
    if (!isContainer(node)) return node;
    if (kind !== "steps") return { id: node.id, kind, rules: parts(node) };
    if (node.kind === "steps") return node;
    const steps: Steps["steps"] = node.rules.map((rule) => ({ id: newId(), verb: "include", rule }));
    return { id: node.id, kind, steps };
  });
}

/** How many rules the tree has, as the server counts them. */
export function size(root: Node): number {
  return all(root).length;
}

/** How deep rules stand within each other. */
export function depth(root: Node): number {
  return 1 + Math.max(0, ...parts(root).map(depth));
}

/** A rule within a container, so that others can be put beside it. */
export function contained(rule: Node): Node {
  return isContainer(rule) ? rule : { id: newId(), kind: "all", rules: [rule] };
}
