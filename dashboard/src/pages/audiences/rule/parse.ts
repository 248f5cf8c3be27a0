// From the text form of a rule to its tree, with the same grammar as the server's, so that a rule that somebody types
// shows at once in the builder, and a slip shows where it is.

import {
  AGGREGATES,
  COMPARISONS,
  newId,
  type Aggregate,
  type Node,
  type Scalar,
  type SequenceStep,
  type Step,
  type Test,
  type Window,
} from "./model.ts";
import { Slip, tokens, type Placed, type Token } from "./tokens.ts";

/** How deep rules may stand within each other. */
export const DEEPEST = 24;
export const MOST_DAYS = 36_500;
export const MOST_MONTHS = 1_200;
/** Words that begin a comparison, after the name of what is compared. */
export const WORDS = [
  "between",
  "contains",
  "ends_with",
  "exists",
  "in",
  "is_null",
  "not_in",
  "starts_with",
  "within",
] as const;

/** Reads a rule; throws a Slip. */
export function parse(text: string): Node {
  const reader = new Reader(tokens(text));
  const node = reader.rule();
  reader.end();
  return node;
}

function isAggregate(word: string): word is Aggregate {
  return (AGGREGATES as readonly string[]).includes(word);
}

class Reader {
  private place = 0;
  private depth = 0;

  constructor(private readonly all: Placed[]) {}

  private get here(): Placed {
    const found = this.all[Math.min(this.place, this.all.length - 1)];
    return found ?? { before: 0, token: { kind: "end" } };
  }

  private get token(): Token {
    return this.here.token;
  }

  private slip(expected: string): Slip {
    const { before, token } = this.here;
    const found =
      token.kind === "word"
        ? `\`${token.word}\``
        : token.kind === "number"
          ? `\`${token.number.digits}\``
          : token.kind === "sign"
            ? `\`${token.sign}\``
            : token.kind === "text"
              ? "a text"
              : "the end";
    return new Slip(before, `${expected} was expected, and there is ${found}`);
  }

  end(): void {
    if (this.token.kind !== "end") throw this.slip("the end");
  }

  private isWord(word: string): boolean {
    return this.token.kind === "word" && this.token.word === word;
  }

  private isSign(sign: string): boolean {
    return this.token.kind === "sign" && this.token.sign === sign;
  }

  private takes(word: string): boolean {
    const found = this.isWord(word);
    if (found) this.place += 1;
    return found;
  }

  private takesSign(sign: string): boolean {
    const found = this.isSign(sign);
    if (found) this.place += 1;
    return found;
  }

  private sign(sign: string): void {
    if (!this.takesSign(sign)) throw this.slip(`\`${sign}\``);
  }

  private word(expected: string): string {
    const token = this.token;
    if (token.kind !== "word") throw this.slip(expected);
    this.place += 1;
    return token.word;
  }

  private text(): string {
    const token = this.token;
    if (token.kind !== "text") throw this.slip("a text in single quotes");
    this.place += 1;
    return token.text;
  }

  private whole(least: number, most: number): number {
    const token = this.token;
    const number = token.kind === "number" && /^\d+$/.test(token.number.digits) ? Number(token.number.digits) : NaN;
    if (!(number >= least && number <= most)) throw this.slip(`a whole number from ${least} to ${most}`);
    this.place += 1;
    return number;
  }

  private list<T>(item: () => T): T[] {
    this.sign("(");
    const items: T[] = [];
    for (;;) {
      items.push(item());
      if (!this.takesSign(",")) {
        this.sign(")");
        return items;
      }
    }
  }

  rule(): Node {
    if (this.depth === DEEPEST) {
      throw new Slip(this.here.before, `rules stand within each other more than ${DEEPEST} deep`);
    }
    this.depth += 1;
    const node = this.one();
    this.depth -= 1;
    return node;
  }

  private one(): Node {
    const word = this.word("a rule");
    const isCall = this.isSign("(");
    const id = newId();
    if (isCall && (word === "all" || word === "any" || word === "none")) {
      return { id, kind: word, rules: this.list(() => this.rule()) };
    }
    if (isCall && word === "steps") return { id, kind: "steps", steps: this.list(() => this.step()) };
    if (isCall && word === "sequence") return this.sequence(id);
    if (isCall && word === "moved") return this.moved(id);
    if (isCall && isAggregate(word)) return this.addedUp(id, word);
    if (word === "audience" && this.token.kind === "word" && !this.isTest()) {
      return { id, kind: "audience", audience: this.word("an audience") };
    }
    const key = this.key();
    return { id, kind: "column", column: word, key, test: this.test() };
  }

