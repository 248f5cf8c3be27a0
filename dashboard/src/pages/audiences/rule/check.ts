// What is still missing or wrong in a rule, by the node that it is about, as far as the page can tell: so that a rule
// is counted when it is whole, and the field that has to be filled in says so. The server checks again, and more.

import { all, depth, parts, size, spot, type Scope } from "./edit.ts";
import {
  isContainer,
  isDigits,
  isGroup,
  type EventsNode,
  type Node,
  type RelationNode,
  type Scalar,
  type Test,
  type Window,
} from "./model.ts";
import { DEEPEST, MOST_DAYS, MOST_MONTHS } from "./parse.ts";
import type { Kinds, Vocabulary } from "./vocabulary.ts";

export interface Finding {
  id: string;
  message: string;
}

const MOST_RULES = 500;
const MOST_VALUES = 250;
export const MOST_STEPS = 6;

export function check(root: Node, names: Vocabulary): Finding[] {
  const findings: Finding[] = [];
  const says = (id: string, message: string | null) => {
    if (message !== null) findings.push({ id, message });
  };
  for (const node of all(root)) {
    const scope = spot(root, node.id)?.scope ?? { of: "customer" };
    if (isGroup(node) && node.rules.length === 0) says(node.id, "put a rule in");
    if (node.kind === "steps" && node.steps.length === 0) says(node.id, "put a step in");
    if (node.kind === "column")
      says(
        node.id,
        columnWrong(node.column, node.key, scope, names) ?? testWrong(node.test, kindIn(node.column, scope, names)),
      );
    if (node.kind === "events" || node.kind === "relation") {
      const name = node.kind === "events" ? node.source : node.table;
      const window = node.kind === "events" ? windowWrong(node.window) : null;
      says(
        node.id,
        nameWrong(name, node, names) ?? measureWrong(node, names) ?? window ?? testWrong(node.test, "number"),
      );
    }
    if (node.kind === "sequence") {
      const isLong = node.steps.length < 2 || node.steps.length > MOST_STEPS;
      says(node.id, isLong ? `a sequence has 2 to ${MOST_STEPS} events` : windowWrong(node.window));
      for (const step of node.steps) {
        says(step.id, step.source === "" ? "name a source of events" : unknownSource(step.source, names));
        const isBackwards = step.withinDays !== null && step.withinDays < step.afterDays;
        says(step.id, isBackwards ? "no event can be later than the most days and earlier than the least" : null);
      }
    }
    if (node.kind === "audience") says(node.id, audienceWrong(node.audience, names));
    if (node.kind === "moved") {
      says(
        node.id,
        columnWrong(node.column, node.key, { of: "customer" }, names) ??
          testWrong(node.from, "whole") ??
          testWrong(node.to, "whole"),
      );
    }
    const isStrange = scope.of !== "customer" && node.kind !== "column" && !isGroup(node);
    says(node.id, isStrange ? "events and rows are picked by their columns alone" : null);
  }
  if (size(root) > MOST_RULES) says(root.id, `a rule may come to ${MOST_RULES} rules`);
  if (depth(root) > DEEPEST) says(root.id, `rules may stand ${DEEPEST} deep within each other`);
  return findings;
}

