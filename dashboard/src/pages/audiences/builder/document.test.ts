// The file of an audience: from what is in the builder's fields, and back.
import { describe, expect, it } from "vitest";
import { parse } from "../rule/parse.ts";
import { anyRule, meaning, random } from "../rule/samples.ts";
import { text } from "../rule/text.ts";
import { contained } from "../rule/edit.ts";
import { blank, countedText, draftFindings, draftOf, fieldsOf, fileOf, nameWrong, type Draft } from "./document.ts";

const FULL: Draft = {
  description: "Who they are",
  rule: parse("all(p_alive < 0.5)"),
  consent: "email_consent",
  suppress: [{ audience: "contacted" }, { list: "lists/blocked.txt" }],
  fraction: "0.10",
  stratifyBy: "decile_clv_12m",
  seed: "spring",
  priority: "20",
  live: true,
};

describe("the file", () => {
  it("has everything that was filled in", () => {
    expect(fileOf(FULL)).toBe(`description: "Who they are"
rule:
  all:
    - {column: p_alive, op: "<", value: 0.5}
consent: {attribute: email_consent}
suppress:
  - {audience: contacted}
  - {list: "lists/blocked.txt"}
holdout: {fraction: 0.1, stratify_by: decile_clv_12m, seed: spring}
priority: 20
live: true
`);
  });

  it("has nothing that was not", () => {
    expect(
      Object.entries(fieldsOf(blank(FULL.rule)))
        .filter(([, value]) => value !== null)
        .map(([name]) => name),
    ).toEqual(["rule"]);
  });

  it("is the draft again", () => {
    const next = random(21);
    for (let round = 0; round < 300; round += 1) {
      const draft = { ...FULL, rule: anyRule(next, 3), fraction: "0.1" };
      expect(meaning(draftOf(fieldsOf(draft)) as never)).toEqual(meaning(draft as never));
    }
  });

  it("says null for what JSON says it of", () => {
    const draft = draftOf({
      rule: { audience: "best" },
      description: null,
      consent: null,
      suppress: [],
      holdout: null,
      priority: 100,
    });
    expect(draft).toMatchObject({ description: "", consent: "", suppress: [], fraction: "", priority: "100" });
    expect(fieldsOf(draft).priority).toBeNull();
  });
});

describe("the count", () => {
  it("is of those with consent who are in no audience that is left out", () => {
    expect(countedText(FULL)).toBe(
      "all(all(p_alive < 0.5), dim_customer.email_consent = true, none(audience contacted))",
    );
    expect(countedText(blank(FULL.rule))).toBe(text(FULL.rule));
  });
});

describe("findings", () => {
  it.each(["0", "1", "1.5", "x", "0.1234567", "-0.1"])("a share is not %s", (fraction) => {
    expect(draftFindings({ ...FULL, fraction }).fraction).toBeDefined();
  });
  it.each(["0.5", "0.000001", ""])("a share may be %j", (fraction) => {
    expect(draftFindings({ ...FULL, fraction })).toEqual({});
  });
  it("are of priorities and of what is left out, too", () => {
    expect(Object.keys(draftFindings({ ...FULL, priority: "1000001", suppress: [{ list: "" }] }))).toEqual([
      "priority",
      "suppress",
    ]);
  });
  it("are of names", () => {
    expect(nameWrong("at_risk", [])).toBeNull();
    for (const wrong of ["", "At", "1a", "a-b", "../x", "within", "best"])
      expect(nameWrong(wrong, ["best"])).not.toBeNull();
  });
});

describe("a rule that stands alone", () => {
  it("is put into a container, and containers are left as they are", () => {
    expect(text(contained(parse("p_alive < 0.5")))).toBe("all(p_alive < 0.5)");
    expect(text(contained(parse("any(p_alive < 0.5)")))).toBe("any(p_alive < 0.5)");
  });
});
