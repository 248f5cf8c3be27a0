// What fields of the builder make of what is typed and chosen.
import { describe, expect, it } from "vitest";
import { operatorOf, withOperator } from "../rule/fresh.ts";
import type { Test } from "../rule/model.ts";
import { operatorsOf } from "./TestFields.tsx";
import { keysOf } from "./useValues.ts";
import { scalarOf } from "./ValueFields.tsx";

describe("values", () => {
  it("have the kind of their column", () => {
    expect(scalarOf("0.50", "number")).toEqual({ digits: "0.5" });
    expect(scalarOf("0.", "number")).toBe("0.");
    expect(scalarOf("12", "text")).toBe("12");
    expect(scalarOf("true", null)).toBe(true);
    expect(scalarOf("'12'", null)).toBe("12");
    expect(scalarOf("12", null)).toEqual({ digits: "12" });
  });
});

describe("operators", () => {
  const is: Test = { kind: "value", op: "=", value: "a" };
  it("keep the values that they can take", () => {
    expect(withOperator(is, "in")).toEqual({ kind: "values", op: "in", values: ["a"] });
    expect(withOperator({ kind: "values", op: "in", values: ["a", "b"] }, "between")).toEqual({
      kind: "values",
      op: "between",
      values: ["a", "b"],
    });
    expect(withOperator({ kind: "values", op: "in", values: ["a", "b"] }, "=")).toEqual(is);
    expect(withOperator(is, "is_null")).toEqual({ kind: "none", op: "is_null" });
    expect(withOperator(is, "not_in list")).toEqual({ kind: "list", op: "not_in", list: "" });
  });
  it("are what a test was made with", () => {
    for (const kind of ["text", "number", "whole", "bool", "date", null] as const) {
      for (const operator of operatorsOf(kind, false)) expect(operatorOf(withOperator(is, operator))).toBe(operator);
    }
  });
  it("of columns that name people have no values in the rule but domains", () => {
    expect(operatorsOf("text", true)).toEqual(["in list", "not_in list", "ends_with", "exists", "is_null"]);
    expect(operatorsOf("whole", true)).not.toContain("=");
  });
});

describe("values of the dimension of tiles", () => {
  it("are those of the longest name that fits", () => {
    const rows = [
      { measure: "status", lookback: "12m", dimension_value: "x" },
      { measure: "miles_by_status", lookback: "12m", dimension_value: "GOLD" },
      { measure: "miles_by_status", lookback: "12m", dimension_value: "FLYER" },
      { measure: "miles_by_status", lookback: "3m", dimension_value: "y" },
    ];
    expect(keysOf("decile_miles_by_status_12m", rows)).toEqual(["FLYER", "GOLD"]);
    expect(keysOf("decile_other_12m", rows)).toEqual([]);
  });
});
