// A rule as one line of text: the form in which the server shows rules, and in which the builder sends them, since it
// has all digits of numbers. `parse(text(rule))` is the rule again.

import { isDigits, type Node, type Scalar, type Test, type Window } from "./model.ts";

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function scalarText(value: Scalar): string {
  if (isDigits(value)) return value.digits;
  return typeof value === "string" ? quoted(value) : String(value);
}

/** With a blank before it; nothing for all days. */
function windowText(window: Window | null): string {
  if (window === null) return "";
  if (window.kind === "between") return ` from ${window.from} to ${window.to}`;
  return ` last ${window.count} ${window.kind === "last_days" ? "days" : "months"}`;
}

function testText(test: Test): string {
  switch (test.kind) {
    case "value":
      return `${test.op} ${scalarText(test.value)}`;
    case "values": {
      const values = test.values.map(scalarText);
      return test.op === "between" ? `between ${values.join(" and ")}` : `${test.op} (${values.join(", ")})`;
    }
    case "list":
      return `${test.op} list ${quoted(test.list)}`;
    case "none":
      return test.op;
    case "window":
      return `within${windowText(test.window)}`;
  }
}

function columnText(column: string, key: string | null): string {
  return key === null ? column : `${column}[${quoted(key)}]`;
}

function where(rule: Node | null): string {
  return rule === null ? "" : ` where ${text(rule)}`;
}

function addedUp(node: { aggregate: string; measure: string | null }, word: string, name: string): string {
  const measure = node.measure === null ? "" : `.${node.measure}`;
  return `${node.aggregate}(${word} ${name}${measure}`;
}

/** The text form of a rule. */
export function text(node: Node): string {
  switch (node.kind) {
    case "all":
    case "any":
    case "none":
      return `${node.kind}(${node.rules.map(text).join(", ")})`;
    case "steps":
      return `steps(${node.steps.map((step) => `${step.verb} ${text(step.rule)}`).join(", ")})`;
    case "column":
      return `${columnText(node.column, node.key)} ${testText(node.test)}`;
    case "events": {
      const picked = where(node.where) + windowText(node.window);
      return `${addedUp(node, "events", node.source)}${picked}) ${testText(node.test)}`;
    }
    case "relation":
      return `${addedUp(node, "relation", node.table)}${where(node.where)}) ${testText(node.test)}`;
    case "sequence": {
      const steps = node.steps.map((step) => {
        const after = step.afterDays > 0 ? ` after ${step.afterDays}` : "";
        const within = step.withinDays === null ? "" : ` within ${step.withinDays}`;
        return `${step.source}${where(step.where)}${after}${within}`;
      });
      return `sequence(${steps.join(", ")}${windowText(node.window)})`;
    }
    case "audience":
      return `audience ${node.audience}`;
    case "moved": {
      const column = columnText(node.column, node.key);
      return `moved(${column} from ${testText(node.from)} to ${testText(node.to)})`;
    }
  }
}
