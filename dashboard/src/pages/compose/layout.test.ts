// The grid: whatever is moved, nothing ever lies over something else or beyond the edge.

import { describe, expect, it } from "vitest";
import { overlap } from "../../spec/types.ts";
import { clamped, closedUp, freePlace, placed, rowsOf, stepped, type Item } from "./layout.ts";

const item = (name: string, x: number, y: number, w: number, h: number): Item => ({ name, at: { x, y, w, h } });
const at = (items: Item[], name: string) => items.find((one) => one.name === name)?.at;

/** Whether everything lies within the grid, and nothing over something else. */
function sound(items: Item[]): boolean {
  const inside = items.every(({ at }) => JSON.stringify(at) === JSON.stringify(clamped(at)));
  return inside && items.every((one, i) => items.slice(i + 1).every((other) => !overlap(one.at, other.at)));
}

describe("moving", () => {
  const items = [item("a", 0, 0, 6, 4), item("b", 6, 0, 6, 4), item("c", 0, 4, 6, 4)];

  it("pushes down what lies in the way, and what that pushes", () => {
    const moved = placed(items, "b", { x: 3, y: 1, w: 6, h: 4 });
    expect(at(moved, "b")).toEqual({ x: 3, y: 1, w: 6, h: 4 });
    expect(at(moved, "a")).toEqual({ x: 0, y: 5, w: 6, h: 4 });
    expect(at(moved, "c")).toEqual({ x: 0, y: 9, w: 6, h: 4 });
  });

  it("leaves alone what is not in the way", () => {
    const moved = placed(items, "c", { x: 6, y: 4, w: 6, h: 4 });
    expect(at(moved, "a")).toEqual(at(items, "a"));
    expect(at(moved, "b")).toEqual(at(items, "b"));
  });

  it("stays within the grid", () => {
    expect(at(placed(items, "a", { x: 11, y: -3, w: 20, h: 1 }), "a")).toEqual({ x: 0, y: 0, w: 12, h: 2 });
    expect(placed(items, "nobody", { x: 0, y: 0, w: 6, h: 4 })).toBe(items);
  });

  it("goes by columns and rows with the keyboard, and resizes without moving", () => {
    const place = { x: 6, y: 0, w: 6, h: 4 };
    expect(stepped(place, "left", false)).toEqual({ ...place, x: 5 });
    expect(stepped(place, "right", false)).toEqual(place);
    expect(stepped(place, "up", false)).toEqual(place);
    expect(stepped(place, "down", false)).toEqual({ ...place, y: 1 });
    expect(stepped(place, "right", true)).toEqual(place);
    expect(stepped(place, "left", true)).toEqual({ ...place, w: 5 });
    expect(stepped({ ...place, h: 2 }, "up", true)).toEqual({ ...place, h: 2 });
  });
});

describe("room", () => {
  it("is found where there is some, and else below", () => {
    expect(freePlace([], 6, 4)).toEqual({ x: 0, y: 0, w: 6, h: 4 });
    expect(freePlace([item("a", 0, 0, 6, 4)], 6, 4)).toEqual({ x: 6, y: 0, w: 6, h: 4 });
    expect(freePlace([item("a", 3, 0, 6, 4)], 6, 4)).toEqual({ x: 0, y: 4, w: 6, h: 4 });
  });

  it("is found for what a file makes wider than the grid", () => {
    expect(freePlace([item("a", 0, 0, 6, 4)], 20, 4)).toEqual({ x: 0, y: 4, w: 12, h: 4 });
  });

  it("is closed up without a change of order", () => {
    const items = closedUp([item("a", 0, 3, 6, 4), item("b", 0, 9, 12, 2), item("c", 6, 1, 6, 2)]);
    expect(at(items, "c")).toEqual({ x: 6, y: 0, w: 6, h: 2 });
    expect(at(items, "a")).toEqual({ x: 0, y: 0, w: 6, h: 4 });
    expect(at(items, "b")).toEqual({ x: 0, y: 4, w: 12, h: 2 });
  });
});

it("never overlaps, whatever is done to it", () => {
  let state = 7;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let items: Item[] = [];
  for (let round = 0; round < 1000; round += 1) {
    const place = { x: next(14) - 1, y: next(30) - 1, w: next(14), h: next(10) };
    const one = items[next(items.length)];
    const kind = next(10);
    if (kind === 0 && items.length < 30) {
      items = [...items, { name: `w${round}`, at: freePlace(items, clamped(place).w, clamped(place).h) }];
    } else if (kind === 1) {
      const before = rowsOf(items);
      items = closedUp(items);
      expect(rowsOf(items)).toBeLessThanOrEqual(before);
    } else if (kind === 2 && items.length > 20) {
      items = items.filter((other) => other !== one);
    } else if (one) {
      items = placed(items, one.name, place);
      expect(at(items, one.name)).toEqual(clamped(place));
    }
    expect(sound(items)).toBe(true);
  }
});
