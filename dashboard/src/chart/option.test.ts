import { describe, expect, test } from "vitest";
import type { Cell } from "../api/types.ts";
import { drawing } from "./option.ts";
import { type Look, paletteOf } from "./palette.ts";
import { type ChartSpec, extent, normalised, type Result, shapeOf, sorted } from "./shape.ts";

const LOOK: Look = { dark: false, patterns: false, motion: false };
const COLORS = paletteOf(LOOK);

/** Rows from columns with a type each: `answer("decile Int32, total Float64", [[1, 2]])`. */
function answer(head: string, rows: Cell[][]): Result {
  const columns = head.split(", ").map((part) => {
    const [name = "", type = ""] = part.split(" ");
    return { name, type };
  });
  return { columns, rows: rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i] ?? null]))) };
}

function draw(spec: ChartSpec, result: Result) {
  const made = drawing(spec, result, LOOK);
  // Only what these tests look at.
  const option = made.option as {
    series: { type: string; name: string; stack?: string; color?: string; yAxisIndex?: number; data: { value: unknown; itemStyle?: { color: string } }[] }[];
    xAxis: { type: string; data?: string[]; inverse?: boolean };
    yAxis: { type: string; data?: string[]; inverse?: boolean; max?: number; axisLabel: { formatter: (value: number) => string } }[];
    visualMap: { min: number; max: number; inRange: { color: string[] } };
    aria: { label: { description: string } };
    legend: { show: boolean };
  };
  return { ...made, option, values: option.series.map((one) => one.data.map((item) => item.value)) };
}

const DECILES = answer("decile Int32, total Decimal128(38,2), customers Int64, share Float64", [
  [1, "1000.50", 10, 0.5],
  [2, "600", 10, 0.8],
  [3, null, 0, 0.8],
]);

describe("bars", () => {
  test("have the values of the rows, a gap for none, and a colour for each decile", () => {
    const { option, values, rowOf, tip } = draw({ mark: "bar", encode: { x: "decile", y: "total" }, describe: "Value by decile" }, DECILES);
    expect(values).toEqual([[1000.5, 600, null]]);
    expect(option.xAxis.data).toEqual(["1", "2", "3"]);
    expect(option.series[0]?.data.map((item) => item.itemStyle?.color)).toEqual(COLORS.deciles.slice(0, 3));
    expect(rowOf({ seriesIndex: 0, dataIndex: 1 })).toBe(1);
    expect(tip([{ seriesIndex: 0, dataIndex: 0 }])).toMatchObject({ title: "1", lines: [{ name: "total", value: "1000.50" }] });
    expect(option.aria.label.description).toBe("Value by decile");
  });

  test("lie down with the first at the top", () => {
    const { option } = draw({ mark: "bar", encode: { x: "decile", y: "total" }, options: { horizontal: true } }, DECILES);
    expect((option.yAxis as unknown as { inverse: boolean; type: string }).inverse).toBe(true);
  });

  test("several columns are several series, and formats are used", () => {
    const { option, values } = draw(
      { mark: "bar", encode: { x: "decile", y: ["customers", "total"] }, format: { customers: { kind: "number" } } },
      DECILES,
    );
    expect(option.series.map((one) => one.name)).toEqual(["customers", "total"]);
    expect(values[0]).toEqual([10, 10, 0]);
    expect(option.legend.show).toBe(true);
    expect(option.yAxis[0]?.axisLabel.formatter(1500)).toBe("1.5K");
  });

  test("are sorted as the widget says, and rows are still those of the answer", () => {
    const { option, values, rowOf } = draw(
      { mark: "bar", encode: { x: "country", y: "n" }, options: { sort: { column: "n", descending: true } } },
      answer("country Utf8, n Int64", [["a", 1], ["b", 3], ["c", null], ["d", 2]]),
    );
    expect(option.xAxis.data).toEqual(["b", "d", "a", "c"]);
    expect(values).toEqual([[3, 2, 1, null]]);
    expect([0, 1, 2, 3].map((dataIndex) => rowOf({ seriesIndex: 0, dataIndex }))).toEqual([1, 3, 0, 2]);
  });

  test("two rows at one place are refused with what to do", () => {
    const twice = answer("country Utf8, n Int64", [["a", 1], ["a", 2]]);
    expect(() => draw({ mark: "bar", encode: { x: "country", y: "n" } }, twice)).toThrow(/several rows have country a/);
  });

  test("columns that are not there are named", () => {
    expect(() => draw({ mark: "bar", encode: { x: "decil", y: "total" } }, DECILES)).toThrow(/no column decil; it has decile, total/);
    expect(() => draw({ mark: "bar", encode: { x: "decile" } }, DECILES)).toThrow(/nothing says which column is upwards/);
  });
});

