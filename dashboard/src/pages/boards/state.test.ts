import { expect, test } from "vitest";
import type { Filter } from "../../spec/types.ts";
import { backTo, crossFilter, drilled, readList, readTrail, trailFrom, withoutFilters, writeList } from "./state.ts";

test("lists come back as they went, whatever is in them", () => {
  const parts = ["", "a", "a,b", "\\", "\\N", "ä\\,", null, "x=1&y?z#"];
  for (const one of parts) for (const other of parts) for (const third of parts) {
    expect(readList(writeList([one, other, third]))).toEqual([one, other, third]);
  }
  expect(readList(writeList([1, true]))).toEqual(["1", "true"]);
});

test("the way here comes back as it went, over several dashboards", () => {
  const first = new URLSearchParams({ "f.country": "DE,\\N", at: "7" });
  const second = new URLSearchParams({ "f.decile": "1", trail: trailFrom("overview", first) });
  const steps = readTrail(trailFrom("deciles", second));
  expect(steps).toEqual([
    { board: "overview", query: { "f.country": "DE,\\N", at: "7" } },
    { board: "deciles", query: { "f.decile": "1" } },
  ]);
  expect(backTo(steps, 0)).toEqual({ "f.country": "DE,\\N", at: "7" });
  expect(readTrail(backTo(steps, 1).trail ?? null)).toEqual([steps[0]]);
  expect(readTrail(null)).toEqual([]);
  expect(readTrail("???,")).toEqual([]);
});

const FILTERS: Filter[] = [
  { name: "country", control: "multiselect" },
  { name: "decile", control: "number" },
];

test("a click sets filters, and the same click again takes them away", () => {
  const by = { country: "land", decile: "d" };
  expect(crossFilter(FILTERS, by, { land: "a,b", d: 3 }, {})).toEqual({ "f.country": "a\\,b", "f.decile": "3" });
  expect(crossFilter(FILTERS, by, { land: "a,b", d: 3 }, { country: ["a,b"], decile: 3 })).toEqual({ "f.country": null, "f.decile": null });
  expect(crossFilter(FILTERS, by, { land: "a,b", d: 3 }, { country: ["a,b"], decile: 2 })).toEqual({ "f.country": "a\\,b", "f.decile": "3" });
  expect(crossFilter(FILTERS, by, { land: null, d: null }, {})).toEqual({ "f.country": "\\N", "f.decile": null });
  expect(crossFilter(FILTERS, { unknown: "land", decile: "absent" }, { land: "x" }, {})).toEqual({});
});

test("a click sets an end of a range of days", () => {
  const filters: Filter[] = [{ name: "period", control: "date_range" }];
  expect(crossFilter(filters, { period_from: "day" }, { day: "2026-03-01" }, {})).toEqual({ "f.period_from": "2026-03-01" });
  expect(crossFilter(filters, { period_from: "day" }, { day: "2026-03-01" }, { period_from: "2026-03-01" })).toEqual({ "f.period_from": null });
});

test("a drill keeps every filter and adds what was clicked", () => {
  const address = new URLSearchParams({ "f.country": "DE", "f.decile": "2", at: "7", "s.x": "3" });
  expect(drilled({ decile: "d", status: "s", none: "n" }, { d: 1, s: "a,b", n: null }, address)).toEqual({
    "f.country": "DE",
    "f.decile": "1",
    "f.status": "a\\,b",
  });
});

test("all filters are taken away at once, and nothing else", () => {
  expect(withoutFilters(new URLSearchParams({ "f.a": "1", at: "7", "f.b_from": "2026-01-01" }))).toEqual({ "f.a": null, "f.b_from": null });
});
