import { expect, test } from "vitest";
import { sortRows } from "./DataTable.tsx";
import { ago, bytes, compact, duration, money, number, percent, signed, written } from "./format.ts";

test("numbers have separators and as many digits as help", () => {
  expect(number(1234567)).toBe("1,234,567");
  expect(number(1234.567)).toBe("1,234.6");
  expect(number(0.12345)).toBe("0.1235");
  expect(number(2, 2)).toBe("2.00");
  expect(compact(1234567)).toBe("1.2M");
  expect(compact(999)).toBe("999");
});

test("money has its currency, where that is one", () => {
  expect(money(1234.5, "EUR")).toBe("€1,234.50");
  expect(money(1234567, "EUR", undefined, true)).toBe("€1.2M");
  expect(money(12, "euros")).toBe("12.00");
});

test("values are written by their format", () => {
  expect(written(null)).toBe("–");
  expect(written(true)).toBe("yes");
  expect(written("123456789012345678901", { kind: "number" })).toBe("123,456,789,012,345,678,901");
  expect(written("4711")).toBe("4711");
  expect(written(0.256, { kind: "percent" })).toBe("25.6%");
  expect(written("2026-03-01T00:00:00Z", { kind: "date" })).toBe("2026-03-01");
  expect(percent(0.1, 0)).toBe("10%");
  expect(signed(-0.1, (size) => percent(size))).toBe("−10.0%");
});

test("spans and sizes", () => {
  expect(duration(0.25)).toBe("250 ms");
  expect(duration(65)).toBe("1 min 5 s");
  expect(duration(7200)).toBe("2 h");
  expect(duration(200000)).toBe("2 d 7 h");
  expect(bytes(1536)).toBe("1.5 KiB");
  expect(bytes(12)).toBe("12 B");
  expect(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:02:00Z"))).toBe("2 min ago");
});

test("rows are ordered by size, and what is missing comes last either way", () => {
  const rows = [{ v: "10" }, { v: null }, { v: 9 }, { v: "12345678901234567890" }];
  const value = (row: { v: string | number | null }) => row.v;
  expect(sortRows(rows, value, false).map(value)).toEqual([9, "10", "12345678901234567890", null]);
  expect(sortRows(rows, value, true).map(value)).toEqual(["12345678901234567890", "10", 9, null]);
});
