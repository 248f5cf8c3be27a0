// Changes of a widget: the document after each is one that can be asked, and names stay right everywhere.

import { describe, expect, it } from "vitest";
import { checkDocument } from "../../spec/check.ts";
import { outputName } from "../../spec/compile.ts";
import { MARK_INFO } from "../../spec/marks.ts";
import { MARKS, type Widget } from "../../spec/types.ts";
import {
  asSql, conditionChanged, freeName, newWidget, put, shown, swapped, takenOff, withAggregate, withColumn,
  withCondition, withMark, withoutColumn, withTable,
} from "./columns.ts";

const T = "fact_value_by_decile";
const decile = { table: T, column: "decile", type: "Int32" };
const total = { table: T, column: "total", type: "Decimal128(38, 2)" };
const empty = withTable(newWidget("w", { x: 0, y: 0, w: 6, h: 4 }), T);
const bars = put(put(empty, "x", decile), "y", total);

describe("putting columns", () => {
  it("groups on x and aggregates on y", () => {
    expect(bars.query?.columns).toEqual([{ column: "decile" }, { column: "total", aggregate: "sum" }]);
    expect(bars.encode).toEqual({ x: "decile", y: "sum_total" });
  });

  it("orders by x while nobody says otherwise", () => {
    expect(bars.query?.order).toEqual([{ column: "decile" }]);
    expect(put(bars, "x", { table: T, column: "measure", type: "Utf8" }).query?.order).toEqual([{ column: "measure" }]);
    expect(takenOff(bars, "x", "decile").query?.order).toBeUndefined();
    const ordered: Widget = { ...bars, query: { ...bars.query!, order: [{ column: "sum_total", descending: true }] } };
    expect(put(ordered, "x", { table: T, column: "measure", type: "Utf8" }).query?.order).toEqual([{ column: "sum_total", descending: true }]);
  });

  it("takes several on y, and one on x in the place of the one before", () => {
    const more = put(put(bars, "y", { table: T }), "x", { table: T, column: "measure", type: "Utf8" });
    expect(more.encode).toEqual({ x: "measure", y: ["sum_total", "rows"] });
    expect(more.query?.columns.map(outputName)).toEqual(["sum_total", "rows", "measure"]);
  });

  it("counts what is no number, and takes the mean of shares", () => {
    expect(put(empty, "y", { table: T, column: "measure", type: "Utf8" }).encode.y).toBe("count_distinct_measure");
    expect(put(empty, "y", { table: T, column: "p_alive", type: "Float64" }).encode.y).toBe("avg_p_alive");
  });

  it("shows a column of the same name of another table under another name", () => {
    const joined: Widget = { ...bars, query: { ...bars.query!, joins: [{ table: "dim", on: { decile: "decile" } }] } };
    const both = put(joined, "color", { table: "dim", column: "decile", type: "Int32" });
    expect(both.encode.color).toBe("decile_2");
    expect(both.query?.columns.at(-1)).toEqual({ column: "decile", table: "dim", as: "decile_2" });
    expect(takenOff(both, "color", "decile_2").query).toEqual(bars.query);
  });

  it("keeps a column in the answer while another role shows it", () => {
    const both = put(bars, "color", decile);
    expect(both.query).toEqual(bars.query);
    expect(takenOff(both, "color", "decile")).toEqual(bars);
    expect(takenOff(bars, "x", "decile").query?.columns).toHaveLength(1);
  });
});

describe("names", () => {
  const full: Widget = {
    ...bars,
    query: { ...bars.query!, order: [{ column: "sum_total", descending: true }] },
    format: { sum_total: { kind: "money" } },
    options: { legend: "top", sort: { column: "sum_total" } },
    drill: { dashboard: "detail", pass: { value: "sum_total" } },
    cross_filter: { value: "sum_total" },
  };

  it("change wherever they are used", () => {
    const renamed = withColumn(full, "sum_total", (column) => ({ ...column, as: "value" }));
    expect(JSON.stringify(renamed)).not.toContain("sum_total");
    expect(JSON.stringify(withAggregate(full, "sum_total", "avg"))).not.toContain("sum_total");
    expect(withAggregate(full, "sum_total", "avg").encode.y).toBe("avg_total");
  });

  it("go with their column", () => {
    const without = withoutColumn(full, "sum_total");
    expect(JSON.stringify(without)).not.toContain("sum_total");
    expect(without.options).toEqual({ legend: "top" });
    expect(without.encode).toEqual({ x: "decile" });
  });

  it("are free", () => {
    expect(freeName("a", ["b"])).toBe("a");
    expect(freeName("a_2", ["a_2", "a_3"])).toBe("a_4");
  });
});