const OVER_TIME = answer("day Date32, decile Int32, customers Int64", [
  ["2026-03-01", 2, 20],
  ["2026-03-02", 2, 21],
  ["2026-03-01", 1, 10],
  ["2026-03-03", 1, 12],
]);

describe("lines and areas", () => {
  test("go over time, with every series at every place", () => {
    const { option, values } = draw({ mark: "line", encode: { x: "day", y: "customers", color: "decile" } }, OVER_TIME);
    expect(option.xAxis.type).toBe("time");
    expect(option.series.map((one) => [one.name, one.color])).toEqual([["2", COLORS.deciles[1]], ["1", COLORS.deciles[0]]]);
    const day = (text: string) => Date.parse(`${text}T00:00:00Z`);
    expect(values[1]).toEqual([[day("2026-03-01"), 10], [day("2026-03-02"), null], [day("2026-03-03"), 12]]);
  });

  test("stacked areas have no gaps, and the box beside the pointer does not name what is not there", () => {
    const { option, values, tip } = draw({ mark: "area", encode: { x: "day", y: "customers", color: "decile" }, options: { stacked: true } }, OVER_TIME);
    expect(option.series.every((one) => one.stack === "all")).toBe(true);
    expect((values[1] as [number, number][]).map(([, value]) => value)).toEqual([10, 0, 12]);
    expect(tip([{ seriesIndex: 0, dataIndex: 1 }, { seriesIndex: 1, dataIndex: 1 }]).lines.map((line) => line.value)).toEqual(["21"]);
  });

  test("shares of the whole add up to one, and the value stays to be read", () => {
    const { values, tip, option } = draw(
      { mark: "area", encode: { x: "day", y: "customers", color: "decile" }, options: { normalised: true } },
      OVER_TIME,
    );
    const at = (i: number) => (values as [number, number][][]).reduce((sum, one) => sum + (one[i]?.[1] ?? 0), 0);
    expect([at(0), at(1), at(2)]).toEqual([1, 1, 1]);
    expect(option.yAxis[0]?.max).toBe(1);
    expect(tip([{ seriesIndex: 0, dataIndex: 0 }]).lines[0]?.value).toBe("20 (66.7%)");
  });

  test("numbers with fractions are places on a scale", () => {
    const { option, values } = draw({ mark: "line", encode: { x: "x", y: "y" } }, answer("x Float64, y Float64", [[0.5, 1], [0.1, 2]]));
    expect(option.xAxis.type).toBe("value");
    expect(values).toEqual([[[0.1, 2], [0.5, 1]]]);
  });

  test("what has no place on a scale is not drawn at zero", () => {
    const { values } = draw({ mark: "line", encode: { x: "x", y: "y" } }, answer("x Float64, y Float64", [[0.5, 1], [null, 2]]));
    expect(values).toEqual([[[0.5, 1], [null, 2]]]);
  });
});

