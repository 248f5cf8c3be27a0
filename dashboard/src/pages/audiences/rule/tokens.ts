// The text form of rules, cut into words, texts, numbers and signs.

import { digitsOf, type Digits } from "./model.ts";

export type Token =
  | { kind: "word"; word: string }
  | { kind: "text"; text: string }
  | { kind: "number"; number: Digits }
  | { kind: "sign"; sign: string }
  | { kind: "end" };

export interface Placed {
  /** Characters before it. */
  before: number;
  token: Token;
}

/** Why a text is no rule, and where that was seen. */
export class Slip extends Error {
  constructor(
    /** Characters before the place, from 0. */
    readonly before: number,
    message: string,
  ) {
    super(message);
  }
}

const SIGNS = ["<=", ">=", "!=", "=", "<", ">", "(", ")", "[", "]", ",", ";"];

/** A text in single quotes, in which two of them stand for one. */
function quoted(rest: string): { text: string; length: number } | null {
  const found = /^'((?:[^']|'')*)'/.exec(rest);
  return found ? { text: (found[1] ?? "").replaceAll("''", "'"), length: found[0].length } : null;
}

/** The length of a text in characters as the server counts them, in which an emoji is one. */
function characters(text: string): number {
  return [...text].length;
}

export function tokens(text: string): Placed[] {
  const found: Placed[] = [];
  let place = 0;
  let before = 0;
  const pass = (length: number) => {
    before += characters(text.slice(place, place + length));
    place += length;
  };
  for (;;) {
    pass((/^\s*/.exec(text.slice(place))?.[0] ?? "").length);
    const rest = text.slice(place);
    if (rest === "") {
      found.push({ before, token: { kind: "end" } });
      return found;
    }
    const [token, length] = first(rest, before);
    found.push({ before, token });
    pass(length);
  }
}

function first(rest: string, before: number): [Token, number] {
  const sign = SIGNS.find((one) => rest.startsWith(one));
  if (sign !== undefined) return [{ kind: "sign", sign }, sign.length];
  if (rest.startsWith("'")) {
    const text = quoted(rest);
    if (text === null) throw new Slip(before, "a text that does not end");
    return [{ kind: "text", text: text.text }, text.length];
  }
  const numeric = /^[-\d][-.\d]*/.exec(rest)?.[0];
  if (numeric !== undefined) {
    const number = digitsOf(numeric);
    if (number !== null) return [{ kind: "number", number }, numeric.length];
    // A day begins like a number.
    if (numeric.split("-").length === 3) return [{ kind: "word", word: numeric }, numeric.length];
    throw new Slip(before, "no number that fits");
  }
  const word = /^[A-Za-z0-9_.]+/.exec(rest)?.[0];
  if (word === undefined) throw new Slip(before, "a character that has no meaning here");
  return [{ kind: "word", word }, word.length];
}
