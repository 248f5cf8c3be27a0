// Files of audiences as YAML, in the way that people write them: containers as blocks, rules on a line each.

import type { Digits } from "./model.ts";
import type { Fields, Value } from "./written.ts";

/** Longest line on which a rule stands whole. */
const LINE = 110;
/** Words that YAML reads as something other than a text. */
const TAKEN = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

/** The text of a file with these fields, in their order; those without a value are left out. */
export function yaml(fields: Fields): string {
  return blocks(fields, 0).join("\n") + "\n";
}

function blocks(fields: Fields, indent: number): string[] {
  const pad = " ".repeat(indent);
  const entries = Object.entries(fields).filter(([, value]) => value !== null);
  return entries.flatMap(([name, value]) => {
    const inline = `${pad}${scalar(name)}: ${flow(value)}`;
    if (Array.isArray(value)) {
      return value.every(isPlain)
        ? [inline]
        : [`${pad}${scalar(name)}:`, ...value.flatMap((item) => listed(item, indent + 2))];
    }
    return isPlain(value) || isShort(value, inline)
      ? [inline]
      : [`${pad}${scalar(name)}:`, ...blocks(value as Fields, indent + 2)];
  });
}

function listed(item: Value, indent: number): string[] {
  const pad = " ".repeat(indent);
  const inline = `${pad}- ${flow(item)}`;
  if (isPlain(item) || Array.isArray(item) || isShort(item, inline)) return [inline];
  const [first, ...rest] = blocks(item as Fields, indent + 2);
  return [`${pad}- ${(first ?? "").trimStart()}`, ...rest];
}

/** Whether it has no parts. */
function isPlain(value: Value): boolean {
  return typeof value !== "object" || value === null || isDigitsOf(value);
}

function isDigitsOf(value: Value): value is Digits {
  return typeof value === "object" && value !== null && !Array.isArray(value) && typeof value.digits === "string";
}

/** Whether fields stand on one line: no containers within, and short enough. */
function isShort(value: Value, inline: string): boolean {
  return inline.length <= LINE && !isNested(value);
}

function isNested(value: Value): boolean {
  if (Array.isArray(value)) return !value.every(isPlain);
  return !isPlain(value) && Object.values(value as Fields).some(isNested);
}

function flow(value: Value): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (isDigitsOf(value)) return value.digits;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([name, inner]) => `${scalar(name)}: ${flow(inner)}`)
      .join(", ")}}`;
  }
  return typeof value === "string" ? scalar(value) : String(value);
}

/** A text, in quotes where it would not be read as one otherwise. */
function scalar(text: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !TAKEN.test(text) ? text : JSON.stringify(text);
}