/** Nodes that a message of the server names in back quotes: where it may be about. */
export function namedIn(root: Node, message: string): string[] {
  const words = [...message.matchAll(/`([^`]+)`/g)].map((found) => found[1] as string);
  const names = (node: Node): (string | null)[] => {
    if (node.kind === "column" || node.kind === "moved") return [node.column, node.key];
    if (node.kind === "events") return [node.source, node.measure];
    if (node.kind === "relation") return [node.table, node.measure];
    return node.kind === "audience" ? [node.audience] : [];
  };
  return all(root)
    .filter((node) => names(node).some((name) => name !== null && words.includes(name)))
    .map((node) => node.id);
}

/** The kind of the values of a column, as far as it is known. */
export function kindIn(column: string, scope: Scope, names: Vocabulary): Kinds | null {
  if (scope.of === "events") return "text";
  if (scope.of === "rows") {
    const relation = names.relations.find((one) => one.name === scope.table);
    return relation?.columns.find((one) => one.name === column)?.kind ?? null;
  }
  return names.columns.find((one) => one.name === column)?.kind ?? null;
}

function columnWrong(column: string, key: string | null, scope: Scope, names: Vocabulary): string | null {
  if (column === "") return "choose a column";
  if (scope.of === "events") {
    const source = names.sources.find((one) => one.name === scope.source);
    return source === undefined || source.dimensions.includes(column)
      ? null
      : `${scope.source} has no dimension ${column}`;
  }
  if (scope.of === "rows") {
    const relation = names.relations.find((one) => one.name === scope.table);
    return relation?.columns.some((one) => one.name === column) === false
      ? `${scope.table} has no column ${column}`
      : null;
  }
  const known = names.columns.find((one) => one.name === column);
  if (known === undefined) return `customers have no column ${column}`;
  if (known.kind === "tiles" && (key === null || key === "")) return "choose a value of the dimension";
  return null;
}

function nameWrong(name: string, node: Node, names: Vocabulary): string | null {
  if (node.kind === "events") return name === "" ? "name a source of events" : unknownSource(name, names);
  if (name === "") return "choose a table";
  return names.relations.some((one) => one.name === name) ? null : `there is no table ${name} with a column customer`;
}

function unknownSource(name: string, names: Vocabulary): string | null {
  if (names.sources.some((source) => source.name === name)) return null;
  return `there is no source of events ${name}`;
}

function measureWrong(node: EventsNode | RelationNode, names: Vocabulary): string | null {
  if (node.aggregate === "count") return node.measure === null ? null : "a count has no measure";
  if (node.measure === null || node.measure === "") return "say what is added up";
  if (node.kind === "relation") return null;
  const source = names.sources.find((one) => one.name === node.source);
  if (source === undefined) return null;
  if (!source.measures.includes(node.measure)) return `${source.name} has no measure ${node.measure}`;
  return source.event_id || node.aggregate === "sum"
    ? null
    : `${source.name} keeps sums of days: there is no ${node.aggregate} of its events`;
}

function audienceWrong(name: string, names: Vocabulary): string | null {
  if (name === "") return "choose an audience";
  return names.audiences.includes(name) ? null : `there is no audience ${name}`;
}

function windowWrong(window: Window | null): string | null {
  if (window === null) return null;
  if (window.kind === "between") {
    if (!isDay(window.from) || !isDay(window.to)) return "give the first and the last day of the window";
    return window.from > window.to ? "the window ends before it begins" : null;
  }
  const most = window.kind === "last_days" ? MOST_DAYS : MOST_MONTHS;
  return Number.isInteger(window.count) && window.count >= 1 && window.count <= most
    ? null
    : `the window has 1 to ${most}`;
}

function testWrong(test: Test, kind: Kinds | null): string | null {
  switch (test.kind) {
    case "none":
      return null;
    case "window":
      return windowWrong(test.window);
    case "list":
      return test.list === "" ? "name a file of the folder lists" : null;
    case "values":
      if (test.values.length === 0) return "give a value";
      if (test.values.length > MOST_VALUES)
        return `a rule has ${MOST_VALUES} values at most; longer lists go into a file`;
      return test.values.map((value) => valueWrong(value, kind)).find((wrong) => wrong !== null) ?? null;
    case "value":
      if (test.value === "" && !["=", "!="].includes(test.op)) return kind === "text" ? "give a text" : "give a value";
      return valueWrong(test.value, kind);
  }
}

function valueWrong(value: Scalar, kind: Kinds | null): string | null {
  switch (kind) {
    case "whole":
    case "number":
    case "tiles":
      return isDigits(value) ? null : "give a number";
    case "bool":
      return typeof value === "boolean" ? null : "choose true or false";
    case "date":
      return typeof value === "string" && isDay(value) ? null : "give a day";
    case "text":
      return typeof value === "string" ? null : "give a text";
    case null:
      return null;
  }
}

function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** Whether there is anything to count. */
export function isEmpty(root: Node): boolean {
  return isContainer(root) && parts(root).length === 0;
}
