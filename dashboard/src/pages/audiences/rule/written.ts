// A rule as files of audiences have it (YAML, and JSON in the same form), from and to the tree of the builder. What is
// left out in a file is spelled out in the tree, and left out again where the file would mean the same.

import {
  AGGREGATES,
  atLeastOne,
  digitsOf,
  isDigits,
  newId,
  OPERATORS,
  type Aggregate,
  type Digits,
  type Node,
  type Operator,
  type Scalar,
  type SequenceStep,
  type Step,
  type Test,
  type Window,
} from "./model.ts";

/** A value of a file: what JSON has, and numbers with their digits. */
export type Value = null | boolean | number | string | Digits | Value[] | { [name: string]: Value };
export type Fields = { [name: string]: Value };

/** A rule of a file that the builder cannot read, with the path of it. */
export class Unreadable extends Error {}

/** What a file says of a rule. */
export function written(node: Node): Fields {
  switch (node.kind) {
    case "all":
    case "any":
    case "none":
      return { [node.kind]: node.rules.map(written) };
    case "steps":
      return { steps: node.steps.map((step) => ({ [step.verb]: written(step.rule) })) };
    case "column":
      return { column: node.column, ...given("key", node.key), ...writtenTest(node.test) };
    case "events":
      return { events: node.source, ...addedUp(node), ...writtenWindow(node.window), ...numberTest(node) };
    case "relation":
      return { relation: node.table, ...addedUp(node), ...numberTest(node) };
    case "sequence":
      return { sequence: node.steps.map(writtenStep), ...writtenWindow(node.window) };
    case "audience":
      return { audience: node.audience };
    case "moved":
      return {
        decile_moved: {
          column: node.column,
          ...given("key", node.key),
          from: writtenTest(node.from),
          to: writtenTest(node.to),
        },
      };
  }
}

function given(name: string, value: Value): Fields {
  return value === null ? {} : { [name]: value };
}

function addedUp(node: { aggregate: Aggregate; measure: string | null; where: Node | null }): Fields {
  return {
    ...given("aggregate", node.aggregate === "count" ? null : node.aggregate),
    ...given("measure", node.measure),
    ...given("where", node.where === null ? null : written(node.where)),
  };
}

/** A count says nothing of its test when that is the one that is meant anyway. */
function numberTest(node: { aggregate: Aggregate; test: Test }): Fields {
  const { test } = node;
  const isUsual =
    node.aggregate === "count" &&
    test.kind === "value" &&
    test.op === ">=" &&
    isDigits(test.value) &&
    test.value.digits === "1";
  return isUsual ? {} : writtenTest(test);
}

function writtenStep(step: SequenceStep): Fields {
  return {
    events: step.source,
    ...given("where", step.where === null ? null : written(step.where)),
    ...given("after_days", step.afterDays === 0 ? null : step.afterDays),
    ...given("within_days", step.withinDays),
  };
}

function writtenWindow(window: Window | null): Fields {
  if (window === null) return {};
  const days =
    window.kind === "between" ? { between: { from: window.from, to: window.to } } : { [window.kind]: window.count };
  return { window: days };
}

function writtenTest(test: Test): Fields {
  switch (test.kind) {
    case "value":
      return { op: test.op, value: test.value };
    case "values":
      return { op: test.op, values: test.values };
    case "list":
      return { op: test.op, list: test.list };
    case "none":
      return { op: test.op };
    case "window":
      return writtenWindow(test.window);
  }
}

/** The tree of what a file says; throws Unreadable. */
export function read(value: Value, at = "rule"): Node {
  const fields = fieldsOf(value, at);
  const id = newId();
  for (const kind of ["all", "any", "none"] as const) {
    const rules = fields[kind];
    if (rules !== undefined) {
      return {
        id,
        kind,
        rules: listOf(rules, `${at}.${kind}`).map((rule, place) => read(rule, `${at}.${kind}[${place}]`)),
      };
    }
  }
  if (fields.steps !== undefined) {
    const steps = listOf(fields.steps, `${at}.steps`);
    return { id, kind: "steps", steps: steps.map((step, place) => readStep(step, `${at}.steps[${place}]`)) };
  }
  if (fields.column !== undefined) {
    const column = textOf(fields.column, `${at}.column`);
    return { id, kind: "column", column, key: maybeText(fields.key, `${at}.key`), test: readTest(fields, at) };
  }
  if (fields.events !== undefined) {
    const source = textOf(fields.events, `${at}.events`);
    return {
      id,
      kind: "events",
      source,
      ...readAdded(fields, at),
      window: readWindow(fields.window, at),
      test: readNumber(fields, at),
    };
  }
  if (fields.relation !== undefined) {
    const table = textOf(fields.relation, `${at}.relation`);
    return { id, kind: "relation", table, ...readAdded(fields, at), test: readNumber(fields, at) };
  }
  if (fields.sequence !== undefined) {
    const steps = listOf(fields.sequence, `${at}.sequence`);
    const read = steps.map((step, place) => readSequenceStep(step, `${at}.sequence[${place}]`));
    return { id, kind: "sequence", steps: read, window: readWindow(fields.window, at) };
  }
  if (fields.audience !== undefined) {
    return { id, kind: "audience", audience: textOf(fields.audience, `${at}.audience`) };
  }
  if (fields.decile_moved !== undefined) {
    const here = `${at}.decile_moved`;
    const moved = fieldsOf(fields.decile_moved, here);
    const end = (word: string) => readTest(fieldsOf(moved[word] ?? null, `${here}.${word}`), `${here}.${word}`);
    const column = textOf(moved.column ?? null, `${here}.column`);
    return { id, kind: "moved", column, key: maybeText(moved.key, `${here}.key`), from: end("from"), to: end("to") };
  }
  throw new Unreadable(`${at} says nothing`);
}