test("a combo has bars and, on a scale of its own, a line", () => {
  const { option, values, rowOf } = draw({ mark: "combo", encode: { x: "decile", y: "total", line: "share" }, format: { share: { kind: "percent", digits: 0 } } }, DECILES);
  expect(option.series.map((one) => [one.type, one.yAxisIndex])).toEqual([["bar", undefined], ["line", 1]]);
  expect(values[1]).toEqual([0.5, 0.8, 0.8]);
  expect(option.yAxis[1]?.axisLabel.formatter(0.5)).toBe("50%");
  expect(rowOf({ seriesIndex: 1, dataIndex: 2 })).toBe(2);
});

test("a combo that names no line has the first column as bars, each time that it is drawn", () => {
  const spec: ChartSpec = { mark: "combo", encode: { x: "decile", y: ["total", "share"] } };
  const kinds = () => draw(spec, DECILES).option.series.map((one) => [one.type, one.name]);
  expect(kinds()).toEqual([["bar", "total"], ["line", "share"]]);
  expect(kinds()).toEqual([["bar", "total"], ["line", "share"]]);
  expect(spec.encode.y).toEqual(["total", "share"]);
});

test("the line of coloured bars is one, and leads to its row", () => {
  const { values, rowOf } = draw(
    { mark: "combo", encode: { x: "d", y: "n", color: "c", line: "l" } },
    answer("d Utf8, c Utf8, n Int64, l Float64", [["a", "x", 1, 0.5], ["a", "y", 2, 0.5], ["b", "x", 3, 0.9]]),
  );
  expect(values).toEqual([[1, 3], [2, null], [0.5, 0.9]]);
  expect(rowOf({ seriesIndex: 2, dataIndex: 1 })).toBe(2);
});

test("points have a place, a size and a colour, and lead to their rows", () => {
  const { option, rowOf, tip } = draw(
    { mark: "point", encode: { x: "a", y: "b", color: "c", size: "n" } },
    answer("a Float64, b Float64, c Utf8, n Int64", [[1, 2, "x", 100], [3, 4, "y", 25], [5, 6, "x", 0]]),
  );
  expect(option.series.map((one) => one.name)).toEqual(["x", "y"]);
  const sizes = option.series.flatMap((one) => one.data.map((item) => (item as unknown as { symbolSize: number }).symbolSize));
  expect(sizes).toEqual([35, 5, 20]);
  expect(rowOf({ seriesIndex: 0, dataIndex: 1 })).toBe(2);
  expect(tip([{ seriesIndex: 1, dataIndex: 0 }]).lines.map((line) => line.value)).toEqual(["3", "4", "25", "y"]);
});

test("too many points are drawn in part, and that is said", () => {
  const rows = Array.from({ length: 5001 }, (_, i) => [i, i]);
  expect(draw({ mark: "point", encode: { x: "a", y: "b" } }, answer("a Int64, b Int64", rows)).note).toMatch(/first 5000 of 5001/);
});

describe("rings", () => {
  test("have the parts as they are", () => {
    const { values, tip } = draw({ mark: "donut", encode: { color: "c", size: "n" } }, answer("c Utf8, n Int64", [["a", 3], ["b", 1]]));
    expect(values).toEqual([[3, 1]]);
    expect(tip([{ dataIndex: 0 }]).lines[0]?.value).toBe("3 (75.0%)");
  });

  test("put the smallest of many together, which adds up and says so", () => {
    const rows = Array.from({ length: 20 }, (_, i) => [`p${i}`, i + 1]);
    const { values, note, rowOf } = draw({ mark: "donut", encode: { color: "c", size: "n" } }, answer("c Utf8, n Int64", rows));
    expect(values[0]).toHaveLength(12);
    expect((values[0] as number[]).reduce((sum, value) => sum + value, 0)).toBe(210);
    expect(note).toMatch(/11 largest of 20/);
    expect(rowOf({ dataIndex: 0 })).toBe(19);
    expect(rowOf({ dataIndex: 11 })).toBe(-1);
  });

  test("refuse values below zero", () => {
    expect(() => draw({ mark: "donut", encode: { color: "c", size: "n" } }, answer("c Utf8, n Int64", [["a", -1]]))).toThrow(/below zero/);
  });
});

