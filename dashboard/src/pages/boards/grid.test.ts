import { expect, test } from "vitest";
import type { Widget } from "../../spec/types.ts";
import { areaOf, inReadingOrder, inside } from "./grid.ts";

test("places are inside the twelve columns, however they were written", () => {
  expect(inside({ x: 0, y: 2, w: 6, h: 4 })).toEqual({ x: 0, y: 2, w: 6, h: 4 });
  expect(inside({ x: 10, y: -1, w: 6, h: 0 })).toEqual({ x: 6, y: 0, w: 6, h: 1 });
  expect(inside({ x: -3, y: 0, w: 40, h: 1 })).toEqual({ x: 0, y: 0, w: 12, h: 1 });
  expect(areaOf({ x: 3, y: 2, w: 6, h: 4 })).toEqual({ gridColumn: "4 / span 6", gridRow: "3 / span 4" });
});

test("widgets are read row by row", () => {
  const widget = (name: string, x: number, y: number) => ({ name, at: { x, y, w: 3, h: 2 } }) as Widget;
  const given = [widget("d", 6, 2), widget("c", 0, 2), widget("b", 6, 0), widget("a", 0, 0)];
  expect(inReadingOrder(given).map((one) => one.name)).toEqual(["a", "b", "c", "d"]);
});
