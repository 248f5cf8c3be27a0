// What the builder says is missing in a rule, and what it takes the columns of a snapshot for.

import { describe, expect, it } from "vitest";
import type { Table } from "../../../api/types.ts";
import { check, namedIn } from "./check.ts";
import { parse } from "./parse.ts";
import { columnsOf, relationsOf, type ServerNames, type Vocabulary } from "./vocabulary.ts";

const column = (name: string, type: string) => ({ name, type, nullable: true, about: "" });
const table = (name: string, columns: [string, string][]): Table => ({
  name,
  about: "",
  rows: 1,
  key: [],
  references: [],
  columns: columns.map(([one, type]) => column(one, type)),
});

const TABLES = [
  table("customer_value", [
    ["customer", "Utf8"],
    ["first_purchase", "Date32"],
    ["p_alive", "Float64"],
    ["events", "Int64"],
    ["decile_clv_12m", "Int32"],
    ["decile_miles_by_status_12m", 'Map("key_value")'],
    ["shard", "Int32"],
  ]),
  table("dim_customer", [
    ["customer", "Utf8"],
    ["events", "Utf8"],
    ["email_consent", "Boolean"],
    ["valid_from", "Date32"],
    ["is_current", "Boolean"],
  ]),
  table("tickets", [
    ["customer", "Utf8"],
    ["open", "Boolean"],
  ]),
];
const of = (name: string, kind: string, more: object = {}) => ({
  name,
  kind,
  names_people: false,
  is_tile: false,
  ...more,
});
const SERVER: ServerNames = {
  columns: [
    of("customer", "text", { names_people: true }),
    of("customer_value.events", "whole"),
    of("customer_value.p_alive", "float"),
    of("decile_clv_12m", "whole", { is_tile: true }),
    of("decile_miles_by_status_12m", "tiles", { is_tile: true }),
    of("dim_customer.events", "text"),
    of("email_consent", "bool"),
    of("first_purchase", "date"),
    of("p_alive", "float"),
    of("valid_from", "date"),
  ],
  sources: [
    { name: "sales", event_id: true, measures: ["revenue"], dimensions: ["region"] },
    { name: "sums", event_id: false, measures: ["revenue"], dimensions: [] },
  ],
  lists: ["lists/a.txt"],
};
const NAMES: Vocabulary = {
  columns: columnsOf(TABLES, SERVER),
  sources: SERVER.sources,
  relations: relationsOf(TABLES),
  audiences: ["best"],
  lists: SERVER.lists,
};

const said = (rule: string) => check(parse(rule), NAMES).map((finding) => finding.message);

describe("columns", () => {
  it("have their table before their name where both tables have them", () => {
    const names = NAMES.columns.map((one) => one.name);
    expect(names).toEqual([
      "customer",
      "first_purchase",
      "p_alive",
      "customer_value.events",
      "decile_clv_12m",
      "decile_miles_by_status_12m",
      "dim_customer.events",
      "email_consent",
      "valid_from",
    ]);
  });

  it("are what the server says of them", () => {
    const kinds = NAMES.columns.map(({ name, kind }) => [name, kind]);
    expect(kinds).toContainEqual(["p_alive", "number"]);
    expect(kinds).toContainEqual(["decile_miles_by_status_12m", "tiles"]);
    expect(NAMES.columns.filter((one) => one.isTile).map((one) => one.name)).toEqual([
      "decile_clv_12m",
      "decile_miles_by_status_12m",
    ]);
    expect(NAMES.columns.filter((one) => one.namesPeople).map((one) => one.name)).toEqual(["customer"]);
    expect(NAMES.columns.find((one) => one.name === "dim_customer.events")).toMatchObject({
      table: "dim_customer",
      column: "events",
    });
  });
});

describe("findings", () => {
  it.each([
    "p_alive < 0.5",
    "all(first_purchase within last 30 days, email_consent = true, dim_customer.events in ('', 'x'))",
    "decile_miles_by_status_12m['silver'] <= 3",
    "sum(events sales.revenue where region = 'north') > 1",
    "count(relation tickets where open = true) >= 1",
    "steps(exclude audience best)",
    "moved(decile_clv_12m from <= 3 to > 3)",
    "sequence(sales, sales after 1 within 2)",
  ])("there are none in %s", (rule) => {
    expect(said(rule)).toEqual([]);
  });

  it.each([
    ["p_alve < 0.5", "customers have no column p_alve"],
    ["events = 1", "customers have no column events"],
    ["p_alive < 'x'", "give a number"],
    ["email_consent = 1", "choose true or false"],
    ["first_purchase < '2026-02-31x'", "give a day"],
    ["decile_miles_by_status_12m <= 3", "choose a value of the dimension"],
    ["count(events sale) >= 1", "there is no source of events sale"],
    ["sum(events sales) >= 1", "say what is added up"],
    ["sum(events sales.miles) >= 1", "sales has no measure miles"],
    ["avg(events sums.revenue) >= 1", "sums keeps sums of days: there is no avg of its events"],
    ["count(events sales where page = 'x') >= 1", "sales has no dimension page"],
    ["count(events sales where audience best) >= 1", "events and rows are picked by their columns alone"],
    ["count(relation other) >= 1", "there is no table other with a column customer"],
    ["audience nobody", "there is no audience nobody"],
    ["sequence(sales)", "a sequence has 2 to 6 events"],
    ["sequence(sales, sales after 3 within 2)", "no event can be later than the most days and earlier than the least"],
    ["first_purchase within from 2026-02-01 to 2026-01-01", "the window ends before it begins"],
  ])("tell of %s", (rule, message) => {
    expect(said(rule)).toEqual([message]);
  });

  it("find the nodes that a message of the server names", () => {
    const rule = parse("all(p_alive < 0.5, count(events sales) >= 1)");
    expect(namedIn(rule, "there is no source of events `sales`")).toHaveLength(1);
    expect(namedIn(rule, "something else")).toEqual([]);
  });
});
