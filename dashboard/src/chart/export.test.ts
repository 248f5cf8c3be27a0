// Files of drawings: what ECharts really writes has to be what is put on a ground.
import { expect, test } from "vitest";
import { init } from "./engine.ts";
import { grounded } from "./export.ts";
import { drawing } from "./option.ts";
import { paletteOf } from "./palette.ts";
import type { Result } from "./shape.ts";

const RESULT: Result = {
  columns: [
    { name: "name", type: "Utf8" },
    { name: "value", type: "Int64" },
  ],
  rows: [
    { name: "<svg>", value: 1 },
    { name: "b", value: 2 },
  ],
};

for (const dark of [false, true]) {
  test(`a saved drawing lies on the card of its theme, dark: ${dark}`, () => {
    const chart = init(null, null, { renderer: "svg", ssr: true, width: 400, height: 300 });
    chart.setOption(drawing({ mark: "bar", encode: { x: "name", y: "value" } }, RESULT, { dark, patterns: false, motion: false }).option);
    const svg = chart.renderToSVGString();
    chart.dispose();
    const { card } = paletteOf({ dark });
    const saved = grounded(svg, card);
    // Below everything that is drawn, and all of that is there as it was.
    const [ground = ""] = saved.match(/<(?:rect|path|text)[^>]*>/) ?? [];
    expect(ground).toBe(`<rect width="100%" height="100%" fill="${card}"/>`);
    expect(saved.replace(ground, "")).toBe(svg);
  });
}
