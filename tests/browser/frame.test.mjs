// The frame around the pages: tokens, the snapshot in the address, the theme, dialogs, tables.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { becomes, begin, isAt, settled, tableRows } from "./harness.mjs";

let site;
before(async () => (site = await begin()));
after(() => site?.end());

test("the snapshot that is chosen is in the address, goes along, and is what is read", async () => {
  const page = await site.open("#/tables");
  await page.getByLabel("Snapshot").selectOption("3");
  await isAt(page, /^#\/tables\?at=3$/);
  await settled(page);
  await page.getByRole("link", { name: "customer_value", exact: true }).click();
  await isAt(page, /^#\/tables\/customer_value\?at=3$/);
  await page.getByRole("heading", { name: "customer_value" }).waitFor();
  await settled(page);
  const [{ n }] = await site.sql("SELECT count(*) AS n FROM customer_value", {}, 3);
  await page.getByText(`the table has ${n.toLocaleString("en")} rows`).waitFor();
  await page.goBack();
  await isAt(page, /^#\/tables\?at=3$/);
  await page.getByRole("heading", { name: "Tables" }).waitFor();
  await site.done(page);
});

test("the first rows of a table are those of SQL, and a click on a head sorts them", async () => {
  const page = await site.open("#/tables/dim_customer");
  const rows = await site.sql('SELECT * FROM dim_customer ORDER BY customer, valid_from LIMIT 20');
  const table = page.locator("table").nth(1);
  const shown = async () => (await tableRows(table)).map((row) => [row.customer, row.country]);
  const expected = rows.map((row) => [row.customer, row.country ?? "–"]);
  assert.deepEqual(await shown(), expected);
  await table.getByRole("button", { name: "country" }).click();
  await becomes(() => table.getByRole("columnheader", { name: "country" }).getAttribute("aria-sort"), "ascending");
  const countries = (await shown()).map(([, country]) => country);
  const known = countries.filter((country) => country !== "–");
  assert.deepEqual(known, [...known].sort());
  // What is missing stands last, whichever way the rows are sorted.
  assert.deepEqual(countries.slice(known.length), Array(countries.length - known.length).fill("–"));
  assert.ok(known.length < countries.length);
  await site.done(page);
});

test("a theme that is chosen stays, whatever the system has", async () => {
  const page = await site.open("#/tables", { theme: "light" });
  const becomes = (theme) => page.waitForFunction((name) => document.documentElement.dataset.theme === name, theme);
  await becomes("light");
  await page.getByLabel("Theme").selectOption("dark");
  await becomes("dark");
  await page.reload();
  await settled(page);
  await becomes("dark");
  await page.getByLabel("Theme").selectOption("system");
  await becomes("light");
  await page.emulateMedia({ colorScheme: "dark" });
  await becomes("dark");
  await site.done(page);
});

test("a dialog keeps the focus inside, closes with Escape, and gives the focus back", async () => {
  const page = await site.open("#/tables");
  const opener = page.getByRole("button", { name: "Token", exact: true });
  await opener.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Token" });
  await dialog.waitFor();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    // The browser's own controls may come between; no other part of the page does.
    const outside = await page.evaluate(() => document.activeElement !== document.body && document.activeElement.closest("dialog") === null);
    assert.equal(outside, false);
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.waitForFunction(() => document.activeElement.textContent === "Token");
  await site.done(page);
});

test("a snapshot that there is not is told with code and remedy, and another one can be chosen", async () => {
  const page = await site.open("#/tables?at=99", { allow: /404|400/ });
  const failed = page.locator("main .failed-box");
  await failed.waitFor();
  assert.match(await failed.innerText(), /E\d{4}/);
  assert.match(await failed.innerText(), /What to do/);
  await page.getByLabel("Snapshot").selectOption("2");
  await page.getByRole("heading", { name: "Tables" }).waitFor();
  await site.done(page);
});

test("a server that is gone is told, and when it is back the page goes on", async () => {
  const page = await site.open("#/tables", { allow: /ERR_FAILED|ERR_CONNECTION|Failed to load/ });
  await page.route("**/v1/tables*", (route) => route.abort());
  await page.getByLabel("Snapshot").selectOption("2");
  const failed = page.locator("main .failed-box");
  await failed.waitFor();
  assert.match(await failed.innerText(), /does not answer/);
  await page.unroute("**/v1/tables*");
  await page.getByRole("button", { name: "Try again" }).click();
  await failed.waitFor({ state: "detached" });
  await site.done(page);
});
