// Charts of their own form: donut, heat map, funnel.
import type { EChartsOption } from "echarts";
import type { Cell } from "../api/types.ts";
import { number, percent } from "../ui/format.ts";
import { chartBase, legendOf } from "./base.ts";
import { axisText, cellText } from "./figures.ts";
import type { Drawing } from "./option.ts";
import { decileColor, isDecile, type Look, type Palette } from "./palette.ts";
import { ChartError, type ChartSpec, extent, keyOf, label, list, needed, num, type Result, shapeOf, titleOf } from "./shape.ts";

/** More parts than these cannot be told apart in a ring. */
const MOST_PARTS = 12;

interface Part {
  name: string;
  value: number;
  cell: Cell;
  /** The row, or -1 for several together. */
  row: number;
}

function partsOf(spec: ChartSpec, result: Result): { x: string; y: string; parts: Part[] } {
  const x = needed(result, spec.encode.color ?? spec.encode.x, "the parts (color)");
  const y = needed(result, spec.encode.size ?? spec.encode.value ?? list(spec.encode.y)[0], "their sizes (size)");
  const parts = result.rows.map((row, i) => ({
    name: label(row[x]),
    value: num(row[y]) ?? 0,
    cell: row[x] ?? null,
    row: i,
  }));
  return { x, y, parts };
}

export function donutOption(spec: ChartSpec, result: Result, look: Look, palette: Palette): Drawing {
  const { x, y, parts } = partsOf(spec, result);
  if (parts.some((part) => part.value < 0)) throw new ChartError(`${y} has values below zero, which a ring cannot show`);
  const shown = parts.length <= MOST_PARTS ? parts : largest(parts);
  const total = shown.reduce((sum, part) => sum + part.value, 0);
  const deciles = isDecile(x, parts.map((part) => part.cell));
  const colorOf = (part: Part, i: number) =>
    part.row < 0 ? palette.none : deciles ? decileColor(palette, part.cell) : (palette.series[i % palette.series.length] as string);
  const room = legendOf(spec, spec.options?.legend ? shown.map((part) => part.name) : [], palette);
  const share = (part: Part) => (total > 0 ? percent(part.value / total) : "–");
  return {
    option: {
      ...chartBase(spec, look, palette, room),
      tooltip: { trigger: "item", confine: true },
      series: [
        {
          type: "pie",
          name: y,
          radius: ["48%", "76%"],
          top: room.top,
          bottom: room.bottom,
          left: room.left,
          right: room.right,
          data: shown.map((part, i) => ({ name: part.name, value: part.value, itemStyle: { color: colorOf(part, i) } })),
          itemStyle: { borderColor: palette.card, borderWidth: 1 },
          // Parts are named beside the ring, so that their colours need not be looked up.
          label: {
            show: true,
            color: palette.text,
            lineHeight: 15,
            formatter: ({ dataIndex }) => {
              const part = shown[dataIndex];
              return part ? `${part.name}\n${share(part)}` : "";
            },
          },
          labelLine: { length: 8, length2: 6 },
          emphasis: { disabled: true },
        },
      ],
    },
    rowOf: ({ dataIndex = -1 }) => shown[dataIndex]?.row ?? -1,
    tip: ([pointed]) => {
      const i = pointed?.dataIndex ?? 0;
      const part = shown[i];
      if (!part) return { title: "", lines: [] };
      return { title: part.name, lines: [{ name: y, value: `${cellText(spec, y, part.row < 0 ? part.value : result.rows[part.row]?.[y])} (${share(part)})`, color: colorOf(part, i) }] };
    },
    note: shown === parts ? null : `The ${MOST_PARTS - 1} largest of ${parts.length} parts are drawn, the others together; the table has all.`,
  };
}

function largest(parts: Part[]): Part[] {
  const ordered = [...parts].sort((a, b) => b.value - a.value);
  const rest = ordered.slice(MOST_PARTS - 1);
  const value = rest.reduce((sum, part) => sum + part.value, 0);
  return [...ordered.slice(0, MOST_PARTS - 1), { name: `${rest.length} others`, value, cell: null, row: -1 }];
}

export function funnelOption(spec: ChartSpec, result: Result, look: Look, palette: Palette): Drawing {
  const x = needed(result, spec.encode.x ?? spec.encode.color, "the stages (x)");
  const y = needed(result, list(spec.encode.y)[0] ?? spec.encode.value ?? spec.encode.size, "their sizes (y)");
  const values = result.rows.map((row) => num(row[y]) ?? 0);
  const [, most] = extent([0, ...values]);
  const first = values[0] ?? 0;
  const color = palette.series[0] as string;
  const words = (i: number) => {
    const ofFirst = i > 0 && first > 0 ? `, ${percent((values[i] as number) / first)} of the first` : "";
    return `${label(result.rows[i]?.[x])}: ${cellText(spec, y, result.rows[i]?.[y])}${ofFirst}`;
  };
  return {
    option: {
      ...chartBase(spec, look, palette, legendOf(spec, [], palette)),
      tooltip: { trigger: "item", confine: true },
      series: [
        {
          type: "funnel",
          name: y,
          // Stages stand in the order of the rows, each as wide as it is large.
          sort: "none",
          min: 0,
          max: most,
          minSize: "1%",
          maxSize: "100%",
          top: 8,
          bottom: 8,
          left: 8,
          width: "48%",
          gap: 2,
          data: values.map((value, i) => ({ name: label(result.rows[i]?.[x]), value, itemStyle: { color } })),
          itemStyle: { borderWidth: 0 },
          label: { show: true, position: "right", color: palette.text, formatter: ({ dataIndex }) => words(dataIndex) },
          labelLine: { length: 12, lineStyle: { color: palette.line } },
          emphasis: { disabled: true },
        },
      ],
    },
    rowOf: ({ dataIndex = -1 }) => (dataIndex < values.length ? dataIndex : -1),
    tip: ([pointed]) => {
      const i = pointed?.dataIndex ?? 0;
      const before = i > 0 ? (values[i - 1] as number) : 0;
      return {
        title: label(result.rows[i]?.[x]),
        lines: [
          { name: y, value: cellText(spec, y, result.rows[i]?.[y]), color },
          ...(before > 0 ? [{ name: "of the stage before", value: percent((values[i] as number) / before), color }] : []),
          ...(i > 0 && first > 0 ? [{ name: "of the first", value: percent((values[i] as number) / first), color }] : []),
        ],
      };
    },
    note: null,
  };
}

