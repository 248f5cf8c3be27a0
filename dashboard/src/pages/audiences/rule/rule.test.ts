// Rules in their three forms: the tree, the text, and what a file says. Each way and back is the same rule.

import { describe, expect, it } from "vitest";
import { digitsOf } from "./model.ts";
import { parse } from "./parse.ts";
import { anyRule, meaning, random } from "./samples.ts";
import { text } from "./text.ts";
import { Slip } from "./tokens.ts";
import { phrase, said } from "./words.ts";
import { read, Unreadable, written, type Value } from "./written.ts";
import { yaml } from "./yaml.ts";

const EXAMPLES = [
  "all(status = 'silver', decile_miles_by_status_12m['silver'] <= 3, p_alive < 0.5, count(events flights last 12 months) >= 2)",
  "steps(include audience at_risk, exclude country in ('US', 'CA'), include customer in list 'lists/always.txt')",
  "sum(events sales.revenue where region = 'north' last 30 days) > 100",
  "sequence(visits where page = 'cart', sales after 1 within 10 last 90 days)",
  "count(relation tickets where open = true) >= 1",
  "moved(decile_clv_12m from <= 3 to between 4 and 6)",
  "any(first_purchase within last 30 days, born < '1990-01-01')",
  "none(name = 'it''s', email ends_with '@example.com', tier is_null, tier exists)",
  "avg(events sales.revenue from 2026-01-01 to 2026-01-31) between 1.5 and 20",
  "audience is_null",
];

describe("the text form", () => {
  it.each(EXAMPLES)("reads and writes %s", (example) => {
    expect(text(parse(example))).toBe(example);
  });

  it("is the rule again for rules of every kind", () => {
    const next = random(7);
    for (let round = 0; round < 2000; round += 1) {
      const rule = anyRule(next, 4);
      const line = text(rule);
      expect(meaning(parse(line)), line).toEqual(meaning(rule));
    }
  });

  it.each([
    ["p_alive <", 9, "a number, true, false, or a text in single quotes was expected, and there is the end"],
    ["all(p_alive < 0.5, )", 19, "a rule was expected, and there is `)`"],
    ["name = 'abc", 7, "a text that does not end"],
    ["'🙂🙂' = 1", 0, "a rule was expected, and there is a text"],
    ["a = '🙂' b", 8, "the end was expected, and there is `b`"],
    ["a = 1e5", 5, "the end was expected, and there is `e5`"],
    ["count(events sales last 0 days)", 24, "a whole number from 1 to 36500 was expected, and there is `0`"],
    ["count(events sales last 1201 months)", 24, "a whole number from 1 to 1200 was expected, and there is `1201`"],
    ["x & y", 2, "a character that has no meaning here"],
  ])("tells what is wrong with %s", (wrong, before, message) => {
    let slip: unknown = null;
    try {
      parse(wrong);
    } catch (thrown) {
      slip = thrown;
    }
    expect(slip).toBeInstanceOf(Slip);
    expect({ before: (slip as Slip).before, message: (slip as Slip).message }).toEqual({ before, message });
  });

  it("has a bottom", () => {
    const deep = (levels: number) => `${"all(".repeat(levels)}p_alive exists${")".repeat(levels)}`;
    expect(() => parse(deep(23))).not.toThrow();
    expect(() => parse(deep(24))).toThrow("more than 24 deep");
  });
});

describe("numbers", () => {
  it.each([
    ["0", "0"],
    ["-0.00", "0"],
    ["007.50", "7.5"],
    [" 12 ", "12"],
    ["123456789012345678", "123456789012345678"],
  ])("%s has the form %s", (given, form) => {
    expect(digitsOf(given)).toEqual({ digits: form });
  });

  it.each(["", "-", ".5", "5.", "1e3", "+1", "1 2", "1234567890123456789", "é"])("%s is none", (given) => {
    expect(digitsOf(given)).toBeNull();
  });
});

describe("the form of files", () => {
  it("is the rule again for rules of every kind", () => {
    const next = random(11);
    for (let round = 0; round < 2000; round += 1) {
      const rule = anyRule(next, 4);
      expect(meaning(read(written(rule)))).toEqual(meaning(rule));
    }
  });

  it("spells out what is left out", () => {
    expect(text(read({ events: "flights" }))).toBe("count(events flights) >= 1");
    expect(text(read({ column: "clv_12m", op: ">", value: 0.0000001 }))).toBe("clv_12m > 0.0000001");
  });

  it.each<[Value, string]>([
    [{}, "rule says nothing"],
    [{ all: [{ column: "a" }] }, "rule.all[0] does not say how it is compared"],
    [{ column: "a", op: "about", value: 1 }, "rule.op is about"],
    [{ steps: [{ maybe: {} }] }, "rule.steps[0] is neither include nor exclude"],
    ["text", "rule has no fields"],
  ])("tells what is wrong with %j", (wrong, message) => {
    expect(() => read(wrong)).toThrow(Unreadable);
    expect(() => read(wrong)).toThrow(message);
  });
});

describe("YAML", () => {
  it("is written as people write it", () => {
    const rule = parse(
      "all(status = 'silver', any(country in ('US', 'no'), steps(include p_alive < 0.70, exclude audience best)), count(events flights where kind = 'x' last 3 months) >= 2)",
    );
    expect(yaml({ description: "Who: they # are", rule: written(rule), consent: null, priority: 20 })).toBe(
      `description: "Who: they # are"
rule:
  all:
    - {column: status, op: "=", value: silver}
    - any:
        - {column: country, op: in, values: [US, "no"]}
        - steps:
            - {include: {column: p_alive, op: "<", value: 0.7}}
            - {exclude: {audience: best}}
    - events: flights
      where: {column: kind, op: "=", value: x}
      window: {last_months: 3}
      op: ">="
      value: 2
priority: 20
`,
    );
  });
});

describe("words", () => {
  it("say what a rule asks", () => {
    const say = (line: string) => said(parse(line));
    expect(say("decile_miles_by_status_12m['silver'] <= 3")).toBe("decile_miles_by_status_12m for silver is at most 3");
    expect(say("count(events flights last 12 months) >= 2")).toBe("at least 2 events of flights in the last 12 months");
    expect(say("sum(events sales.revenue where region = 'north' last 1 days) > 100")).toBe(
      "the sum of revenue over events of sales in the last day is more than 100: of those for which: region is north",
    );
    expect(say("sequence(visits, sales after 1 within 10)")).toBe(
      "these events in this order: visits; sales, after 1 day and within 10 days",
    );
    expect(say("country in ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j')")).toBe(
      "country is one of a, b, c, d, e, f, g, h and 2 more",
    );
  });

  it("have a sentence for every rule", () => {
    const next = random(3);
    for (let round = 0; round < 500; round += 1) {
      const rule = anyRule(next, 4);
      expect(phrase(rule).text).not.toMatch(/undefined|\[object/);
    }
  });
});
