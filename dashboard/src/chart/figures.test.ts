import { expect, test } from "vitest";
import { csvOf, fileName } from "./export.ts";
import { figuresOf, pivotOf } from "./figures.ts";
import type { Result } from "./shape.ts";

const one = (n: number | string | null): Result => ({ columns: [{ name: "n", type: "Float64" }], rows: [{ n }] });

test("a number is short, has all its digits beside it, and its change with the sign", () => {
  const spec = { mark: "number" as const, encode: { value: "n" }, format: { n: { kind: "money" as const, currency: "EUR" } } };
  expect(figuresOf(spec, one("1234567.89"), one(1_000_000))).toEqual([
    {
      column: "n",
      text: "€1.2M",
      exact: "€1,234,567.89",
      change: { text: "+23.5%", direction: "up", before: "€1M" },
    },
  ]);
  expect(figuresOf(spec, one(5), one(null))[0]?.change).toBeNull();
  expect(figuresOf(spec, one(5), one(0))[0]?.change?.text).toBe("+€5.00");
  expect(figuresOf(spec, one(-5), one(-5))[0]?.change?.direction).toBe("same");
});

test("the change of a share is told in points", () => {
  const spec = { mark: "number" as const, encode: { value: "n" }, format: { n: { kind: "percent" as const } } };
  expect(figuresOf(spec, one(0.25), one(0.3))[0]?.change?.text).toBe("−5.0 points");
});

test("a pivot has a column for each value, in order where they are numbers", () => {
  const result: Result = {
    columns: [{ name: "country", type: "Utf8" }, { name: "decile", type: "Int32" }, { name: "n", type: "Int64" }],
    rows: [{ country: "DE", decile: 10, n: 4 }, { country: "DE", decile: 2, n: 3 }, { country: null, decile: 10, n: 1 }],
  };
  const pivot = pivotOf({ mark: "pivot", encode: { x: "country", color: "decile", value: "n" } }, result);
  expect(pivot.heads).toEqual([2, 10]);
  expect(pivot.rows.map((row) => [row.head, row.cells.map((cell) => cell.text)])).toEqual([["DE", ["3", "4"]], [null, ["", "1"]]]);
});

test("CSV quotes what needs it, and leaves out what is not there", () => {
  const result: Result = { columns: [{ name: "a,b", type: "Utf8" }, { name: "c", type: "Int64" }], rows: [{ "a,b": 'say "no"', c: null }, { "a,b": "x\ny", c: 1 }] };
  expect(csvOf(result)).toBe('"a,b",c\r\n"say ""no""",\r\n"x\ny",1\r\n');
});

test("titles become names of files", () => {
  expect(fileName("Value by decile: Größe", "csv")).toBe("value-by-decile-gro-e.csv");
  expect(fileName("…", "svg")).toBe("chart.svg");
});