describe("marks", () => {
  it("take over what means the same", () => {
    expect(withMark(bars, "donut").encode).toEqual({ color: "decile", size: "sum_total" });
    expect(withMark(bars, "number").encode).toEqual({ value: "sum_total" });
    expect(withMark(put(bars, "y", { table: T }), "combo").encode.y).toEqual(["sum_total", "rows"]);
    expect(withMark(put(bars, "color", decile), "heatmap").encode).toEqual({ x: "decile", y: "decile", value: "sum_total" });
  });

  it("never group by what they do not show, keep their amounts, and show only what their roles take", () => {
    const before = put(put(bars, "color", { table: T, column: "measure", type: "Utf8" }), "y", { table: T });
    for (const from of MARKS) {
      for (const to of MARKS) {
        const widget = withMark(withMark(before, from), to);
        const names = widget.query?.columns.map(outputName) ?? [];
        expect(names).toEqual(expect.arrayContaining(["sum_total", "rows"]));
        const roles = MARK_INFO[to].roles.map((info) => info.role);
        expect(Object.keys(widget.encode).every((role) => roles.includes(role as (typeof roles)[number]))).toBe(true);
        const placed = roles.flatMap((role) => shown(widget.encode, role));
        for (const column of widget.query?.columns ?? []) {
          if (!column.aggregate) expect(placed).toContain(outputName(column));
        }
        for (const info of MARK_INFO[to].roles) {
          if (!info.many) expect(shown(widget.encode, info.role).length).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  it("leave columns alone that were only in the answer, and the columns of SQL", () => {
    const also = put(bars, null, { table: T, column: "measure", type: "Utf8" });
    expect(withMark(also, "number").query?.columns.map(outputName)).toEqual(["sum_total", "measure"]);
    const { query: _, ...sql } = { ...bars, sql: "SELECT 1" };
    expect(withMark(sql, "number")).toEqual({ ...sql, mark: "number", encode: { value: "sum_total" } });
  });

  it("swap their axes and back", () => {
    expect(swapped(bars).encode).toEqual({ x: "sum_total", y: "decile" });
    expect(swapped(swapped(bars))).toEqual(bars);
    expect(swapped(put(bars, "y", { table: T })).encode).toEqual({ x: "sum_total", y: ["decile", "rows"] });
  });
});

it("conditions come, change and go", () => {
  const filtered = withCondition(bars, { column: "measure", op: "in", values: ["clv"] });
  expect(filtered.query?.where).toEqual([{ column: "measure", op: "in", values: ["clv"] }]);
  const changed = conditionChanged(filtered, 0, { column: "measure", op: "not_in", values: [null] });
  expect(changed.query?.where?.[0]?.op).toBe("not_in");
  expect(conditionChanged(changed, 0, null)).toEqual(bars);
});

it("SQL asks the same and shows the same", () => {
  const sql = asSql(withCondition({ ...bars, title: "T", describe: "D" }, { column: "measure", op: "=", value: "clv" }));
  expect(sql.query).toBeUndefined();
  expect(sql.encode).toEqual(bars.encode);
  expect(sql.parameters).toEqual({ p1: "clv", p2: 1000 });
  expect(checkDocument({ title: "T", widgets: [sql] })).toEqual([]);
  expect(asSql(sql)).toBe(sql);
});

it("a table begins with no more rows than a picture can show", () => {
  expect(empty.query).toEqual({ table: T, columns: [], limit: 1000 });
  expect(withTable(bars, "other").encode).toEqual({});
});
