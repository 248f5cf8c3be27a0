// A chart as what ECharts draws: a pure function of what the widget says and what was answered, so that it can be
// tested without a browser. Numbers, tables and pivots are no charts: figures.ts has them.
import type { EChartsOption } from "echarts";
import type { Cell, Row } from "../api/types.ts";
import { isNumeric, percent } from "../ui/format.ts";
import { chartBase, legendOf, type Room } from "./base.ts";
import { axisText, cellText } from "./figures.ts";
import { donutOption, funnelOption, heatmapOption } from "./marks.ts";
import { decileColor, isDecile, type Look, type Palette, paletteOf } from "./palette.ts";
import {
  type AxisKind,
  ChartError,
  type ChartSpec,
  extent,
  instant,
  isTime,
  keyOf,
  label,
  list,
  needed,
  normalised,
  num,
  type Result,
  type Series,
  type Shape,
  shapeOf,
  sorted,
  titleOf,
  typeOf,
} from "./shape.ts";

/** What is shown beside the pointer. */
export interface Tip {
  title: string;
  lines: { name: string; value: string; color: string }[];
}

/** What of ECharts' events is used: which part of which series. */
export interface Pointed {
  seriesIndex?: number | undefined;
  dataIndex?: number | undefined;
}

export interface Drawing {
  option: EChartsOption;
  /** The text beside the pointer over these parts. */
  tip: (pointed: Pointed[]) => Tip;
  /** The row that a part is of, in the given answer; -1 where it is of several or of none. */
  rowOf: (pointed: Pointed) => number;
  /** What is left out of the picture, in words. */
  note: string | null;
}

/** More points than this are slow to draw and not to be told apart. */
export const MOST_POINTS = 5000;

export function drawing(spec: ChartSpec, given: Result, look: Look): Drawing {
  const palette = paletteOf(look);
  const result = sorted(given, spec.options?.sort);
  const drawn = drawnOf(spec, result, look, palette);
  if (result === given) return drawn;
  const places = new Map(given.rows.map((row, i) => [row, i]));
  const rowOf = (pointed: Pointed) => {
    const row = result.rows[drawn.rowOf(pointed)];
    return row === undefined ? -1 : (places.get(row) as number);
  };
  return { ...drawn, rowOf };
}

function drawnOf(spec: ChartSpec, result: Result, look: Look, palette: Palette): Drawing {
  switch (spec.mark) {
    case "bar":
    case "line":
    case "area":
    case "combo":
      return axesDrawing(spec, result, look, palette);
    case "point":
      return pointDrawing(spec, result, look, palette);
    case "donut":
      return donutOption(spec, result, look, palette);
    case "heatmap":
      return heatmapOption(spec, result, look, palette);
    case "funnel":
      // Several funnels beside each other are bars: stages of one colour can then be compared.
      return spec.encode.color
        ? axesDrawing({ ...spec, mark: "bar", options: { horizontal: true, ...spec.options } }, result, look, palette)
        : funnelOption(spec, result, look, palette);
    default:
      throw new ChartError(`${spec.mark} is not drawn as a chart`);
  }
}

/** Whether the axis of `x` has names, days or sizes. */
function axisKind(spec: ChartSpec, result: Result, x: string): AxisKind {
  const type = typeOf(result, x);
  if (spec.mark === "bar" || spec.mark === "combo" || spec.options?.horizontal) return "category";
  if (isTime(type)) return "time";
  if (!isNumeric(type)) return "category";
  // Whole numbers that are few, such as deciles or months, are names of places.
  const values = new Set(result.rows.map((row) => num(row[x])));
  const few = values.size <= 40 && [...values].every((value) => value === null || Number.isInteger(value));
  return few ? "category" : "value";
}

