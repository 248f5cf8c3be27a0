// What all charts have alike: room for axes and legend, the type, the words for those who cannot see them.
import type { EChartsOption } from "echarts";
import type { Look, Palette } from "./palette.ts";
import type { ChartSpec } from "./shape.ts";

/** With single quotes: ECharts writes the names into attributes of a saved drawing as they are. */
export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif";

/** The legend, and what it leaves for the chart. */
export interface Room {
  legend: EChartsOption["legend"];
  title: EChartsOption["title"];
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** Where the legend stands: above, where nothing is said and there is more than one thing to tell apart. */
export function legendOf(spec: ChartSpec, names: string[], palette: Palette): Room {
  const place = spec.options?.legend ?? (names.length > 1 ? "top" : "none");
  const room: Room = { legend: { show: false }, title: { show: false }, top: 12, bottom: 8, left: 8, right: 16 };
  if (place === "none" || names.length === 0) return room;
  const side = place === "left" || place === "right";
  const words = spec.options?.legend_title ?? "";
  const wide = words === "" ? 0 : Math.ceil(words.length * 6.5) + 12;
  const width = Math.min(180, Math.max(70, Math.max(...names.map((name) => name.length), words.length) * 7 + 36));
  room.legend = {
    show: true,
    type: "scroll",
    orient: side ? "vertical" : "horizontal",
    itemGap: 8,
    ...(spec.mark === "area" ? { icon: "roundRect" } : {}),
    itemWidth: 14,
    itemHeight: 10,
    textStyle: { color: palette.text, fontFamily: FONT, ...(side ? { width: width - 34, overflow: "truncate" as const } : {}) },
    pageTextStyle: { color: palette.quiet },
    pageIconColor: palette.quiet,
    pageIconInactiveColor: palette.line,
    ...(place === "top" ? { top: 0, left: wide } : {}),
    ...(place === "bottom" ? { bottom: 0, left: wide } : {}),
    ...(side ? { top: words === "" ? 8 : 28, bottom: 8, [place]: 0 } : {}),
  };
  if (words !== "") {
    room.title = {
      show: true,
      text: words,
      padding: 0,
      textStyle: { fontSize: 12, fontWeight: "bold", color: palette.quiet, fontFamily: FONT },
      ...(place === "bottom" ? { bottom: 5, left: 0 } : { top: 6, ...(place === "right" ? { right: 0 } : { left: 0 }) }),
    };
  }
  if (place === "top") room.top = 34;
  if (place === "bottom") room.bottom = 34;
  if (place === "left") room.left = width + 8;
  if (place === "right") room.right = width + 8;
  return room;
}

export function chartBase(spec: ChartSpec, look: Look, palette: Palette, room: Room): EChartsOption {
  return {
    useUTC: true,
    backgroundColor: "transparent",
    textStyle: { fontFamily: FONT, fontSize: 12, color: palette.text },
    // The first drawing stands at once; later ones move, so that it is seen what changed.
    animation: look.motion,
    animationDuration: 0,
    animationDurationUpdate: 250,
    aria: {
      enabled: true,
      label: { enabled: true, description: spec.describe ?? "" },
      decal: { show: look.patterns },
    },
    legend: room.legend,
    title: room.title,
    grid: {
      top: room.top,
      bottom: room.bottom,
      left: room.left,
      right: room.right,
      outerBoundsMode: "same",
      outerBoundsContain: "all",
      // Names of axes and their labels are kept inside these edges.
      outerBounds: { top: room.top, bottom: room.bottom, left: room.left, right: room.right },
    },
  };
}