  private key(): string | null {
    if (!this.takesSign("[")) return null;
    const key = this.text();
    this.sign("]");
    return key;
  }

  private step(): Step {
    const verb = this.takes("include") ? "include" : this.takes("exclude") ? "exclude" : null;
    if (verb === null) throw this.slip("include or exclude");
    return { id: newId(), verb, rule: this.rule() };
  }

  private addedUp(id: string, aggregate: Aggregate): Node {
    this.sign("(");
    const ofEvents = this.takes("events");
    if (!ofEvents && !this.takes("relation")) throw this.slip("events or relation");
    const word = this.word("a name");
    const point = word.indexOf(".");
    const name = point < 0 ? word : word.slice(0, point);
    const measure = point < 0 ? null : word.slice(point + 1);
    const where = this.where();
    if (!ofEvents) {
      this.sign(")");
      return { id, kind: "relation", table: name, aggregate, measure, where, test: this.test() };
    }
    const window = this.window();
    this.sign(")");
    return { id, kind: "events", source: name, aggregate, measure, where, window, test: this.test() };
  }

  private where(): Node | null {
    return this.takes("where") ? this.rule() : null;
  }

  private sequence(id: string): Node {
    this.sign("(");
    const steps: SequenceStep[] = [];
    do {
      const source = this.word("a source");
      const where = this.where();
      const afterDays = this.takes("after") ? this.whole(0, MOST_DAYS) : 0;
      const withinDays = this.takes("within") ? this.whole(0, MOST_DAYS) : null;
      steps.push({ id: newId(), source, where, afterDays, withinDays });
    } while (this.takesSign(","));
    const window = this.window();
    this.sign(")");
    return { id, kind: "sequence", steps, window };
  }

  private window(): Window | null {
    if (this.takes("last")) {
      const place = this.place;
      const count = this.whole(1, MOST_DAYS);
      if (this.takes("days")) return { kind: "last_days", count };
      if (!this.takes("months")) throw this.slip("days or months");
      if (count > MOST_MONTHS) {
        this.place = place;
        throw this.slip(`a whole number from 1 to ${MOST_MONTHS}`);
      }
      return { kind: "last_months", count };
    }
    if (this.takes("from")) {
      const from = this.word("a day");
      if (!this.takes("to")) throw this.slip("`to`");
      return { kind: "between", from, to: this.word("a day") };
    }
    return null;
  }

  private moved(id: string): Node {
    this.sign("(");
    const column = this.word("a column");
    const key = this.key();
    if (!this.takes("from")) throw this.slip("from");
    const from = this.test();
    if (!this.takes("to")) throw this.slip("to");
    const to = this.test();
    this.sign(")");
    return { id, kind: "moved", column, key, from, to };
  }

  private isTest(): boolean {
    return WORDS.some((word) => this.isWord(word));
  }

  private test(): Test {
    const op = COMPARISONS.find((sign) => this.isSign(sign));
    if (op !== undefined) {
      this.place += 1;
      return { kind: "value", op, value: this.scalar() };
    }
    const word = WORDS.find((one) => this.isWord(one));
    if (word === undefined) throw this.slip("a comparison");
    this.place += 1;
    switch (word) {
      case "between": {
        const low = this.scalar();
        if (!this.takes("and")) throw this.slip("`and`");
        return { kind: "values", op: word, values: [low, this.scalar()] };
      }
      case "in":
      case "not_in":
        return this.takes("list")
          ? { kind: "list", op: word, list: this.text() }
          : { kind: "values", op: word, values: this.list(() => this.scalar()) };
      case "contains":
      case "starts_with":
      case "ends_with":
        return { kind: "value", op: word, value: this.text() };
      case "is_null":
      case "exists":
        return { kind: "none", op: word };
      case "within": {
        const window = this.window();
        if (window === null) throw this.slip("last or from");
        return { kind: "window", window };
      }
    }
  }

  private scalar(): Scalar {
    const token = this.token;
    if (token.kind === "text") {
      this.place += 1;
      return token.text;
    }
    if (token.kind === "number") {
      this.place += 1;
      return token.number;
    }
    if (this.takes("true")) return true;
    if (this.takes("false")) return false;
    throw this.slip("a number, true, false, or a text in single quotes");
  }
}
