// A rule in words: a sentence for each node, with the sentences of what stands below it.

import { isDigits, type Node, type Scalar, type Test, type Window } from "./model.ts";

export interface Phrase {
  text: string;
  below: Phrase[];
}

const SAID: Record<string, string> = {
  "=": "is",
  "!=": "is not",
  "<": "is less than",
  "<=": "is at most",
  ">": "is more than",
  ">=": "is at least",
  contains: "contains",
  starts_with: "begins with",
  ends_with: "ends with",
  in: "is one of",
  not_in: "is none of",
  is_null: "has no value",
  exists: "has a value",
};

const SUMS: Record<string, string> = {
  sum: "the sum of",
  avg: "the mean of",
  min: "the least",
  max: "the greatest",
};

/** Values that a sentence names before it says how many more there are. */
const NAMED = 8;

export function operatorSaid(op: string): string {
  return op === "between" ? "is between" : (SAID[op] ?? op);
}

function scalarSaid(value: Scalar): string {
  if (isDigits(value)) return value.digits;
  if (typeof value === "boolean") return value ? "true" : "false";
  return value === "" ? "an empty text" : value;
}

function windowSaid(window: Window | null): string {
  if (window === null) return "";
  if (window.kind === "between") return ` from ${window.from} to ${window.to}`;
  const word = window.kind === "last_days" ? "day" : "month";
  return window.count === 1 ? ` in the last ${word}` : ` in the last ${window.count} ${word}s`;
}

function listed(values: Scalar[]): string {
  const said = values.slice(0, NAMED).map(scalarSaid);
  const more = values.length - said.length;
  return more > 0 ? `${said.join(", ")} and ${more} more` : said.join(", ");
}

function testSaid(test: Test): string {
  switch (test.kind) {
    case "value":
      return `${operatorSaid(test.op)} ${scalarSaid(test.value)}`;
    case "values":
      if (test.op === "between") return `is between ${test.values.map(scalarSaid).join(" and ")}`;
      return `${operatorSaid(test.op)} ${listed(test.values)}`;
    case "list":
      return `${operatorSaid(test.op)} the values of ${test.list}`;
    case "none":
      return operatorSaid(test.op);
    case "window":
      return `lies${windowSaid(test.window)}`;
  }
}

/** What a test asks of a number: "at least 2". */
function numberSaid(test: Test): string {
  return testSaid(test).replace(/^is /, "");
}

function isLone(test: Test): boolean {
  return test.kind === "value" && isDigits(test.value) && test.value.digits === "1";
}

function columnSaid(column: string, key: string | null): string {
  return key === null ? column : `${column} for ${key}`;
}

function whereSaid(where: Node | null): Phrase[] {
  return where === null ? [] : [{ text: "of those for which", below: [phrase(where)] }];
}

/** The sentence of a rule. */
export function phrase(node: Node): Phrase {
  const below = (nodes: Node[]) => nodes.map(phrase);
  switch (node.kind) {
    case "all":
      return { text: "all of these hold", below: below(node.rules) };
    case "any":
      return { text: "one of these holds at least", below: below(node.rules) };
    case "none":
      return { text: "none of these holds", below: below(node.rules) };
    case "steps":
      return {
        text: "one after the other",
        below: node.steps.map((step) => ({
          text: step.verb === "include" ? "take in those for whom" : "take out those for whom",
          below: [phrase(step.rule)],
        })),
      };
    case "column":
      return { text: `${columnSaid(node.column, node.key)} ${testSaid(node.test)}`, below: [] };
    case "events":
    case "relation": {
      const isEvents = node.kind === "events";
      const name = isEvents ? node.source : node.table;
      const window = isEvents ? windowSaid(node.window) : "";
      const thing = isEvents ? `of ${name}` : `of the table ${name}`;
      const one = isEvents ? "event" : "row";
      const text =
        node.aggregate === "count"
          ? `${numberSaid(node.test)} ${isLone(node.test) ? one : `${one}s`} ${thing}${window}`
          : `${SUMS[node.aggregate] ?? node.aggregate} ${node.measure ?? ""} over ${one}s ${thing}${window} ${testSaid(node.test)}`;
      return { text, below: whereSaid(node.where) };
    }
    case "sequence":
      return {
        text: `these events in this order${windowSaid(node.window)}`,
        below: node.steps.map((step, place) => ({
          text: `${step.source}${place === 0 ? "" : gapSaid(step.afterDays, step.withinDays)}`,
          below: whereSaid(step.where),
        })),
      };
    case "audience":
      return { text: `is in the audience ${node.audience}`, below: [] };
    case "moved":
      return {
        text:
          `${columnSaid(node.column, node.key)} was one that ${testSaid(node.from)} in the snapshot before, ` +
          `and ${testSaid(node.to)} now`,
        below: [],
      };
  }
}

function days(count: number): string {
  return count === 1 ? "1 day" : `${count} days`;
}

function gapSaid(after: number, within: number | null): string {
  if (within === null) return after === 0 ? ", on the same day or later" : `, ${days(after)} later or more`;
  return after === 0 ? `, within ${days(within)}` : `, after ${days(after)} and within ${days(within)}`;
}

/** The sentence and all below it on one line, for names of buttons and places in lists. */
export function said(node: Node): string {
  const line = ({ text, below }: Phrase): string =>
    below.length === 0 ? text : `${text}: ${below.map(line).join("; ")}`;
  return line(phrase(node));
}