function readStep(value: Value, at: string): Step {
  const fields = fieldsOf(value, at);
  for (const verb of ["include", "exclude"] as const) {
    const rule = fields[verb];
    if (rule !== undefined) return { id: newId(), verb, rule: read(rule, `${at}.${verb}`) };
  }
  throw new Unreadable(`${at} is neither include nor exclude`);
}

function readSequenceStep(value: Value, at: string): SequenceStep {
  const fields = fieldsOf(value, at);
  return {
    id: newId(),
    source: textOf(fields.events ?? null, `${at}.events`),
    where: fields.where === undefined || fields.where === null ? null : read(fields.where, `${at}.where`),
    afterDays: maybeWhole(fields.after_days, `${at}.after_days`) ?? 0,
    withinDays: maybeWhole(fields.within_days, `${at}.within_days`),
  };
}

function readAdded(fields: Fields, at: string): { aggregate: Aggregate; measure: string | null; where: Node | null } {
  const word = maybeText(fields.aggregate, `${at}.aggregate`) ?? "count";
  const aggregate = AGGREGATES.find((one) => one === word);
  if (aggregate === undefined) throw new Unreadable(`${at}.aggregate is ${word}`);
  const where = fields.where === undefined || fields.where === null ? null : read(fields.where, `${at}.where`);
  return { aggregate, measure: maybeText(fields.measure, `${at}.measure`), where };
}

function readNumber(fields: Fields, at: string): Test {
  return fields.op === undefined || fields.op === null ? atLeastOne() : readTest(fields, at);
}

function readTest(fields: Fields, at: string): Test {
  const word = maybeText(fields.op, `${at}.op`);
  if (word === null) {
    const window = readWindow(fields.window, at);
    if (window === null) throw new Unreadable(`${at} does not say how it is compared`);
    return { kind: "window", window };
  }
  const op = OPERATORS.find((one): one is Operator => one === word);
  if (op === undefined) throw new Unreadable(`${at}.op is ${word}`);
  if (op === "is_null" || op === "exists") return { kind: "none", op };
  if (op === "between" || op === "in" || op === "not_in") {
    const list = maybeText(fields.list, `${at}.list`);
    if (list !== null && op !== "between") return { kind: "list", op, list };
    const values = listOf(fields.values ?? null, `${at}.values`);
    return { kind: "values", op, values: values.map((value, place) => scalarOf(value, `${at}.values[${place}]`)) };
  }
  return { kind: "value", op, value: scalarOf(fields.value ?? null, `${at}.value`) };
}

function readWindow(value: Value | undefined, at: string): Window | null {
  if (value === undefined || value === null) return null;
  const fields = fieldsOf(value, `${at}.window`);
  for (const kind of ["last_days", "last_months"] as const) {
    const count = maybeWhole(fields[kind], `${at}.window.${kind}`);
    if (count !== null) return { kind, count };
  }
  const days = fieldsOf(fields.between ?? null, `${at}.window.between`);
  const day = (word: string) => textOf(days[word] ?? null, `${at}.window.between.${word}`);
  return { kind: "between", from: day("from"), to: day("to") };
}

function fieldsOf(value: Value, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value) || isNumber(value)) {
    throw new Unreadable(`${at} has no fields`);
  }
  return value;
}

function isNumber(value: Value): value is number | Digits {
  return typeof value === "number" || (typeof value === "object" && value !== null && "digits" in value);
}

function listOf(value: Value, at: string): Value[] {
  if (!Array.isArray(value)) throw new Unreadable(`${at} is no list`);
  return value;
}

function textOf(value: Value, at: string): string {
  if (typeof value !== "string") throw new Unreadable(`${at} is no text`);
  return value;
}

function maybeText(value: Value | undefined, at: string): string | null {
  return value === undefined || value === null ? null : textOf(value, at);
}

function maybeWhole(value: Value | undefined, at: string): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "number") throw new Unreadable(`${at} is no number`);
  return value;
}

function scalarOf(value: Value, at: string): Scalar {
  if (typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") {
    const digits = digitsOf(plain(value));
    if (digits !== null) return digits;
  } else if (isNumber(value)) {
    return value as Digits;
  }
  throw new Unreadable(`${at} is no value of up to 18 digits`);
}

/** A number without an exponent. */
function plain(value: number): string {
  const text = String(value);
  return text.includes("e") ? value.toFixed(20).replace(/0+$/, "").replace(/\.$/, "") : text;
}