describe("heat maps", () => {
  test("have a cell for each row with a value, by the places of both sides", () => {
    const { option, rowOf, note } = draw(
      { mark: "heatmap", encode: { x: "to", y: "from", value: "n" } },
      answer("from Int32, to Int32, n Int64", [[2, 1, 5], [1, 1, 7], [1, 2, null], [null, 2, 3]]),
    );
    expect(option.xAxis.data).toEqual(["1", "2"]);
    expect((option.yAxis as unknown as { data: string[] }).data).toEqual(["2", "1", "(none)"]);
    expect(option.series[0]?.data).toEqual([[0, 0, 5], [0, 1, 7], [1, 2, 3]]);
    expect(rowOf({ dataIndex: 2 })).toBe(3);
    expect(note).toMatch(/1 rows? without a value/);
    expect(option.visualMap).toMatchObject({ min: 0, max: 7 });
  });

  test("have two sides where values are below and above zero", () => {
    const { option } = draw({ mark: "heatmap", encode: { x: "a", y: "b", value: "n" } }, answer("a Utf8, b Utf8, n Int64", [["x", "y", -2], ["z", "y", 5]]));
    expect(option.visualMap).toMatchObject({ min: -5, max: 5, inRange: { color: COLORS.diverging } });
  });
});

test("a funnel has its stages in the order of the rows, with shares", () => {
  const { values, tip } = draw({ mark: "funnel", encode: { x: "stage", y: "n" } }, answer("stage Utf8, n Int64", [["sent", 200], ["opened", 50], ["clicked", 10]]));
  expect(values).toEqual([[200, 50, 10]]);
  expect(tip([{ dataIndex: 2 }]).lines.map((line) => line.value)).toEqual(["10", "20.0%", "5.0%"]);
});

test("funnels of several colours are bars beside each other", () => {
  const { option } = draw(
    { mark: "funnel", encode: { x: "stage", y: "n", color: "group" } },
    answer("stage Utf8, group Utf8, n Int64", [["sent", "a", 2], ["sent", "b", 1]]),
  );
  expect(option.series.map((one) => [one.type, one.name])).toEqual([["bar", "a"], ["bar", "b"]]);
});

describe("large answers", () => {
  test("have a least and a largest value, however many there are", () => {
    expect(extent(Array.from({ length: 200_000 }, (_, i) => i - 7))).toEqual([-7, 199_992]);
  });

  test("are refused where each row would be a series of its own", () => {
    const result = answer("x Int64, g Utf8, n Int64", Array.from({ length: 201 }, (_, i) => [i, `g${i}`, i]));
    expect(() => draw({ mark: "line", encode: { x: "x", y: "n", color: "g" } }, result)).toThrow(/201 series, and no more than 200/);
  });
});

test("values of stacks are kept by place, whatever the order of rows", () => {
  const rows: Cell[][] = [];
  for (const group of ["x", "y", "z"]) for (let place = 9; place >= 0; place--) if ((place * 7 + group.length) % 3 > 0) rows.push([place, group, place * 2]);
  const result = answer("p Int32, g Utf8, v Int64", rows);
  for (const order of [result, sorted(result, { column: "v" }), sorted(result, { column: "v", descending: true })]) {
    const shape = shapeOf(order, "p", ["v"], "g", "category");
    for (const one of shape.series) {
      one.rows.forEach((row, i) => {
        if (row < 0) expect(one.values[i]).toBeNull();
        else expect([order.rows[row]?.p, order.rows[row]?.g, order.rows[row]?.v]).toEqual([shape.places[i], one.group, one.values[i]]);
      });
    }
    expect(shape.series.flatMap((one) => one.rows).filter((row) => row >= 0)).toHaveLength(rows.length);
    expect(normalised(shape).series.flatMap((one) => one.values).every((value) => value === null || (value >= 0 && value <= 1))).toBe(true);
  }
});
