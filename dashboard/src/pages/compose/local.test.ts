// Drafts in this browser.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { forgetLocal, keepLocal, localDraft, localNames } from "./local.ts";
import { storage } from "./samples.ts";

beforeEach(() => void vi.stubGlobal("localStorage", storage()));
afterEach(() => vi.unstubAllGlobals());

const draft = (title: string) => ({ document: { title, widgets: [] }, base: null, at: "2026-03-01T10:00:00Z" });

it("has one for each dashboard, until it is forgotten", () => {
  localStorage.setItem("tenfold-theme", "dark");
  expect([keepLocal("b", draft("B")), keepLocal("a", draft("A")), keepLocal("b", draft("B, later"))]).toEqual([true, true, true]);
  expect(localNames()).toEqual(["a", "b"]);
  expect(localDraft("b")).toEqual(draft("B, later"));
  forgetLocal("b");
  expect([localNames(), localDraft("b")]).toEqual([["a"], null]);
});

it("offers nothing that is no draft", () => {
  for (const text of ["", "{", "1", "null", '{"document":{}}', '{"document":{"title":"x"}}']) {
    localStorage.setItem("tenfold-draft:d", text);
    expect(localDraft("d")).toBeNull();
  }
});

it("says so where there is no room, and keeps what there was", () => {
  keepLocal("d", draft("before"));
  vi.spyOn(localStorage, "setItem").mockImplementation(() => {
    throw new DOMException("there is no room", "QuotaExceededError");
  });
  expect(keepLocal("d", draft("after"))).toBe(false);
  expect(localDraft("d")).toEqual(draft("before"));
});