function axesDrawing(spec: ChartSpec, result: Result, look: Look, palette: Palette): Drawing {
  const { encode, options = {} } = spec;
  const x = needed(result, encode.x, "along the axis (x)");
  const columns = list(encode.y ?? encode.value);
  if (columns.length === 0) needed(result, null, "upwards (y)");
  // Where nothing says which is the line, all but the first are.
  const unsaid = spec.mark === "combo" && !encode.line;
  const ys = unsaid ? columns.slice(0, 1) : columns;
  const lines = spec.mark !== "combo" ? [] : unsaid ? columns.slice(1) : list(encode.line);
  if (spec.mark === "combo" && lines.length === 0) throw new ChartError("nothing says which column is the line");
  const color = encode.color && encode.color !== x ? encode.color : null;
  const kind = axisKind(spec, result, x);
  const plain = shapeOf(result, x, ys, color, kind);
  const stacked = options.stacked === true || options.normalised === true;
  const shape = options.normalised ? normalised(plain) : plain;
  const lineShape = lines.length > 0 ? linesOf(result, x, lines, kind) : null;
  const all = [...shape.series, ...(lineShape?.series ?? [])];
  const colors = seriesColors(shape, lineShape, color, palette);
  const byDecile = color === null && all.length === 1 && spec.mark === "bar" && isDecile(x, shape.places);

  const series = all.map((one, i) => {
    const isLine = i >= shape.series.length;
    const data = dataOf(one, shape, isLine ? false : stacked, byDecile ? (place) => decileColor(palette, place) : null);
    return isLine || spec.mark === "line" || spec.mark === "area"
      ? lineSeries(one, data, colors[i] as string, i, spec.mark === "area", stacked && !isLine, isLine && lineShape !== null, options.horizontal === true)
      : barSeries(one, data, colors[i] as string, stacked, palette);
  });

  const room = legendOf(spec, all.map((one) => one.name), palette);
  const first = shape.series[0] as Series | undefined;
  const ofWhole = (columns: string[], right: boolean) => {
    if (options.normalised && !right) return true;
    if (stacked || !columns.every((column) => spec.format?.[column]?.kind === "percent")) return false;
    const [, most] = extent(all.filter((one) => columns.includes(one.column)).flatMap((one) => one.values.map((value) => value ?? 0)));
    return most > 0.5 && most <= 1.000001 && spec.mark !== "line";
  };
  const valueAxis = (columns: string[], title: string | undefined, right: boolean) => ({
    type: "value" as const,
    name: title ?? "",
    nameLocation: "middle" as const,
    nameGap: 12,
    nameTextStyle: { color: palette.quiet },
    position: options.horizontal ? undefined : right ? ("right" as const) : ("left" as const),
    // Shares are shown to their whole.
    ...(ofWhole(columns, right) ? { max: 1, interval: 0.25 } : {}),
    axisLabel: {
      color: palette.quiet,
      formatter: (value: number) => (options.normalised && !right ? percent(value, 0) : axisText(spec, columns[0], value)),
    },
    splitLine: { show: !right, lineStyle: { color: palette.line } },
    splitNumber: 4,
    scale: spec.mark === "line" && !stacked,
  });
  const values = [
    valueAxis(ys, options.y_title, false),
    ...(lineShape ? [valueAxis(lines, lines.length === 1 ? titleOf(lines[0] as string) : undefined, true)] : []),
  ];
  const places = placeAxis(spec, result, shape, palette);
  const option: EChartsOption = {
    ...chartBase(spec, look, palette, room),
    ...(options.horizontal ? { xAxis: values, yAxis: { ...places, inverse: true } } : { xAxis: places, yAxis: values }),
    tooltip: { trigger: "axis", confine: true, axisPointer: { type: kind === "category" && spec.mark !== "line" && spec.mark !== "area" ? "shadow" : "line" } },
    series: series as EChartsOption["series"],
  };
  if (first === undefined) throw new ChartError("there is nothing to draw");
  return {
    option,
    rowOf: ({ seriesIndex = 0, dataIndex = -1 }) => all[seriesIndex]?.rows[dataIndex] ?? -1,
    tip: (pointed) => {
      const place = pointed[0]?.dataIndex ?? 0;
      return {
        title: cellText(spec, x, shape.places[place]),
        lines: pointed.flatMap(({ seriesIndex = 0, dataIndex = 0 }) => {
          const one = all[seriesIndex];
          const row = result.rows[one?.rows[dataIndex] ?? -1];
          if (!one || !row) return [];
          const share = options.normalised && seriesIndex < shape.series.length ? ` (${percent(one.values[dataIndex] ?? 0)})` : "";
          const own = byDecile ? decileColor(palette, shape.places[place]) : (colors[seriesIndex] as string);
          return [{ name: one.name, value: cellText(spec, one.column, row[one.column]) + share, color: own }];
        }),
      };
    },
    note: null,
  };
}

