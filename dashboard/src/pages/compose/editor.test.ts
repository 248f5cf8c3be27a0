// The life of a document in the composer: what is dirty, what is kept with which base, and what a conflict leads to.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../../api/api.ts";
import * as server from "../../api/dashboards.ts";
import type { DashboardDocument } from "../../spec/types.ts";
import { newWidget } from "./columns.ts";
import { Editor } from "./editor.ts";
import { keepLocal, localDraft } from "./local.ts";
import { storage } from "./samples.ts";

vi.mock("../../api/dashboards.ts");

const first: DashboardDocument = { title: "First", widgets: [] };
const kept = (document: DashboardDocument, hash: string, draft = false): server.SavedDashboard => ({
  name: "d",
  origin: "project",
  hash,
  draft,
  document,
  yaml: "",
});
const opened = () => new Editor("d", first, { kept: kept(first, "h1"), published: true, writable: true });
const titled = (title: string) => (document: DashboardDocument) => ({ ...document, title });

beforeEach(() => {
  vi.stubGlobal("localStorage", storage());
  vi.mocked(server.putDashboard).mockImplementation((_, body) =>
    Promise.resolve(kept("document" in body ? body.document : first, "h2", body.draft)),
  );
});
afterEach(() => {
  vi.resetAllMocks();
  vi.unstubAllGlobals();
});

it("is dirty until it is kept, and keeps with the hash that it began from", async () => {
  const editor = opened();
  expect(editor.dirty.value).toBe(false);
  editor.change(titled("Second"));
  expect(editor.dirty.value).toBe(true);
  expect(await editor.save(true)).toBe(true);
  expect(server.putDashboard).toHaveBeenCalledWith("d", { document: { title: "Second", widgets: [] }, draft: true, base: "h1" });
  expect([editor.dirty.value, editor.kept.value?.draft]).toEqual([false, true]);
  editor.undo();
  expect(editor.dirty.value).toBe(true);
  editor.redo();
  expect(editor.dirty.value).toBe(false);
  await editor.save(false);
  expect(vi.mocked(server.putDashboard).mock.lastCall?.[1]).toMatchObject({ draft: false, base: "h2" });
});

it("of a new dashboard or a copy is dirty from its beginning, and has no base", async () => {
  const editor = new Editor("d", first, { kept: null, published: false, writable: true });
  expect(editor.dirty.value).toBe(true);
  await editor.save(false);
  expect(vi.mocked(server.putDashboard).mock.lastCall?.[1]).toMatchObject({ base: null });
  expect([editor.published.value, editor.dirty.value]).toEqual([true, false]);
});

it("shows what somebody else wrote, and takes either", async () => {
  const conflict = new ApiError(409, { code: "E2218" });
  const theirs = kept({ title: "Theirs", widgets: [] }, "h9", true);
  vi.mocked(server.putDashboard).mockRejectedValueOnce(conflict).mockRejectedValueOnce(conflict);
  vi.mocked(server.getDashboard).mockResolvedValue(theirs);
  const editor = opened();
  editor.change(titled("Mine"));
  expect(await editor.save(true)).toBe(false);
  expect(editor.conflict.value).toEqual({ theirs, draft: true });
  editor.takeTheirs();
  expect([editor.document.value.title, editor.dirty.value, editor.conflict.value]).toEqual(["Theirs", false, null]);
  editor.undo();
  expect([editor.document.value.title, editor.dirty.value]).toEqual(["Mine", true]);
  await editor.save(false);
  expect(await editor.saveOver()).toBe(true);
  expect(vi.mocked(server.putDashboard).mock.lastCall?.[1]).toMatchObject({ draft: false, base: "h9", document: { title: "Mine" } });
});

const wrong = () => new ApiError(422, { code: "E1", detail: "wrong" });

it("tells other failures, and is free again", async () => {
  vi.mocked(server.putDashboard).mockRejectedValueOnce(wrong());
  const editor = opened();
  editor.change(titled("Mine"));
  await expect(editor.save(true)).rejects.toThrow("wrong");
  expect([editor.busy.value, editor.dirty.value, editor.conflict.value]).toEqual([false, true, null]);
});

