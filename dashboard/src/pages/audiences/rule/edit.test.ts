// Changes to the tree of a rule: nothing gets lost or doubled, whatever is moved where.

import { describe, expect, it } from "vitest";
import * as edit from "./edit.ts";
import { isGroup, type Node } from "./model.ts";
import { parse } from "./parse.ts";
import { anyRule, random } from "./samples.ts";
import { text } from "./text.ts";

function named(root: Node, column: string): string {
  const found = edit.all(root).find((node) => node.kind === "column" && node.column === column);
  return found?.id ?? "";
}

function container(root: Node, place: number): string {
  return edit.all(root).filter((node) => isGroup(node) || node.kind === "steps")[place]?.id ?? "";
}

const ROOT = () => parse("all(a = 1, any(b = 2, c = 3), count(events s where all(x = 'y', z = 'w')) >= 1, d = 4)");

describe("moving", () => {
  it("goes up, down, in and out by keys", () => {
    const root = ROOT();
    const moved = (column: string, direction: edit.Direction) => text(edit.step(root, named(root, column), direction));
    expect(moved("a", "down")).toMatch(/^all\(any\(b = 2, c = 3\), a = 1, count/);
    expect(moved("a", "in")).toMatch(/^all\(any\(a = 1, b = 2, c = 3\), count/);
    expect(moved("b", "out")).toMatch(/^all\(a = 1, any\(c = 3\), b = 2, count/);
    expect(moved("d", "up")).toMatch(/d = 4, count\(.*\) >= 1\)$/);
    expect(moved("a", "up")).toBe(text(root));
    expect(moved("x", "out")).toBe(text(root));
    expect(moved("x", "down")).toContain("where all(z = 'w', x = 'y')");
  });

  it("takes a place among others to the left of what is moved", () => {
    const root = ROOT();
    const list = container(root, 0);
    expect(text(edit.move(root, named(root, "d"), list, 0))).toMatch(/^all\(d = 4, a = 1,/);
    expect(text(edit.move(root, named(root, "a"), list, 4))).toMatch(/d = 4, a = 1\)$/);
  });

  it("refuses places within itself and those of columns of other things", () => {
    const root = ROOT();
    const [whole, any, where] = [container(root, 0), container(root, 1), container(root, 2)];
    expect(edit.fits(root, any, any)).toBe(false);
    expect(edit.fits(root, whole, any)).toBe(false);
    expect(edit.fits(root, named(root, "a"), where)).toBe(false);
    expect(edit.fits(root, named(root, "x"), whole)).toBe(false);
    expect(edit.fits(root, named(root, "x"), where)).toBe(true);
    expect(text(edit.move(root, named(root, "a"), where, 0))).toBe(text(root));
  });

  it("keeps include and exclude of a step", () => {
    const root = parse("steps(include a = 1, exclude b = 2, include any(c = 3))");
    expect(text(edit.step(root, named(root, "b"), "up"))).toBe(
      "steps(exclude b = 2, include a = 1, include any(c = 3))",
    );
    expect(text(edit.step(root, named(root, "b"), "in"))).toBe("steps(include a = 1, include any(b = 2, c = 3))");
  });

  it("keeps every node once, whatever is moved", () => {
    const next = random(5);
    for (let round = 0; round < 1000; round += 1) {
      const root = anyRule(next, 4);
      const nodes = edit.all(root);
      const [node, parent] = [
        nodes[Math.floor(next() * nodes.length)] as Node,
        nodes[Math.floor(next() * nodes.length)] as Node,
      ];
      const moved = edit.move(root, node.id, parent.id, Math.floor(next() * 4));
      const ids = (tree: Node) =>
        edit
          .all(tree)
          .map((one) => one.id)
          .sort();
      expect(ids(moved)).toEqual(ids(root));
      if (edit.fits(root, node.id, parent.id)) expect(edit.spot(moved, node.id)?.parent?.id).toBe(parent.id);
    }
  });
});

describe("other changes", () => {
  it("copy with new ids", () => {
    const root = ROOT();
    const { root: twice, id } = edit.duplicate(root, container(root, 1));
    expect(text(twice)).toMatch(/^all\(a = 1, any\(b = 2, c = 3\), any\(b = 2, c = 3\), count/);
    expect(edit.find(root, id)).toBeNull();
    const ids = edit.all(twice).map((node) => node.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("remove from lists, steps and where", () => {
    const root = ROOT();
    expect(text(edit.remove(root, named(root, "b")))).toContain("any(c = 3)");
    expect(text(edit.remove(root, container(root, 2)))).toContain("count(events s) >= 1");
    expect(text(edit.remove(root, root.id))).toBe(text(root));
    const steps = parse("steps(include a = 1, exclude b = 2)");
    expect(text(edit.remove(steps, named(steps, "a")))).toBe("steps(exclude b = 2)");
  });

  it("wrap, unwrap and convert containers", () => {
    const root = ROOT();
    const wrapped = edit.wrap(root, named(root, "a"), "none");
    expect(text(wrapped.root)).toMatch(/^all\(none\(a = 1\), any/);
    expect(text(edit.unwrap(wrapped.root, wrapped.id))).toBe(text(root));
    expect(text(edit.unwrap(root, container(root, 1)))).toMatch(/^all\(a = 1, b = 2, c = 3, count/);
    expect(text(edit.convert(root, root.id, "steps"))).toMatch(/^steps\(include a = 1, include any/);
    expect(text(edit.unwrap(root, root.id))).toBe(text(root));
  });

  it("leave the tree before as it was", () => {
    const next = random(9);
    for (let round = 0; round < 300; round += 1) {
      const root = anyRule(next, 4);
      const before = JSON.stringify(root);
      const nodes = edit.all(root);
      const node = nodes[Math.floor(next() * nodes.length)] as Node;
      edit.remove(root, node.id);
      edit.duplicate(root, node.id);
      edit.wrap(root, node.id, "all");
      edit.convert(root, node.id, "steps");
      for (const direction of ["up", "down", "in", "out"] as const) edit.step(root, node.id, direction);
      expect(JSON.stringify(root)).toBe(before);
    }
  });
});