/** The lines of a combo are the same for all colours: the first row of each place has their value. */
function linesOf(result: Result, x: string, columns: string[], kind: AxisKind): Shape {
  const seen = new Set<string>();
  const kept = result.rows.flatMap((row, i) => {
    const key = keyOf(row[x]);
    if (seen.has(key)) return [];
    seen.add(key);
    return [i];
  });
  const rows = kept.map((i) => result.rows[i] as Row);
  const shape = shapeOf({ columns: result.columns, rows }, x, columns, null, kind);
  return { ...shape, series: shape.series.map((one) => ({ ...one, rows: one.rows.map((i) => kept[i] ?? -1) })) };
}

function seriesColors(shape: Shape, lines: Shape | null, color: string | null, palette: Palette): string[] {
  const groups = shape.series.map((one) => one.group ?? null);
  const deciles = color !== null && isDecile(color, groups);
  const columns = new Set(shape.series.map((one) => one.column)).size;
  const bars = shape.series.map((one, i) => {
    if (deciles && columns === 1) return decileColor(palette, one.group);
    return palette.series[i % palette.series.length] as string;
  });
  const free = deciles ? 1 : bars.length;
  return [...bars, ...(lines?.series ?? []).map((_, i) => palette.series[(free + i) % palette.series.length] as string)];
}

interface Item {
  value: number | null | [number | null, number | null];
  itemStyle?: { color: string };
}

function dataOf(one: Series, shape: Shape, stacked: boolean, colorOf: ((place: unknown) => string) | null): Item[] {
  return one.values.map((value, i) => {
    // In a stack, what is not there has no height; elsewhere it is a gap.
    const shown = value === null && stacked ? 0 : value;
    const place = shape.places[i];
    return {
      // What has no place on a scale is not drawn.
      value: shape.kind === "category" ? shown : [shape.kind === "time" ? instant(place) : num(place), shown],
      ...(colorOf ? { itemStyle: { color: colorOf(place ?? null) } } : {}),
    };
  });
}

const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];

function lineSeries(one: Series, data: Item[], color: string, i: number, area: boolean, stacked: boolean, right: boolean, horizontal: boolean) {
  const sparse = data.length <= 60;
  return {
    type: "line",
    name: one.name,
    data,
    color,
    symbol: SYMBOLS[i % SYMBOLS.length],
    symbolSize: 6,
    // A single place has no line.
    showSymbol: data.length === 1 || (sparse && !stacked),
    lineStyle: { width: stacked && area ? 1 : 2, type: ["solid", "dashed", "dotted"][Math.floor(i / SYMBOLS.length) % 3] },
    ...(area ? { areaStyle: { opacity: stacked ? 0.85 : 0.25 } } : {}),
    ...(stacked ? { stack: "all" } : {}),
    ...(right ? (horizontal ? { xAxisIndex: 1 } : { yAxisIndex: 1 }) : {}),
    emphasis: { disabled: true },
    ...(data.length > 2000 ? { sampling: "lttb" } : {}),
  };
}

function barSeries(one: Series, data: Item[], color: string, stacked: boolean, palette: Palette) {
  return {
    type: "bar",
    name: one.name,
    data,
    color,
    barMaxWidth: 48,
    barCategoryGap: "25%",
    itemStyle: stacked ? { borderColor: palette.card, borderWidth: 0.5 } : { borderRadius: 2 },
    ...(stacked ? { stack: "all" } : {}),
    emphasis: { disabled: true },
  };
}

function placeAxis(spec: ChartSpec, result: Result, shape: Shape, palette: Palette) {
  const title = spec.options?.x_title;
  const common = {
    name: title ?? "",
    nameLocation: "middle" as const,
    nameGap: 10,
    nameTextStyle: { color: palette.quiet },
    axisLine: { lineStyle: { color: palette.quiet } },
    axisTick: { show: false },
    splitLine: { show: false },
  };
  if (shape.kind === "category") {
    const data = shape.places.map((place) => cellText(spec, shape.x, place).replace(/^–$/, "(none)"));
    return {
      ...common,
      type: "category" as const,
      data,
      boundaryGap: spec.mark !== "area" && spec.mark !== "line",
      axisLabel: { color: palette.quiet, hideOverlap: true, overflow: "truncate" as const, width: spec.options?.horizontal ? 160 : 110 },
    };
  }
  if (shape.kind === "time") {
    const days = typeOf(result, shape.x).startsWith("Date");
    return {
      ...common,
      type: "time" as const,
      ...(days ? { minInterval: 86_400_000 } : {}),
      axisLabel: { color: palette.quiet, hideOverlap: true, ...(days ? { formatter: "{yyyy}-{MM}-{dd}" } : {}) },
    };
  }
  return {
    ...common,
    type: "value" as const,
    scale: true,
    axisLabel: { color: palette.quiet, hideOverlap: true, formatter: (value: number) => axisText(spec, shape.x, value) },
  };
}

