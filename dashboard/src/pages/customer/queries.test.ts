// What is asked about a customer, and what the answers come to over snapshots.
import { describe, expect, it } from "vitest";
import type { Row, Snapshot, Table } from "../../api/types.ts";
import { isTileOf, lines } from "./Deciles.tsx";
import { byAttribute, byKey, followed, historySql, keyOf, keyWrong, overSnapshots } from "./queries.ts";

const table = (name: string, columns: [string, string][]): Table => ({
  name,
  about: "",
  rows: 0,
  key: [],
  references: [],
  columns: columns.map(([column, type]) => ({ name: column, type, nullable: true, about: "" })),
});
const tables = (type: string) => [
  table("customer_value", [
    ["customer", type],
    ["clv_12m", "Float64"],
    ["decile_clv_12m", "Int32"],
    ["decile_x_12m", "Map(…)"],
    ["p_alive", "Float64"],
  ]),
  table("dim_customer", [
    ["customer", type],
    ['e-mail"s', "Utf8"],
    ["born", "Date32"],
  ]),
];
const snapshot = (number: number, backfill: string | null = null) =>
  ({ number, as_of: `2026-01-0${number}`, backfill }) as Snapshot;

describe("keys", () => {
  it("have the type of the column", () => {
    expect(keyOf(tables("Int64"))).toBe("CAST($key AS BIGINT)");
    expect(keyOf(tables("Utf8"))).toBe("$key");
    expect(keyWrong(tables("Int64"), "12a")).not.toBeNull();
    expect(keyWrong(tables("Int64"), "9223372036854775807")).toBeNull();
    expect(keyWrong(tables("Int64"), "9223372036854775808")).not.toBeNull();
    expect(keyWrong(tables("Utf8"), "12a")).toBeNull();
  });

  it("are those of customers, whatever other tables call so", () => {
    expect(keyOf([table("accounts", [["customer", "Utf8"]]), ...tables("Int64")], "$1")).toBe("CAST($1 AS BIGINT)");
  });
});

describe("queries", () => {
  it("bind what somebody typed and quote names", () => {
    expect(byKey(tables("Utf8"), "x' OR 1=1")).not.toContain("OR 1=1");
    expect(byAttribute(tables("Utf8"))).toContain('lower(d."e-mail""s") = lower($text)');
    expect(byAttribute([table("customer_value", [["customer", "Utf8"]])])).toBeNull();
  });

  it("follow what can be drawn", () => {
    expect(followed(tables("Utf8"))).toEqual(["clv_12m", "decile_clv_12m", "p_alive"]);
    expect(historySql(tables("Int64"))).toContain("WHERE customer = CAST($key AS BIGINT)");
  });
});

describe("a customer over snapshots", () => {
  const changes: Row[] = [
    { _snapshot: 2, _change_type: "insert", clv_12m: 1 },
    { _snapshot: 4, _change_type: "update_postimage", clv_12m: 2 },
    { _snapshot: 6, _change_type: "delete", clv_12m: 2 },
  ];
  it("is as it was until it changes, and gone when it is taken out", () => {
    const all = [7, 6, 5, 4, 3, 2, 1].map((number) => snapshot(number));
    expect(overSnapshots(changes, all, 7).map((row) => [row._snapshot, row.clv_12m])).toEqual([
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
    ]);
  });
  it("ends with the snapshot that is shown, without backfills", () => {
    const all = [snapshot(4), snapshot(3, "b"), snapshot(2)];
    expect(overSnapshots(changes, all, 3).map((row) => row.as_of)).toEqual(["2026-01-02"]);
    expect(overSnapshots(changes, all, 4).map((row) => row.as_of)).toEqual(["2026-01-02", "2026-01-04"]);
  });
  it("has the last of several changes between two snapshots that there still are", () => {
    expect(overSnapshots(changes, [snapshot(5)], 5).map((row) => row.clv_12m)).toEqual([2]);
  });
});

describe("tiles", () => {
  const tiling = (measure: string, lookback: string, dimension: string | null = null) => ({
    measure,
    lookback,
    dimension,
    tiles: 10,
  });
  it("are told by the names of their columns", () => {
    expect(isTileOf("quartile_revenue_12m", tiling("revenue", "12m"))).toBe(true);
    expect(isTileOf("decile_clv_12m", tiling("clv_12m", "12m"))).toBe(true);
    expect(isTileOf("ntile20_revenue_12m", tiling("revenue", "12m"))).toBe(true);
    expect(isTileOf("revenue_12m", tiling("revenue", "12m"))).toBe(false);
    expect(isTileOf("decile_miles_by_revenue_12m", tiling("revenue", "12m"))).toBe(false);
    expect(isTileOf("expected_purchases_12m", tiling("purchases", "12m"))).toBe(false);
    expect(isTileOf("total_value_12m", tiling("value", "12m"))).toBe(false);
  });
  it("are those of all customers, and then those within a dimension", () => {
    const row = { decile_revenue_12m: 2, revenue_12m: 50, decile_clv_12m: 1, clv_12m: 9 };
    const within = [
      { measure: "revenue", lookback: "12m", dimension_value: null, total: 50, decile: 2 },
      { measure: "by_country", lookback: "12m", dimension_value: "Spain", total: 5, decile: 4 },
    ];
    const all = lines(
      row,
      [tiling("clv_12m", "12m"), tiling("revenue", "12m"), tiling("by_country", "12m", "country")],
      within,
    );
    expect(all.map(({ measure, dimension, total, tile }) => [measure, dimension, total, tile])).toEqual([
      ["clv_12m", null, 9, 1],
      ["revenue", null, 50, 2],
      ["by_country", "Spain", 5, 4],
    ]);
  });
  it("may be of any number, and columns before them may end as they do", () => {
    const row = {
      expected_purchases_12m: 3.4177,
      purchases_12m: 4,
      decile_purchases_12m: 2,
      revenue_12m: 50,
      ntile20_revenue_12m: 7,
    };
    const all = lines(row, [tiling("purchases", "12m"), { ...tiling("revenue", "12m"), tiles: 20 }], []);
    expect(all.map(({ measure, total, tile, tiles }) => [measure, total, tile, tiles])).toEqual([
      ["purchases", 4, 2, 10],
      ["revenue", 50, 7, 20],
    ]);
  });
});
