// Where widgets lie: on twelve columns where there is room, one below the other where there is not.
import { GRID_COLUMNS, type Place, type Widget } from "../../spec/types.ts";

/** A place inside the grid, however it was written. */
export function inside(at: Place): Place {
  const w = Math.min(GRID_COLUMNS, Math.max(1, Math.round(at.w)));
  const x = Math.min(GRID_COLUMNS - w, Math.max(0, Math.round(at.x)));
  return { x, y: Math.max(0, Math.round(at.y)), w, h: Math.max(1, Math.round(at.h)) };
}

/** The style of a place: lines of the grid are counted from one. */
export function areaOf(at: Place): { gridColumn: string; gridRow: string } {
  const { x, y, w, h } = inside(at);
  return { gridColumn: `${x + 1} / span ${w}`, gridRow: `${y + 1} / span ${h}` };
}

/** Widgets in the order in which they are read: by row, then by column. */
export function inReadingOrder(widgets: Widget[]): Widget[] {
  return [...widgets].sort((a, b) => a.at.y - b.at.y || a.at.x - b.at.x);
}
