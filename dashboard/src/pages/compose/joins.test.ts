// Tables that a query reaches, and joins that come and go with the columns that need them.

import { describe, expect, it } from "vitest";
import type { Table } from "../../api/types.ts";
import type { GuidedQuery, Join } from "../../spec/types.ts";
import { reachable, resolved, tidied, wayInWords, withJoin } from "./joins.ts";

const table = (name: string, columns: string[], key: string[], references: Table["references"] = []): Table => ({
  name,
  about: "",
  rows: 1,
  key,
  references,
  columns: columns.map((column) => {
    const [title = "", type = "Utf8"] = column.split(":");
    return { name: title, type, nullable: true, about: "" };
  }),
});

const TABLES = [
  table("fact_email_event", ["event_id", "customer", "day:Date32", "campaign"], ["event_id"], [
    { column: "campaign", table: "dim_campaign", key: "campaign" },
  ]),
  table("customer_value", ["customer", "first_purchase:Date32", "last_purchase:Date32"], ["customer"], [
    { column: "first_purchase", table: "dim_date", key: "date" },
    { column: "last_purchase", table: "dim_date", key: "date" },
  ]),
  table("dim_customer", ["customer", "country", "valid_from:Date32", "is_current:Boolean"], ["customer", "valid_from"]),
  table("dim_campaign", ["campaign"], ["campaign"]),
  table("dim_date", ["date:Date32", "year:Int32"], ["date"]),
  table("other", ["customer:Int64"], ["customer"]),
  table("fact_audience", ["audience", "snapshot_date:Date32"], ["audience", "snapshot_date"]),
];
const EVENTS = { table: "fact_email_event", columns: [] };

describe("tables that a query reaches", () => {
  it("are those of its references and those whose whole key it has, of the same type", () => {
    const reach = reachable(TABLES, EVENTS);
    expect(reach.map((one) => one.table.name)).toEqual(["dim_campaign", "customer_value", "dim_customer"]);
    expect(reach.map((one) => one.ways)).toEqual([
      [{ table: "dim_campaign", on: { campaign: "campaign" } }],
      [{ table: "customer_value", on: { customer: "customer" } }],
      [{ table: "dim_customer", on: { customer: "customer" }, where: { is_current: true } }],
    ]);
  });

  it("are further away once others are joined, and there may be several ways", () => {
    const joined = withJoin(EVENTS, { table: "customer_value", on: { customer: "customer" } });
    const dates = reachable(TABLES, joined).find((one) => one.table.name === "dim_date");
    expect(dates?.ways).toEqual([
      { table: "dim_date", on: { "customer_value.first_purchase": "date" } },
      { table: "dim_date", on: { "customer_value.last_purchase": "date" } },
    ]);
    expect(dates?.ways.map(wayInWords)).toEqual([
      "by customer_value.first_purchase = date",
      "by customer_value.last_purchase = date",
    ]);
    expect(reachable(TABLES, joined).map((one) => one.table.name)).not.toContain("customer_value");
  });

  it("have a pair of columns for each one of a reference, in whatever order it names them", () => {
    const tables = [
      table("group", ["order", "day:Date32"], ["order"], [{ column: "order, day", table: "orders", key: "number, end" }]),
      table("orders", ["number", "end:Date32", "amount:Float64"], ["number", "end"]),
      table("line", ["number", "end:Date32"], [], [{ column: "end, number", table: "orders", key: "end, number" }]),
    ];
    const orders = (query: GuidedQuery) => reachable(tables, query).find((one) => one.table.name === "orders")?.ways;
    expect(orders({ table: "group", columns: [] })).toEqual([{ table: "orders", on: { order: "number", day: "end" } }]);
    const joined = withJoin({ table: "other", columns: [] }, { table: "group", on: { order: "order" } });
    expect(orders(joined)).toEqual([{ table: "orders", on: { "group.order": "number", "group.day": "end" } }]);
    expect(orders({ table: "line", columns: [] })).toEqual([{ table: "orders", on: { end: "end", number: "number" } }]);
  });

  it("are none where the key has more columns", () => {
    expect(reachable(TABLES, { table: "other", columns: [] })).toEqual([]);
  });
});

describe("joins", () => {
  const joins: Join[] = [
    { table: "customer_value", on: { customer: "customer" } },
    { table: "dim_date", on: { "customer_value.first_purchase": "date" } },
  ];

  it("stay while a column needs them, also by way of another", () => {
    const query = { ...EVENTS, joins, columns: [{ table: "dim_date", column: "year" }] };
    expect(tidied(query).joins).toEqual(joins);
  });

  it("go with the last column that needs them, and then tables need no names", () => {
    const query = { ...EVENTS, joins, columns: [{ table: "fact_email_event", column: "day" }] };
    expect(tidied(query)).toEqual({ ...EVENTS, columns: [{ column: "day" }] });
  });

  it("give each column the name of its table", () => {
    const query = {
      ...EVENTS,
      joins: joins.slice(0, 1),
      columns: [{ column: "day" }, { aggregate: "count" as const }],
      where: [{ column: "first_purchase", op: "is_null" as const }],
    };
    expect(tidied(resolved(query, TABLES))).toMatchObject({
      columns: [{ table: "fact_email_event", column: "day" }, { aggregate: "count" }],
      where: [{ table: "customer_value", column: "first_purchase" }],
    });
  });
});
