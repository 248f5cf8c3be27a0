import { expect, test, vi } from "vitest";
import type { Snapshot, SqlAnswer, Table } from "../../api/types.ts";
import type { Compiled } from "../../spec/compile.ts";
import type { Filter, Widget } from "../../spec/types.ts";
import { columnsOf, defaultOf, fits, idleFilters, lacking, nightsUpTo, settle, snapshotOptions, valuesOf, writtenDefault } from "./filters.ts";

const column = (name: string, type = "Float64") => ({ name, type, nullable: true, about: "" });
const TABLES: Table[] = [
  {
    name: "customer_value",
    about: "",
    rows: 1,
    key: ["customer"],
    references: [],
    columns: [column("clv_12m"), column("clv_3m"), column("decile_clv_12m", "Int32"), column("decile_miles_by_status_12m", "Map(…)")],
  },
];
const night = (number: number, backfill: string | null = null): Snapshot => ({
  number,
  as_of: `2026-03-0${number}`,
  published_at: "",
  hash: `h${number}`,
  customers: 1,
  tags: [],
  pinned: false,
  backfill,
  rollback_of: null,
});
const answer = (rows: unknown[][], names = ["value", "label"]): SqlAnswer => ({
  snapshot: { number: 1, as_of: "", published_at: "", hash: "" },
  request_id: "",
  cached: false,
  columns: names.slice(0, rows[0]?.length ?? 1).map((name) => ({ name, type: "Utf8" })),
  rows: rows.map((row) => Object.fromEntries(row.map((cell, i) => [names[i], cell as string]))),
  row_count: rows.length,
});
const query = (values: Record<string, string>) => new URLSearchParams(values);
const filter = (given: Partial<Filter>): Filter => ({ name: "f", control: "text", ...given });

test("patterns stand for whole names", () => {
  expect(fits("clv_12m", "clv_*")).toBe(true);
  expect(fits("x_clv_12m", "clv_*")).toBe(false);
  expect(fits("a.b", "a?b")).toBe(false);
  expect(fits("clv", "clv")).toBe(true);
});

test("what a widget needs is looked for among tables and columns", () => {
  expect(lacking(["customer_value", "customer_value.clv_*", "customer_value.p_alive", "fact_campaign.opens", "x"], TABLES)).toEqual([
    "customer_value.p_alive",
    "fact_campaign.opens",
    "x",
  ]);
  expect(lacking(undefined, TABLES)).toEqual([]);
});

test("an address gives values of the kind that the filter has", () => {
  const filters = [
    filter({ name: "n", control: "number" }),
    filter({ name: "t" }),
    filter({ name: "many", control: "multiselect" }),
    filter({ name: "p", control: "date_range" }),
    filter({ name: "picked", control: "select" }),
  ];
  const address = query({ "f.n": "0.5", "f.t": "a\\,b", "f.many": "x,y\\,z,\\N", "f.p_from": "2026-01-01", "f.picked": "7" });
  expect(valuesOf(filters, address, { picked: [{ value: 7, label: "7" }] })).toEqual({
    n: 0.5,
    t: "a,b",
    many: ["x", "y,z", null],
    p_from: "2026-01-01",
    p_to: null,
    picked: 7,
  });
  expect(valuesOf(filters, query({ "f.n": "many" }), {})).toMatchObject({ n: null, t: null, many: [] });
});

test("what holds while nobody chose", () => {
  const options = [{ value: "a", label: "A" }, { value: "b", label: "B" }];
  expect(defaultOf(filter({ default: "first" }), options)).toEqual(["a"]);
  expect(defaultOf(filter({ default: "first" }), [])).toEqual([]);
  expect(defaultOf(filter({ default: 0.5, control: "number" }), undefined)).toEqual([0.5]);
  expect(defaultOf(filter({ default: ["a", "b"], control: "multiselect" }), options)).toEqual(["a", "b"]);
});

test("a default is of the kind that the options have, whatever its digits look like", () => {
  const zips = [{ value: "00501", label: "00501" }, { value: "10115", label: "10115" }, { value: null, label: "(none)" }];
  expect(defaultOf(filter({ control: "select", default: writtenDefault("select", "00501") }), zips)).toEqual(["00501"]);
  expect(defaultOf(filter({ control: "select", default: 10115 }), zips)).toEqual(["10115"]);
  expect(defaultOf(filter({ control: "multiselect", default: ["00501", 10115, null] }), zips)).toEqual(["00501", "10115", null]);
  expect(defaultOf(filter({ control: "select", default: "7" }), [{ value: 7, label: "7" }])).toEqual([7]);
  expect(defaultOf(filter({ default: 10115 }), undefined)).toEqual(["10115"]);
  expect(writtenDefault("number", "0.5")).toBe(0.5);
  expect(writtenDefault("snapshot", "-30")).toBe(-30);
  expect(writtenDefault("snapshot", "previous")).toBe("previous");
});

test("snapshots to choose are nights up to the one on view", () => {
  const nights = nightsUpTo([night(1), night(5), night(2), night(4, "b1"), night(3)], night(3));
  expect(nights.map((one) => one.number)).toEqual([3, 2, 1]);
  const snapshot = (given: string | number) => {
    const one = filter({ control: "snapshot", default: given });
    return defaultOf(one, snapshotOptions(one, nights))[0];
  };
  expect([snapshot("first"), snapshot("previous"), snapshot("earliest"), snapshot(-2), snapshot(-3)]).toEqual([3, 2, "earliest", 1, "earliest"]);
  const alone = filter({ control: "snapshot", default: "previous" });
  expect(defaultOf(alone, snapshotOptions(alone, [night(1)]))).toEqual([1]);
});

