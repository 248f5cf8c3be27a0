// A document as YAML, for looking at it beside another and for a file where the server cannot write one. Keys come in
// one order, however the document came to be, so that equal documents are equal texts; texts of several lines, as SQL
// has, keep their lines.

import type { DashboardDocument } from "../../spec/types.ts";

export type Node = string | number | boolean | null | undefined | Node[] | { [key: string]: Node };

export function toYaml(document: DashboardDocument): string {
  return written(canonical(document as unknown as Node));
}

/** The order of keys; others follow by the alphabet. */
const KEYS = (
  "name title label description snapshot filters widgets control values default at x y w h " +
  "query table joins on columns column aggregate as where op value parameter order descending limit " +
  "sql parameters mark encode color size line format kind currency digits options legend legend_title x_title y_title " +
  "stacked normalised horizontal sort compare needs drill dashboard pass customer cross_filter describe"
).split(" ");

/** The same with its keys in order, and without what says nothing. */
export function canonical(node: Node): Node {
  if (Array.isArray(node)) return node.map(canonical);
  if (typeof node !== "object" || node === null) return node;
  const rank = (key: string) => (KEYS.includes(key) ? KEYS.indexOf(key) : KEYS.length);
  const entries = Object.entries(node)
    .map(([key, value]) => [key, canonical(value)] as const)
    .filter(([, value]) => value !== undefined && !isEmpty(value))
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

function isEmpty(node: Node): boolean {
  return typeof node === "object" && node !== null && !Array.isArray(node) && Object.keys(node).length === 0;
}

export function written(node: Node): string {
  return `${block(node, 0).replace(/^\n/, "")}\n`;
}

/** What comes behind `key:` or `-`, with the space or the line break before it. */
function block(node: Node, depth: number): string {
  const pad = "  ".repeat(depth);
  if (Array.isArray(node)) {
    if (node.length === 0) return " []";
    if (node.every(isPlain)) return ` [${node.map((one) => scalar(one, true)).join(", ")}]`;
    return node.map((one) => `\n${pad}- ${block(one, depth + 1).replace(/^\s+/, "")}`).join("");
  }
  if (typeof node === "object" && node !== null) {
    const entries = Object.entries(node).filter(([, value]) => value !== undefined);
    if (entries.length === 0) return " {}";
    return entries.map(([key, value]) => `\n${pad}${scalar(key, false)}:${block(value, depth + 1)}`).join("");
  }
  if (typeof node === "string" && isLiteral(node)) {
    const lines = node.replace(/\n$/, "").split("\n");
    return ` |${node.endsWith("\n") ? "" : "-"}${lines.map((line) => (line === "" ? "\n" : `\n${pad}${line}`)).join("")}`;
  }
  return ` ${scalar(node, false)}`;
}

function isPlain(node: Node): boolean {
  return node === null || typeof node !== "object";
}

/** Whether a text can stand as it is behind `|`: nothing in it that only quotes keep. */
function isLiteral(text: string): boolean {
  return /\n/.test(text) && /^[^\s]/.test(text) && !/[^\n\x20-\x7e\u00a0-\ud7ff]|\n\n$/.test(text);
}

function scalar(node: Node, inList: boolean): string {
  if (node === null || node === undefined) return "null";
  if (typeof node !== "string") return String(node);
  const bare = /^[A-Za-z_][A-Za-z0-9_ ().,;%*+-]*$/.test(node) && !/\s$/.test(node) && !(inList && node.includes(","));
  // Words that YAML, old or new, reads as something else.
  const word = /^(true|false|null|yes|no|on|off)$/i.test(node);
  return bare && !word ? node : JSON.stringify(node);
}