/** Up to so many cells have their value written in them. */
const MOST_WRITTEN = 170;

export function heatmapOption(spec: ChartSpec, result: Result, look: Look, palette: Palette): Drawing {
  const { encode, options = {} } = spec;
  const x = needed(result, encode.x, "along the axis (x)");
  const y = needed(result, list(encode.y)[0], "down the side (y)");
  const value = needed(result, encode.value ?? encode.color ?? encode.size, "the shade (value)");
  // Both sides are names here: cells are of equal size.
  const across = placesOf(result, x);
  const down = placesOf(result, y);
  const cells: { at: [number, number]; value: number; row: number }[] = [];
  result.rows.forEach((row, i) => {
    const found = num(row[value]);
    if (found === null) return;
    cells.push({ at: [across.index(row[x]), down.index(row[y])], value: found, row: i });
  });
  const [least, most] = cells.length > 0 ? extent(cells.map((cell) => cell.value)) : [0, 1];
  const bothSides = least < 0 && most > 0;
  const end = Math.max(Math.abs(least), Math.abs(most));
  const axis = (column: string, places: Cell[], title: string | undefined) => ({
    type: "category" as const,
    name: title ?? titleOf(column),
    nameLocation: "middle" as const,
    nameGap: 10,
    nameTextStyle: { color: palette.quiet },
    data: places.map((place) => cellText(spec, column, place).replace(/^–$/, "(none)")),
    axisLabel: { color: palette.quiet, hideOverlap: true, overflow: "truncate" as const, width: 130 },
    axisTick: { show: false },
    axisLine: { show: false },
    splitArea: { show: false },
  });
  const room = { ...legendOf(spec, [], palette), bottom: 26 };
  const scale: EChartsOption["visualMap"] = {
    type: "continuous",
    min: bothSides ? -end : Math.min(0, least),
    max: bothSides ? end : most > 0 ? most : 1,
    orient: "horizontal",
    left: "center",
    bottom: 0,
    itemWidth: 12,
    itemHeight: 140,
    padding: 0,
    dimension: 2,
    inRange: { color: bothSides ? palette.diverging : palette.ramp },
    text: [axisText(spec, value, bothSides ? end : most), axisText(spec, value, bothSides ? -end : Math.min(0, least))],
    textStyle: { color: palette.quiet },
  };
  return {
    option: {
      ...chartBase(spec, look, palette, room),
      tooltip: { trigger: "item", confine: true },
      xAxis: axis(x, across.places, options.x_title),
      yAxis: { ...axis(y, down.places, options.y_title), inverse: true },
      visualMap: scale,
      series: [
        {
          type: "heatmap",
          name: value,
          data: cells.map((cell) => [...cell.at, cell.value]),
          itemStyle: { borderColor: palette.card, borderWidth: 1 },
          label: {
            show: cells.length <= MOST_WRITTEN,
            formatter: ({ dataIndex }) => axisText(spec, value, cells[dataIndex]?.value ?? 0),
          },
          emphasis: { disabled: true },
        },
      ],
    },
    rowOf: ({ dataIndex = -1 }) => cells[dataIndex]?.row ?? -1,
    tip: ([pointed]) => {
      const row = result.rows[cells[pointed?.dataIndex ?? 0]?.row ?? -1];
      if (!row) return { title: "", lines: [] };
      return {
        title: `${titleOf(x)} ${cellText(spec, x, row[x])}, ${titleOf(y)} ${cellText(spec, y, row[y])}`,
        lines: [{ name: value, value: cellText(spec, value, row[value]), color: palette.series[0] as string }],
      };
    },
    note: cells.length < result.rows.length ? `${number(result.rows.length - cells.length)} rows without a value are left empty.` : null,
  };
}

function placesOf(result: Result, column: string): { places: Cell[]; index: (cell: Cell | undefined) => number } {
  const rows = [...new Map(result.rows.map((row) => [keyOf(row[column]), row])).values()];
  const { places } = shapeOf({ columns: result.columns, rows }, column, [], null, "category");
  const found = new Map(places.map((place, i) => [keyOf(place), i]));
  return { places, index: (cell) => found.get(keyOf(cell)) as number };
}