test("a backfill on view is the first snapshot to choose, and before it come the nights of earlier days", () => {
  const backfill = { ...night(6, "b1"), as_of: "2026-03-03" };
  const all = [backfill, night(5), night(4), night(3), night(2), night(1)];
  const nights = nightsUpTo(all, backfill);
  expect(nights.map((one) => one.number)).toEqual([6, 2, 1]);
  const snapshot = (given: string | number) => {
    const one = filter({ control: "snapshot", default: given });
    return defaultOf(one, snapshotOptions(one, nights))[0];
  };
  expect([snapshot("first"), snapshot("previous"), snapshot(-2), snapshot(-3)]).toEqual([6, 2, 1, "earliest"]);
  expect(nightsUpTo(all, null).map((one) => one.number)).toEqual([5, 4, 3, 2, 1]);
});

test("columns are those that the table has, whatever the address says", async () => {
  const value = filter({ name: "value", control: "select", values: { columns: "customer_value", like: "clv_*" }, default: "first" });
  const tiles = filter({ name: "tiles", control: "select", values: { columns: "customer_value", like: "decile_*" }, default: "first" });
  const ask = vi.fn();
  const settled = await settle({ filters: [value, tiles], widgets: [] }, query({ "f.value": 'x" FROM secrets --' }), TABLES, [], ask);
  expect(settled.columns).toEqual({ value: "clv_12m", tiles: "decile_clv_12m" });
  expect(settled.options.tiles?.map((option) => option.value)).toEqual(["decile_clv_12m"]);
  const chosen = await settle({ filters: [value], widgets: [] }, query({ "f.value": "clv_3m" }), TABLES, [], ask);
  expect(chosen.columns).toEqual({ value: "clv_3m" });
  expect(columnsOf([value], { value: "clv_9m" }, { value: [] })).toEqual({});
  expect(ask).not.toHaveBeenCalled();
});

test("a filter whose query names another waits for what that one says", async () => {
  const asked: Compiled[] = [];
  const filters = [
    filter({ name: "group", control: "select", values: { sql: "SELECT g, l" }, default: "first" }),
    filter({ name: "value", control: "multiselect", values: { sql: "SELECT v WHERE g = $group" } }),
  ];
  const settled = await settle({ filters, widgets: [] }, query({}), TABLES, [], (compiled) => {
    asked.push(compiled);
    return Promise.resolve(compiled.sql.includes("$group") ? answer([["v1"], [null as unknown as string]]) : answer([["g1", "One"], ["g2", "Two"]]));
  });
  expect(asked[1]).toEqual({ sql: "SELECT v WHERE g = $group", parameters: { group: "g1" } });
  expect(settled.options).toEqual({
    group: [{ value: "g1", label: "One" }, { value: "g2", label: "Two" }],
    value: [{ value: "v1", label: "v1" }, { value: null, label: "(none)" }],
  });
  expect(settled.values).toEqual({ group: "g1", value: [] });
});

test("a filter whose query fails leaves the others as they are", async () => {
  const filters = [
    filter({ name: "bad", control: "select", values: { sql: "SELECT" } }),
    filter({ name: "good", control: "select", values: { column: "t.c" }, default: "first" }),
  ];
  const settled = await settle({ filters, widgets: [] }, query({}), TABLES, [], ({ sql }) =>
    sql === "SELECT" ? Promise.reject(new Error("no")) : Promise.resolve(answer([["x"]])),
  );
  expect(Object.keys(settled.failed)).toEqual(["bad"]);
  expect(settled.values).toEqual({ bad: null, good: "x" });
});

test("a filter that every widget asks for in vain is left out, and asks nothing itself", async () => {
  const campaign = filter({ name: "campaign", control: "select", values: { sql: "SELECT c FROM dim_campaign" } });
  const value = filter({ name: "value", control: "select", values: { columns: "customer_value", like: "clv_*" }, default: "first" });
  const period = filter({ name: "period", control: "date_range" });
  const group = filter({ name: "group", control: "select", values: { sql: "SELECT g FROM t" } });
  const member = filter({ name: "member", control: "select", values: { sql: "SELECT m WHERE g = $group" } });
  const unused = filter({ name: "unused" });
  const widgets = [
    { needs: ["fact_campaign"], sql: "SELECT $campaign, $period_from, $group" },
    { needs: ["customer_value.clv_*"], sql: 'SELECT "$value", $member' },
    { query: { table: "customer_value", columns: [], where: [{ column: "d", op: "between", parameter: "period" }] } },
  ] as unknown as Widget[];
  const filters = [campaign, value, period, group, member, unused];
  expect(idleFilters({ filters, widgets }, TABLES)).toEqual([campaign]);
  const ask = vi.fn(() => Promise.resolve(answer([["x"]])));
  const settled = await settle({ filters: [campaign], widgets }, query({}), TABLES, [], ask);
  expect(settled).toMatchObject({ idle: ["campaign"], failed: {}, values: { campaign: null } });
  expect(ask).not.toHaveBeenCalled();
});
