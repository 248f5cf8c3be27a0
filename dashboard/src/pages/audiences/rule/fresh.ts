// New nodes of the builder, with what is usual in their fields.

import { atLeastOne, newId, type Kind, type Node, type Scalar, type Test } from "./model.ts";
import type { Kinds, RuleColumn, Vocabulary } from "./vocabulary.ts";

/** A container without a rule: what the builder begins with. */
export function beginning(): Node {
  return { id: newId(), kind: "all", rules: [] };
}

/** What a column of a kind is compared with at first: something that has to be filled in, but for true. */
export function firstTest(kind: Kinds | null): Test {
  switch (kind) {
    case "text":
      return { kind: "values", op: "in", values: [] };
    case "bool":
      return { kind: "value", op: "=", value: true };
    case "date":
      return { kind: "window", window: { kind: "last_days", count: 30 } };
    case "tiles":
      return { kind: "value", op: "<=", value: { digits: "3" } };
    default:
      return { kind: "value", op: ">=", value: "" };
  }
}

/** A new node of a kind, about the first thing there is to ask about. */
export function fresh(kind: Kind, names: Vocabulary, column?: RuleColumn): Node {
  const id = newId();
  switch (kind) {
    case "all":
    case "any":
    case "none":
      return { id, kind, rules: [] };
    case "steps":
      return { id, kind, steps: [] };
    case "column":
      return { id, kind, column: column?.name ?? "", key: column?.kind === "tiles" ? "" : null, test: testOf(column) };
    case "events": {
      const source = names.sources[0]?.name ?? "";
      const window = { kind: "last_months" as const, count: 3 };
      return { id, kind, source, aggregate: "count", measure: null, where: null, window, test: atLeastOne() };
    }
    case "relation": {
      const table = names.relations[0]?.name ?? "";
      return { id, kind, table, aggregate: "count", measure: null, where: null, test: atLeastOne() };
    }
    case "sequence": {
      const source = names.sources[0]?.name ?? "";
      const step = (withinDays: number | null) => ({ id: newId(), source, where: null, afterDays: 0, withinDays });
      return { id, kind, steps: [step(null), step(30)], window: null };
    }
    case "audience":
      return { id, kind, audience: names.audiences[0] ?? "" };
    case "moved": {
      const tile = names.columns.find((one) => one.isTile && one.kind === "whole");
      const test = (op: ">" | "<="): Test => ({ kind: "value", op, value: { digits: "3" } });
      return { id, kind, column: tile?.name ?? "", key: null, from: test("<="), to: test(">") };
    }
  }
}

function testOf(column: RuleColumn | undefined): Test {
  if (column === undefined) return firstTest(null);
  return firstTest(column.isTile ? "tiles" : column.kind);
}

/** The test with another operator; values stay as far as that one takes them. */
export function withOperator(test: Test, op: string): Test {
  const values: Scalar[] = test.kind === "value" ? [test.value] : test.kind === "values" ? test.values : [];
  const first = values[0] ?? "";
  if (op === "within") return { kind: "window", window: { kind: "last_days", count: 30 } };
  if (op === "is_null" || op === "exists") return { kind: "none", op };
  if (op === "between") return { kind: "values", op, values: [first, values[1] ?? ""] };
  if (op === "in" || op === "not_in") return { kind: "values", op, values: values.filter((value) => value !== "") };
  if (op === "in list" || op === "not_in list") {
    const list = test.kind === "list" ? test.list : "";
    return { kind: "list", op: op === "in list" ? "in" : "not_in", list };
  }
  return { kind: "value", op: op as never, value: first };
}

/** How an operator is chosen: lists and windows are ways of their own. */
export function operatorOf(test: Test): string {
  if (test.kind === "window") return "within";
  return test.kind === "list" ? `${test.op} list` : test.op;
}
