// What becomes of work in the composer that is not saved: somebody else saved meanwhile, the page is left, or the server
// takes it only when something is mended.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bars, openComposer, putDashboard } from "./composing.mjs";
import { begin, isAt, seriousFindings, tableRows } from "./harness.mjs";

let site;
before(async () => (site = await begin()));
after(() => site?.end());

const put = (name, body) => putDashboard(site, name, body);
const composer = (...asked) => openComposer(site, ...asked);

test("who saves over somebody else is shown both and chooses", async () => {
  const document = { title: "Shared", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] };
  const page = await composer("shared", document, { allow: /409/ });
  const { hash } = await site.get("/v1/dashboards/shared");
  await put("shared", { document: { ...document, title: "Theirs" }, draft: false, base: hash });
  await page.getByRole("tab", { name: "Title and snapshot" }).click();
  await page.getByLabel("Title", { exact: true }).fill("Mine");
  await page.getByRole("button", { name: "Save draft" }).click();
  const dialog = page.getByRole("dialog", { name: "Somebody else changed this dashboard" });
  const lines = await tableRows(dialog.getByRole("table"));
  assert.deepEqual(lines.filter((line) => line.Whose !== "").map((line) => [line.Whose, line.Line]), [["theirs", "title: Theirs"], ["mine", "title: Mine"]]);
  assert.deepEqual(await seriousFindings(page), []);
  await dialog.getByRole("button", { name: "Take theirs" }).click();
  await page.getByRole("heading", { level: 1, name: "Theirs" }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("heading", { level: 1, name: "Mine" }).waitFor();
  const before = await site.get("/v1/dashboards/shared");
  await put("shared", { document: { ...document, title: "Theirs again" }, draft: false, base: before.hash });
  await page.getByRole("button", { name: "Save draft" }).click();
  await dialog.getByRole("button", { name: "Keep mine instead" }).click();
  await page.getByText("Your draft is saved").waitFor();
  assert.equal((await site.get("/v1/dashboards/shared?draft=true")).document.title, "Mine");
  assert.equal((await site.get("/v1/dashboards/shared")).document.title, "Theirs again");

  await page.getByRole("button", { name: "Discard draft" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
  await page.getByRole("heading", { level: 1, name: "Theirs again" }).waitFor();
  assert.equal((await site.get("/v1/dashboards/shared?draft=true")).draft, false);
  await site.done(page);
});

test("changes that are not saved are not lost by leaving", async () => {
  const page = await composer("leaving", { title: "Leaving", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] });
  await page.getByRole("button", { name: "Delete Value w" }).click();
  const asked = page.waitForEvent("dialog").then((dialog) => dialog.dismiss());
  await page.getByRole("link", { name: "Tables" }).click();
  await asked;
  await isAt(page, /^#\/compose\/leaving/);
  await page.getByRole("heading", { level: 1, name: "Leaving" }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("button", { name: "Delete Value w" }).waitFor();
  page.once("dialog", (dialog) => void dialog.accept());
  await page.getByRole("link", { name: "Tables" }).click();
  await page.getByRole("heading", { level: 1, name: "Tables" }).waitFor();
  await site.done(page);
});

test("a draft with something to mend is kept in the browser, offered again, and dropped once it is saved", async () => {
  const page = await site.open("#/compose/new", { allow: /400|422/ });
  await page.getByRole("textbox", { name: "Title" }).fill("Half done");
  await page.getByRole("button", { name: "Begin" }).click();
  await page.getByRole("button", { name: "Add a widget" }).click();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByRole("note").getByText("The server did not take this draft; this browser keeps it").waitFor();
  await page.locator(".toast.failed").waitFor();
  await page.getByRole("status").getByText("kept in this browser").waitFor();
  // Nothing is lost by leaving, so nobody is asked; a question would be a dialog that stays in the way.
  await page.getByRole("link", { name: "Dashboards", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Dashboards" }).waitFor();

  await page.getByRole("link", { name: "New dashboard" }).click();
  await page.getByRole("link", { name: "Half done" }).click();
  await page.getByText("This browser keeps a draft of this dashboard").waitFor();
  assert.deepEqual(await seriousFindings(page), []);
  await page.getByRole("button", { name: "Go on with it" }).click();
  await page.getByRole("button", { name: "Delete widget" }).click();
  await page.getByRole("status").getByText("not saved").waitFor();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("The draft is saved").waitFor();
  assert.equal(await page.getByText("this browser keeps it").count(), 0);
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Half done" }).waitFor();
  await page.getByRole("button", { name: "Add a widget" }).waitFor();
  assert.deepEqual((await site.get("/v1/dashboards/half_done?draft=true")).document.widgets, []);
  await site.done(page);
});

test("a draft that the browser keeps replaces nothing unseen, and can be thrown away", async () => {
  const document = { title: "Kept", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] };
  const page = await composer("kept", document, { allow: /400|409|422/ });
  await page.getByRole("tab", { name: "Title and snapshot" }).click();
  await page.getByLabel("Title", { exact: true }).fill("Mine");
  await page.getByRole("tab", { name: "Widgets" }).click();
  await page.getByRole("button", { name: "Add a widget" }).click();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("this browser keeps it").waitFor();
  const { hash } = await site.get("/v1/dashboards/kept");
  await put("kept", { document: { ...document, title: "Theirs" }, draft: false, base: hash });
  await page.reload();
  await page.getByText("both are shown before it replaces anything").waitFor();
  await page.getByRole("button", { name: "Go on with it" }).click();
  await page.getByRole("heading", { level: 1, name: "Mine" }).waitFor();
  await page.getByRole("button", { name: "← All widgets" }).click();
  await page.getByRole("button", { name: "Delete widget" }).click();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByRole("dialog", { name: "Somebody else changed this dashboard" }).getByRole("button", { name: "Go on without saving" }).click();
  assert.equal((await site.get("/v1/dashboards/kept?draft=true")).document.title, "Theirs");

  page.once("dialog", (dialog) => void dialog.accept());
  await page.reload();
  await page.getByRole("button", { name: "Throw it away" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Throw away" }).click();
  await page.getByRole("heading", { level: 1, name: "Theirs" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Theirs" }).waitFor();
  await page.getByRole("button", { name: "Edit Value w" }).waitFor();
  await site.done(page);
});