it("keeps what the server refuses in this browser, until it is saved", async () => {
  vi.mocked(server.putDashboard).mockRejectedValueOnce(wrong());
  const editor = opened();
  editor.change(titled("Mine"));
  expect(editor.atRisk.value).toBe(true);
  await editor.save(true).catch(() => undefined);
  expect(localDraft("d")).toEqual({ document: { title: "Mine", widgets: [] }, base: "h1", at: editor.local.value?.at });
  expect([editor.dirty.value, editor.atRisk.value]).toEqual([true, false]);
  editor.change(titled("Mine, longer"));
  expect(editor.atRisk.value).toBe(true);
  await editor.save(true);
  expect([localDraft("d"), editor.local.value, editor.atRisk.value]).toEqual([null, null, false]);
});

it("is at risk where this browser keeps nothing", async () => {
  vi.stubGlobal("localStorage", undefined);
  vi.mocked(server.putDashboard).mockRejectedValueOnce(wrong());
  const editor = opened();
  editor.change(titled("Mine"));
  await expect(editor.save(true)).rejects.toThrow("wrong");
  expect([editor.local.value, editor.atRisk.value]).toEqual([null, true]);
});

it("goes on with what this browser keeps, over what that was made from", async () => {
  const draft = { document: { title: "Mine", widgets: [] }, base: "h0", at: "2026-03-01T10:00:00Z" };
  keepLocal("d", draft);
  const editor = opened();
  editor.resume(draft);
  expect([editor.document.value.title, editor.dirty.value, editor.atRisk.value]).toEqual(["Mine", true, false]);
  vi.mocked(server.putDashboard).mockRejectedValueOnce(new ApiError(409, { code: "E2218" }));
  vi.mocked(server.getDashboard).mockResolvedValue(kept(first, "h1"));
  // The server has h1 by now: nothing of it is replaced unseen.
  expect(await editor.save(true)).toBe(false);
  expect(vi.mocked(server.putDashboard).mock.lastCall?.[1]).toMatchObject({ base: "h0" });
  expect(localDraft("d")).toEqual(draft);
  expect(await editor.saveOver()).toBe(true);
  expect([localDraft("d"), editor.dirty.value]).toEqual([null, false]);
  editor.change(titled("Next"));
  await editor.save(true);
  expect(vi.mocked(server.putDashboard).mock.lastCall?.[1]).toMatchObject({ base: "h2" });
});

it("leaves alone what another tab keeps", async () => {
  const editor = opened();
  const draft = { document: { title: "Another tab", widgets: [] }, base: "h1", at: "2026-03-01T10:00:00Z" };
  keepLocal("d", draft);
  editor.change(titled("Mine"));
  await editor.save(true);
  expect(localDraft("d")).toEqual(draft);
});

it("goes back to what everybody sees when the draft is discarded", async () => {
  const editor = new Editor("d", first, { kept: kept(first, "h1", true), published: true, writable: true });
  vi.mocked(server.getDashboard).mockResolvedValue(kept({ title: "Public", widgets: [] }, "h0"));
  await editor.discardDraft();
  expect(server.deleteDashboard).toHaveBeenCalledWith("d", true, "h1");
  expect([editor.document.value.title, editor.dirty.value]).toEqual(["Public", false]);
  const alone = new Editor("d", first, { kept: kept(first, "h1", true), published: false, writable: true });
  alone.resume({ document: { title: "Mine", widgets: [] }, base: "h1", at: "2026-03-01T10:00:00Z" });
  expect(await alone.discardDraft()).toBeNull();
  expect(alone.local.value).toBeNull();
});

it("gives widgets names and places of their own", () => {
  const editor = opened();
  const widget = newWidget("w", { x: 0, y: 0, w: 6, h: 4 });
  expect([editor.add(widget), editor.add(widget), editor.duplicate("w")]).toEqual(["w", "w_2", "w_3"]);
  expect(editor.document.value.widgets.map((one) => [one.at.x, one.at.y])).toEqual([[0, 0], [6, 0], [0, 4]]);
  expect([editor.rename("w", "w_2"), editor.rename("w", "No name"), editor.rename("w", "value")]).toEqual([false, false, true]);
  editor.remove("value");
  expect(editor.document.value.widgets.map((one) => one.name)).toEqual(["w_2", "w_3"]);
});