function pointDrawing(spec: ChartSpec, result: Result, look: Look, palette: Palette): Drawing {
  const { encode, options = {} } = spec;
  const x = needed(result, encode.x, "along the axis (x)");
  const y = needed(result, list(encode.y)[0], "upwards (y)");
  const color = encode.color ?? null;
  if (color) typeOf(result, color);
  const size = encode.size ?? null;
  if (size) typeOf(result, size);
  const kind: AxisKind = isNumeric(typeOf(result, x)) ? "value" : isTime(typeOf(result, x)) ? "time" : "category";
  const rows = result.rows.map((_, i) => i).slice(0, MOST_POINTS);
  const groups = new Map<string, { cell: unknown; rows: number[] }>();
  for (const i of rows) {
    const cell = color ? (result.rows[i]?.[color] ?? null) : null;
    const name = color ? label(cell as never) : y;
    const group = groups.get(name) ?? { cell, rows: [] };
    group.rows.push(i);
    groups.set(name, group);
  }
  const deciles = color !== null && isDecile(color, [...groups.values()].map((group) => group.cell));
  const names = [...groups.keys()];
  if (deciles) names.sort((a, b) => Number(a) - Number(b));
  const colors = names.map((name, i) => (deciles ? decileColor(palette, groups.get(name)?.cell) : (palette.series[i % palette.series.length] as string)));
  const [, largest] = extent(size ? rows.map((i) => Math.abs(num(result.rows[i]?.[size]) ?? 0)) : []);
  const radius = (i: number) => (size && largest > 0 ? 5 + 30 * Math.sqrt(Math.abs(num(result.rows[i]?.[size]) ?? 0) / largest) : 7);
  const members = names.map((name) => groups.get(name)?.rows ?? []);
  const room: Room = legendOf(spec, color ? names : [], palette);
  const across = (cell: Cell | undefined) => (kind === "value" ? num(cell) : kind === "time" ? instant(cell) : label(cell));
  const categories = kind === "category" ? [...new Set(rows.map((i) => label(result.rows[i]?.[x])))] : [];
  const axis = (column: string, title: string | undefined, type: AxisKind) => ({
    type,
    name: title ?? titleOf(column),
    nameLocation: "middle" as const,
    nameGap: 12,
    nameTextStyle: { color: palette.quiet },
    ...(type === "category" ? { data: categories } : { scale: true }),
    axisLabel: { color: palette.quiet, hideOverlap: true, ...(type === "value" ? { formatter: (value: number) => axisText(spec, column, value) } : {}) },
    axisLine: { lineStyle: { color: palette.quiet } },
    splitLine: { show: type === "value", lineStyle: { color: palette.line } },
  });
  return {
    option: {
      ...chartBase(spec, look, palette, room),
      xAxis: axis(x, options.x_title, kind) as EChartsOption["xAxis"],
      yAxis: axis(y, options.y_title, "value") as EChartsOption["yAxis"],
      tooltip: { trigger: "item", confine: true },
      series: names.map((name, s) => ({
        type: "scatter" as const,
        name,
        color: colors[s] as string,
        symbol: SYMBOLS[deciles ? 0 : s % 4] as string,
        data: (members[s] as number[]).map((i) => ({
          value: [across(result.rows[i]?.[x]), num(result.rows[i]?.[y])] as (number | string)[],
          symbolSize: radius(i),
        })),
        itemStyle: { opacity: 0.75, borderColor: palette.card, borderWidth: 0.5 },
        emphasis: { disabled: true },
      })),
    },
    rowOf: ({ seriesIndex = 0, dataIndex = -1 }) => members[seriesIndex]?.[dataIndex] ?? -1,
    tip: ([pointed]) => {
      const i = members[pointed?.seriesIndex ?? 0]?.[pointed?.dataIndex ?? 0] ?? -1;
      const own = colors[pointed?.seriesIndex ?? 0] ?? palette.none;
      const shown = [...new Set([x, y, ...(size ? [size] : []), ...(color ? [color] : [])])];
      return { title: "", lines: shown.map((column) => ({ name: column, value: cellText(spec, column, result.rows[i]?.[column]), color: own })) };
    },
    note: result.rows.length > MOST_POINTS ? `The first ${MOST_POINTS} of ${result.rows.length} rows are drawn; the table has all.` : null,
  };
}
