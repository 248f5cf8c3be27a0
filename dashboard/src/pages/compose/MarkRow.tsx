// The marks as a row of small pictures with their names.

import type { ComponentChildren } from "preact";
import { MARK_INFO } from "../../spec/marks.ts";
import { type Mark, MARKS } from "../../spec/types.ts";

export function MarkRow({ mark, onMark }: { mark: Mark; onMark: (mark: Mark) => void }) {
  return (
    <div class="compose-marks" role="group" aria-label="Mark">
      {MARKS.map((one) => (
        <button
          key={one}
          type="button"
          class="compose-mark"
          aria-pressed={one === mark}
          title={MARK_INFO[one].about}
          onClick={() => onMark(one)}
        >
          <svg viewBox="0 0 24 18" width="28" height="21" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6">
            {SHAPES[one]}
          </svg>
          <span>{MARK_INFO[one].label}</span>
        </button>
      ))}
    </div>
  );
}

const bar = (x: number, y: number) => <rect x={x} y={y} width="4" height={17 - y} fill="currentColor" stroke="none" />;
const SHAPES: Record<Mark, ComponentChildren> = {
  bar: [bar(2, 8), bar(8, 3), bar(14, 10), bar(20, 6)],
  line: <path d="M1 14 8 7l6 4 9-9" />,
  area: <path d="M1 17V12l7-5 6 3 9-7v14z" fill="currentColor" stroke="none" opacity="0.8" />,
  point: (
    <g fill="currentColor" stroke="none">
      <circle cx="4" cy="13" r="2" />
      <circle cx="10" cy="6" r="2" />
      <circle cx="14" cy="11" r="2" />
      <circle cx="20" cy="4" r="2" />
    </g>
  ),
  combo: [bar(2, 10), bar(8, 7), bar(14, 12), bar(20, 9), <path d="M2 6 9 2l6 5 8-4" />],
  donut: (
    <>
      <circle cx="12" cy="9" r="6.5" stroke-width="4" opacity="0.45" />
      <path d="M12 2.5a6.5 6.5 0 0 1 5.6 9.8" stroke-width="4" />
    </>
  ),
  number: (
    <text x="12" y="15" text-anchor="middle" font-size="15" font-weight="600" fill="currentColor" stroke="none">
      42
    </text>
  ),
  table: <path d="M1 2h22v14H1zM1 7h22M1 11.5h22M9 2v14" />,
  heatmap: (
    <g fill="currentColor" stroke="none">
      {[0.9, 0.5, 0.25, 0.5, 0.8, 0.4, 0.2, 0.45, 0.95].map((opacity, i) => (
        <rect x={1.5 + (i % 3) * 7.2} y={1 + Math.floor(i / 3) * 5.5} width="6.4" height="4.8" opacity={opacity} />
      ))}
    </g>
  ),
  funnel: <path d="M2 2h20l-7 7v5l-6 3V9z" fill="currentColor" stroke="none" opacity="0.8" />,
  pivot: (
    <>
      <path d="M1 2h22v14H1z" />
      <path d="M1 2h22v4.5H7V16H1z" fill="currentColor" stroke="none" opacity="0.5" />
      <path d="M7 11h16M15 6.5V16" />
    </>
  ),
};
