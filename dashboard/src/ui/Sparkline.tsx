// A line without axes in a cell: how a number went. What it says is read out as words.

import { number } from "./format.ts";
import "./cells.css";

export function Sparkline({ values, what }: { values: number[]; what: string }) {
  if (values.length < 2) return <span class="quiet">–</span>;
  const [width, height, edge] = [88, 20, 2];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (place: number) => edge + (place * (width - 2 * edge)) / (values.length - 1);
  const y = (value: number) =>
    most === least ? height / 2 : height - edge - ((value - least) * (height - 2 * edge)) / (most - least);
  const points = values.map((value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`);
  const last = values.length - 1;
  const said = `${what}: from ${number(values[0] as number)} to ${number(values[last] as number)} over ${values.length} snapshots`;
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
      aria-label={said}
    >
      <title>{said}</title>
      <polyline points={points.join(" ")} />
      <circle cx={x(last)} cy={y(values[last] as number)} r="2" />
    </svg>
  );
}
