// The tree of a rule as the builder holds it. Each node has an id, so that the page keeps the focus and the fields
// of a node while others are moved around it; ids are not part of what a rule means.

/** A number with the digits that were written: rules compare up to 18 of them, more than a double has. */
export interface Digits {
  digits: string;
}

export type Scalar = boolean | string | Digits;

export const COMPARISONS = ["=", "!=", "<", "<=", ">", ">="] as const;
export const OPERATORS = [
  ...COMPARISONS,
  "between",
  "in",
  "not_in",
  "contains",
  "starts_with",
  "ends_with",
  "is_null",
  "exists",
] as const;
export type Operator = (typeof OPERATORS)[number];

export const AGGREGATES = ["count", "sum", "avg", "min", "max"] as const;
export type Aggregate = (typeof AGGREGATES)[number];

export type Window =
  | { kind: "last_days"; count: number }
  | { kind: "last_months"; count: number }
  | { kind: "between"; from: string; to: string };

/** What a value has to be: compared with one, two or several values, or with a file, or a day within a window. */
export type Test =
  | { kind: "value"; op: Operator; value: Scalar }
  | { kind: "values"; op: "between" | "in" | "not_in"; values: Scalar[] }
  | { kind: "list"; op: "in" | "not_in"; list: string }
  | { kind: "none"; op: "is_null" | "exists" }
  | { kind: "window"; window: Window };

export interface Group {
  id: string;
  kind: "all" | "any" | "none";
  rules: Node[];
}

export interface Step {
  id: string;
  verb: "include" | "exclude";
  rule: Node;
}

export interface Steps {
  id: string;
  kind: "steps";
  steps: Step[];
}

export interface ColumnNode {
  id: string;
  kind: "column";
  column: string;
  /** Of a column of tiles by a dimension, the value of the dimension. */
  key: string | null;
  test: Test;
}

export interface EventsNode {
  id: string;
  kind: "events";
  source: string;
  aggregate: Aggregate;
  measure: string | null;
  where: Node | null;
  window: Window | null;
  test: Test;
}

export interface RelationNode {
  id: string;
  kind: "relation";
  table: string;
  aggregate: Aggregate;
  measure: string | null;
  where: Node | null;
  test: Test;
}

export interface SequenceStep {
  id: string;
  source: string;
  where: Node | null;
  afterDays: number;
  withinDays: number | null;
}

export interface SequenceNode {
  id: string;
  kind: "sequence";
  steps: SequenceStep[];
  window: Window | null;
}

export interface AudienceNode {
  id: string;
  kind: "audience";
  audience: string;
}

export interface MovedNode {
  id: string;
  kind: "moved";
  column: string;
  key: string | null;
  from: Test;
  to: Test;
}

export type Node = Group | Steps | ColumnNode | EventsNode | RelationNode | SequenceNode | AudienceNode | MovedNode;
export type Kind = Node["kind"];

let last = 0;

/** An id that no other node of this page has. */
export function newId(): string {
  last += 1;
  return `n${last}`;
}

export function isGroup(node: Node): node is Group {
  return node.kind === "all" || node.kind === "any" || node.kind === "none";
}

/** Whether it has a list of rules within it. */
export function isContainer(node: Node): node is Group | Steps {
  return isGroup(node) || node.kind === "steps";
}

export function isDigits(value: Scalar): value is Digits {
  return typeof value === "object";
}

/** A number in its one form, or null for a text that is none of up to 18 digits: no zeros around it, no `-0`. */
export function digitsOf(text: string): Digits | null {
  const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (!found) return null;
  const whole = (found[2] ?? "").replace(/^0+(?=\d)/, "");
  const fraction = (found[3] ?? "").replace(/0+$/, "");
  if (whole.length + fraction.length > 18) return null;
  const size = fraction === "" ? whole : `${whole}.${fraction}`;
  return { digits: found[1] === "-" && size !== "0" ? `-${size}` : size };
}

/** At least one: what a count is compared with when nothing is said. */
export function atLeastOne(): Test {
  return { kind: "value", op: ">=", value: { digits: "1" } };
}
