// Where widgets lie on the grid, and who makes room when one is moved, resized or added. Whatever lies in the way is
// pushed down, as far as it has to be and no further, so nothing ever overlaps and nothing else moves.

import { GRID_COLUMNS, overlap, type Place } from "../../spec/types.ts";
import { inside } from "../boards/grid.ts";

export interface Item {
  name: string;
  at: Place;
}

const MIN_WIDTH = 2;
const MIN_HEIGHT = 2;
const MAX_HEIGHT = 40;

/** A place inside the grid that is as close as can be to one that is asked for. */
export function clamped(place: Place): Place {
  return inside({ ...place, w: Math.max(MIN_WIDTH, place.w), h: Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, place.h)) });
}

/** The items with one of them at a new place, which it gets; the others keep theirs where they can. */
export function placed<T extends Item>(items: T[], name: string, at: Place): T[] {
  const moved = items.find((item) => item.name === name);
  if (!moved) return items;
  const settled = new Map<string, Place>([[name, clamped(at)]]);
  // From above to below, so that what is pushed pushes what lies beneath it.
  const others = items.filter((item) => item.name !== name).sort((a, b) => a.at.y - b.at.y || a.at.x - b.at.x);
  for (const item of others) settled.set(item.name, below(item.at, [...settled.values()]));
  return items.map((item) => itemAt(item, settled.get(item.name)));
}

/** The item at a place; itself where it is there already, so that nothing is drawn anew for it. */
function itemAt<T extends Item>(item: T, at: Place | undefined): T {
  return !at || samePlace(at, item.at) ? item : { ...item, at };
}

export function samePlace(a: Place, b: Place): boolean {
  return a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h;
}

/** The first place at or beneath this one that is free. */
function below(place: Place, taken: Place[]): Place {
  let at = place;
  for (;;) {
    const hit = taken.filter((other) => overlap(at, other));
    if (hit.length === 0) return at;
    at = { ...at, y: Math.max(...hit.map((other) => other.y + other.h)) };
  }
}

/** The first free place for something of this size, read like a page; what is wider than the grid is as wide as it. */
export function freePlace(items: Item[], width: number, height: number): Place {
  const { w, h } = inside({ x: 0, y: 0, w: width, h: height });
  const taken = items.map((item) => item.at);
  for (let y = 0; ; y += 1) {
    for (let x = 0; x + w <= GRID_COLUMNS; x += 1) {
      const at = { x, y, w, h };
      if (!taken.some((other) => overlap(at, other))) return at;
    }
  }
}

/** The items without empty rows between them: each goes up as far as it can. */
export function closedUp<T extends Item>(items: T[]): T[] {
  const settled = new Map<string, Place>();
  for (const item of [...items].sort((a, b) => a.at.y - b.at.y || a.at.x - b.at.x)) {
    let at = item.at;
    while (at.y > 0 && ![...settled.values()].some((other) => overlap({ ...at, y: at.y - 1 }, other))) {
      at = { ...at, y: at.y - 1 };
    }
    settled.set(item.name, at);
  }
  return items.map((item) => itemAt(item, settled.get(item.name)));
}

/** The rows that the grid has. */
export function rowsOf(items: Item[]): number {
  return Math.max(0, ...items.map((item) => item.at.y + item.at.h));
}

export type Direction = "left" | "right" | "up" | "down";

/** A step with the keyboard: a place further, or a column or row larger or smaller. */
export function stepped(at: Place, direction: Direction, resize: boolean): Place {
  const by = direction === "left" || direction === "up" ? -1 : 1;
  const across = direction === "left" || direction === "right";
  if (resize) {
    // What reaches the edge does not grow: it would be moved instead.
    if (across) return clamped({ ...at, w: Math.min(GRID_COLUMNS - at.x, at.w + by) });
    return clamped({ ...at, h: at.h + by });
  }
  return clamped(across ? { ...at, x: at.x + by } : { ...at, y: at.y + by });
}

/** A place in words, for announcements. */
export function inWords(at: Place): string {
  return `column ${at.x + 1}, row ${at.y + 1}, ${at.w} wide, ${at.h} high`;
}
