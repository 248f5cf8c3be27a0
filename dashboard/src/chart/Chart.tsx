// A widget's answer, drawn: as a chart, as numbers, as a table. Every drawing has a table twin, one button away, and
// can be taken as a file. What a chart does by a click, the table does by a button in each row.
import type { EChartsType } from "echarts/core";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Row } from "../api/types.ts";
import { Button } from "../ui/Button.tsx";
import { Partial } from "../ui/States.tsx";
import { dark } from "../ui/theme.ts";
import { tellError } from "../ui/Toast.tsx";
import { csvOf, download, fileName, grounded, pngOf } from "./export.ts";
import { Figures, PivotTable, ResultTable } from "./Figures.tsx";
import { type Drawing, drawing, type Pointed } from "./option.ts";
import { type Look, paletteOf } from "./palette.ts";
import { ChartError, type ChartSpec, type Result } from "./shape.ts";
import { tipElement } from "./tip.ts";
import "./chart.css";

export interface ChartProps {
  title: string;
  spec: ChartSpec;
  result: Result;
  /** The same of an earlier snapshot, for numbers that are compared. */
  earlier?: Result | null;
  /** All rows as CSV, where `result` is not all of them; else it is made of the rows that are here. */
  csv?: () => Promise<Blob>;
  /** What choosing a part of it does. */
  onPick?: { label: string; pick: (row: Row) => void };
  /** Buttons of the page that stand with those of the chart. */
  tools?: preact.ComponentChildren;
}

const drawnMarks = new Set(["bar", "line", "area", "point", "donut", "heatmap", "funnel", "combo"]);
const prefers = (what: string) => typeof matchMedia !== "undefined" && matchMedia(what).matches;

export function Chart(props: ChartProps) {
  const { title, spec, result, earlier = null, onPick } = props;
  const isDrawn = drawnMarks.has(spec.mark);
  const [asTable, setAsTable] = useState(false);
  const chart = useRef<EChartsType | null>(null);
  const isDark = dark.value;
  const look = useMemo<Look>(
    () => ({
      dark: isDark,
      patterns: prefers("(prefers-contrast: more)"),
      motion: !prefers("(prefers-reduced-motion: reduce)"),
    }),
    [isDark],
  );
  const [drawn, problem] = useMemo<[Drawing | null, string | null]>(() => {
    if (!isDrawn || result.rows.length === 0) return [null, null];
    try {
      return [drawing(spec, result, look), null];
    } catch (thrown) {
      if (thrown instanceof ChartError) return [null, thrown.message];
      throw thrown;
    }
  }, [spec, result, look, isDrawn]);

  const saveCsv = () => {
    const content = props.csv ? props.csv() : Promise.resolve(new Blob([csvOf(result)], { type: "text/csv" }));
    content.then((blob) => download(fileName(title, "csv"), blob)).catch(tellError);
  };
  const svgOf = (made: EChartsType) => grounded(made.renderToSVGString(), paletteOf(look).card);
  const saveSvg = () => {
    const made = chart.current;
    if (made) download(fileName(title, "svg"), new Blob([svgOf(made)], { type: "image/svg+xml" }));
  };
  const savePng = () => {
    const made = chart.current;
    if (!made) return;
    pngOf(svgOf(made), made.getWidth(), made.getHeight())
      .then((blob) => download(fileName(title, "png"), blob))
      .catch(tellError);
  };

  const picture = drawn !== null && !asTable;
  return (
    <figure class="chart" aria-label={title}>
      <div class="chart-tools no-print" role="group" aria-label={`Tools of ${title}`}>
        {spec.mark !== "table" && (
          <Button kind="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Table
          </Button>
        )}
        <Button kind="quiet" onClick={saveCsv}>
          CSV
        </Button>
        {picture && (
          <>
            <Button kind="quiet" onClick={saveSvg}>
              SVG
            </Button>
            <Button kind="quiet" onClick={savePng}>
              PNG
            </Button>
          </>
        )}
        {props.tools}
      </div>
      {problem && <Partial>This cannot be drawn: {problem}.</Partial>}
      {asTable || problem ? (
        <ResultTable title={title} spec={spec} result={result} all {...(onPick ? { onPick } : {})} />
      ) : result.rows.length === 0 ? (
        <p class="chart-none quiet">There are no rows.</p>
      ) : drawn ? (
        <Drawn drawing={drawn} describe={spec.describe ?? title} chart={chart} {...(onPick ? { onRow: (row) => pick(result, row, onPick.pick) } : {})} />
      ) : spec.mark === "number" ? (
        <Figures spec={spec} result={result} earlier={earlier} />
      ) : spec.mark === "pivot" ? (
        <PivotTable title={title} spec={spec} result={result} {...(onPick ? { onPick } : {})} />
      ) : (
        <ResultTable title={title} spec={spec} result={result} {...(onPick ? { onPick } : {})} />
      )}
      {picture && drawn.note && <p class="chart-note quiet">{drawn.note}</p>}
    </figure>
  );
}

function pick(result: Result, index: number, chosen: (row: Row) => void): void {
  const row = result.rows[index];
  if (row) chosen(row);
}

interface DrawnProps {
  drawing: Drawing;
  describe: string;
  chart: { current: EChartsType | null };
  onRow?: (row: number) => void;
}

/** The element that ECharts draws in. */
function Drawn({ drawing: drawn, describe, chart, onRow }: DrawnProps) {
  const element = useRef<HTMLDivElement>(null);
  const latest = useRef({ drawn, onRow });
  latest.current = { drawn, onRow };
  const [ready, setReady] = useState(false);

  useEffect(() => {
    let made: EChartsType | null = null;
    let watch: ResizeObserver | null = null;
    let wanted = true;
    import("./engine.ts").then(({ init }) => {
      const place = element.current;
      if (!wanted || !place) return;
      made = init(place, null, { renderer: "svg" });
      made.on("click", (event) => {
        const row = latest.current.drawn.rowOf(event as Pointed);
        if (row >= 0) latest.current.onRow?.(row);
      });
      watch = new ResizeObserver(() => made?.resize());
      watch.observe(place);
      chart.current = made;
      setReady(true);
    }, tellError);
    return () => {
      wanted = false;
      watch?.disconnect();
      made?.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    if (!ready) return;
    const { tooltip } = drawn.option;
    const formatter = (params: unknown) => tipElement(drawn.tip((Array.isArray(params) ? params : [params]) as Pointed[]));
    chart.current?.setOption({ ...drawn.option, tooltip: { ...tooltip, ...TIP, formatter } }, { notMerge: true });
  }, [ready, drawn]);

  return <div ref={element} class={onRow ? "chart-drawn choosable" : "chart-drawn"} role="img" aria-label={describe} data-ready={ready} />;
}

/** The box beside the pointer gets its look from the style sheet. */
const TIP = { className: "chart-tip", backgroundColor: "", borderWidth: 0, padding: 0, extraCssText: "", textStyle: { color: "inherit" }, transitionDuration: 0 };
