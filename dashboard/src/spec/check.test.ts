// What is found in a document that is not right, and where.

import { describe, expect, it } from "vitest";
import { checkDocument } from "./check.ts";
import type { DashboardDocument, Widget } from "./types.ts";

const WIDGET: Widget = {
  name: "deciles",
  title: "Deciles",
  at: { x: 0, y: 0, w: 6, h: 4 },
  query: {
    table: "fact_value_by_decile",
    columns: [{ column: "decile" }, { column: "total", aggregate: "sum", as: "total" }],
    where: [{ column: "measure", op: "in", parameter: "measure" }],
  },
  mark: "bar",
  encode: { x: "decile", y: ["total"] },
  format: { total: { kind: "money", currency: "EUR", digits: 0 } },
  options: { sort: { column: "total" } },
  drill: { dashboard: "detail", pass: { decile: "decile" } },
  cross_filter: { measure: "decile" },
  describe: "Bars of value.",
};
const DOCUMENT: DashboardDocument = {
  title: "Values",
  filters: [
    { name: "measure", control: "select", values: { column: "fact_value_by_decile.measure" } },
    { name: "lookback", control: "select", values: { sql: "SELECT lookback FROM t WHERE measure = $measure" } },
    { name: "period", control: "date_range" },
  ],
  widgets: [WIDGET],
};

const places = (document: DashboardDocument) => checkDocument(document).map((finding) => finding.place);
const withWidget = (change: Partial<Widget>) => places({ ...DOCUMENT, widgets: [{ ...WIDGET, ...change }] });

describe("a document", () => {
  it("that is right has no findings", () => {
    expect(checkDocument(DOCUMENT)).toEqual([]);
  });

  it.each<[string, Partial<Widget>]>([
    ["widgets.deciles.title", { title: " " }],
    ["widgets.deciles.describe", { describe: "" }],
    ["widgets.Deciles.name", { name: "Deciles" }],
    ["widgets.deciles.at", { at: { x: 8, y: 0, w: 6, h: 4 } }],
    ["widgets.deciles.at", { at: { x: 0.5, y: 0, w: 6, h: 4 } }],
    ["widgets.deciles.encode.y", { encode: { x: "decile", y: [] } }],
    ["widgets.deciles.encode.color", { encode: { x: "decile", y: "total", color: "country" } }],
    ["widgets.deciles.format.mean", { format: { mean: { kind: "number" } } }],
    ["widgets.deciles.format.total", { format: { total: { kind: "number", digits: 11 } } }],
    ["widgets.deciles.options.sort", { options: { sort: { column: "mean" } } }],
    ["widgets.deciles.drill", { drill: { dashboard: "No name" } }],
    ["widgets.deciles.cross_filter", { cross_filter: { country: "decile" } }],
    ["widgets.deciles.compare", { compare: "previous" }],
    ["widgets.deciles.query.columns", { query: { table: "t", columns: [] }, mark: "table", encode: {}, format: {}, options: {}, drill: undefined, cross_filter: {} }],
    ["widgets.deciles.query", { sql: "SELECT 1 AS decile, 2 AS total" }],
    ["widgets.deciles.sql", { query: undefined, sql: "SELECT $unknown AS decile" }],
    ["widgets.deciles.sql", { query: undefined, sql: ` ` }],
  ])("is wrong at %s", (place, change) => {
    expect(withWidget(change)).toEqual([place]);
  });

  it("knows the parameters that its filters and its fixed values give", () => {
    const sql = "SELECT 1 WHERE $period_from < $period_to AND $measure = $fixed";
    expect(withWidget({ query: undefined, sql, parameters: { fixed: 1 } })).toEqual([]);
    const where = [{ column: "day", op: "between" as const, parameter: "period" }];
    expect(withWidget({ query: { ...WIDGET.query, where } as Widget["query"] })).toEqual([]);
    expect(
      withWidget({ query: { ...WIDGET.query, where: [{ column: "day", op: "=", parameter: "period" }] } as Widget["query"] }),
    ).toEqual(["widgets.deciles.query.where[0]"]);
  });

  it("has widgets that do not lie over one another and have names of their own", () => {
    const other: Widget = { ...WIDGET, at: { x: 5, y: 3, w: 6, h: 4 } };
    expect(places({ ...DOCUMENT, widgets: [WIDGET, { ...other, name: "other" }] })).toEqual(["widgets.other.at"]);
    expect(places({ ...DOCUMENT, widgets: [WIDGET, { ...other, at: { x: 6, y: 0, w: 6, h: 4 } }] })).toEqual([
      "widgets.deciles.name",
    ]);
  });

  it("has filters with names of their own and values to choose from", () => {
    const filters = (list: DashboardDocument["filters"]) => places({ title: "T", filters: list, widgets: [] });
    expect(filters([{ name: "period_from", control: "text" }, { name: "period", control: "date_range" }])).toEqual([
      "filters.period.name",
    ]);
    expect(filters([{ name: "country", control: "select" }])).toEqual(["filters.country.values"]);
    expect(filters([{ name: "country", control: "select", values: { column: "country" } }])).toEqual(["filters.country.values"]);
    expect(filters([{ name: "country", control: "select", values: { sql: "SELECT $later" } }, { name: "later", control: "text" }])).toEqual([
      "filters.country.values",
    ]);
    expect(filters([{ name: "2", control: "text" }])).toEqual(["filters.2.name"]);
  });
});
