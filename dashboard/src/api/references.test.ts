import { expect, test } from "vitest";
import { leadsTo, pairsOf } from "./references.ts";
import type { Table } from "./types.ts";

const GROUP: Table = {
  name: "group",
  about: "",
  rows: 1,
  key: ["order"],
  references: [
    { column: "day", table: "dim_date", key: "date" },
    { column: "order, day", table: "orders", key: "number, end" },
  ],
  columns: [],
};

test("a reference has a pair for each of its columns", () => {
  expect(GROUP.references.map(pairsOf)).toEqual([
    [["day", "date"]],
    [
      ["order", "number"],
      ["day", "end"],
    ],
  ]);
});

test("each column of a reference leads to its table, and a table is told once", () => {
  expect(["order", "day", "other"].map((column) => leadsTo(GROUP, column))).toEqual([["orders"], ["dim_date", "orders"], []]);
  const twice = { ...GROUP, references: [...GROUP.references, { column: "order", table: "orders", key: "number" }] };
  expect(leadsTo(twice, "order")).toEqual(["orders"]);
});
