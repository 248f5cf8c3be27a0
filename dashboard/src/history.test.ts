// Undo and redo.

import { expect, it } from "vitest";
import { begun, changed, redone, settled, undone } from "./history.ts";

it("goes back and forth, and forgets what was undone when something else is done", () => {
  let history = changed(changed(begun(1), 2), 3);
  history = undone(undone(history));
  expect(history.present).toBe(1);
  expect(undone(history)).toBe(history);
  history = redone(history);
  expect(history.present).toBe(2);
  history = changed(history, 9);
  expect(redone(history)).toBe(history);
  expect(undone(history).present).toBe(2);
});

it("takes what is typed in one field as one change", () => {
  let history = changed(begun("start"), "T", "title");
  history = changed(changed(history, "Ti", "title"), "Tit", "title");
  expect(undone(history).present).toBe("start");
  history = changed(settled(history), "Titl", "title");
  expect(undone(history).present).toBe("Tit");
  history = changed(history, "x", "describe");
  expect(undone(history).present).toBe("Titl");
});

it("begins a change of its own after something was undone", () => {
  const typed = changed(changed(begun(""), "a", "name"), "b");
  expect(undone(changed(undone(typed), "c", "name")).present).toBe("a");
});

it("does not count what changes nothing, and keeps a bounded past", () => {
  const history = begun(1);
  expect(changed(history, 1)).toBe(history);
  let long = begun(0);
  for (let i = 1; i < 1000; i += 1) long = changed(long, i);
  expect(long.past.length).toBe(200);
  expect(undone(long).present).toBe(998);
});
