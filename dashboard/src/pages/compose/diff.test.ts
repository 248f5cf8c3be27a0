// Two texts line by line.

import { expect, it } from "vitest";
import { aligned, compareLines } from "./diff.ts";

it("finds what only one has, and leaves out what both have far from there", () => {
  const theirs = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const mine = ["a", "b", "c", "d", "e", "X", "g", "h", "i"];
  expect(compareLines(theirs, mine)).toEqual([
    { whose: "both", text: "…" },
    { whose: "both", text: "d" },
    { whose: "both", text: "e" },
    { whose: "theirs", text: "f" },
    { whose: "mine", text: "X" },
    { whose: "both", text: "g" },
    { whose: "both", text: "h" },
    { whose: "mine", text: "i" },
  ]);
  expect(compareLines(["a"], ["a"])).toEqual([{ whose: "both", text: "…" }]);
});

it("loses no line of either", () => {
  let state = 3;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 200; round += 1) {
    const text = () => Array.from({ length: next(12) }, () => "abc"[next(3)] as string);
    const [theirs, mine] = [text(), text()];
    const lines = aligned(theirs, mine);
    expect(lines.filter((line) => line.whose !== "mine").map((line) => line.text)).toEqual(theirs);
    expect(lines.filter((line) => line.whose !== "theirs").map((line) => line.text)).toEqual(mine);
  }
});
