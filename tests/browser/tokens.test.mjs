// Where the server wants tokens: the page asks for one, says what is missing, and keeps it in the tab alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { begin, seriousFindings, settled } from "./harness.mjs";

let site;
before(async () => (site = await begin({ roles: ["viewer", "operator"] })));
after(() => site?.end());

/** Nothing is shown before the token: the page is not settled, and waits in a dialog. */
const opened = (hash) => site.open(hash, { allow: /40[13]/, settles: false });

test("whoever has no token is asked once, and sees the page with one", async () => {
  const page = await opened("#/tables");
  const dialog = page.getByRole("dialog", { name: "Token" });
  await dialog.getByText("This server answers only those who have a token.").waitFor();
  assert.deepEqual(await seriousFindings(page), []);
  await dialog.getByLabel("Token", { exact: true }).fill("wrong");
  await page.keyboard.press("Enter");
  await dialog.getByText("The server does not know this token.").waitFor();
  await dialog.getByLabel("Token", { exact: true }).fill(site.tokens.viewer);
  await page.keyboard.press("Enter");
  await settled(page);
  await page.getByRole("link", { name: "customer_value", exact: true }).waitFor();
  await page.reload();
  await settled(page);
  assert.equal(await dialog.count(), 0, "the token is kept in the tab");
  const elsewhere = await page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie + location.href);
  assert.ok(!elsewhere.includes(site.tokens.viewer), "and nowhere else");
  await site.done(page);
});

test("whoever cancels is told what is missing, and can go on from there", async () => {
  const page = await opened("#/tables");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  const failed = page.locator("main .failed-box");
  await failed.waitFor();
  assert.match(await failed.innerText(), /E2401/);
  await failed.getByRole("button", { name: "Use another token" }).click();
  await page.getByRole("dialog").getByLabel("Token", { exact: true }).fill(site.tokens.viewer);
  await page.getByRole("button", { name: "Use this token" }).click();
  await failed.waitFor({ state: "detached" });
  await page.getByRole("link", { name: "customer_value", exact: true }).waitFor();
  await site.done(page);
});

test("a viewer is refused what takes another role, and the page says so", async () => {
  const page = await opened("#/runs");
  await page.getByRole("dialog").getByLabel("Token", { exact: true }).fill(site.tokens.viewer);
  await page.keyboard.press("Enter");
  await settled(page);
  const answer = await page.evaluate(async (token) => {
    const said = await fetch("/v1/runs", { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, body: '{"as_of":"2026-03-07"}' });
    return [said.status, (await said.json()).code];
  }, site.tokens.viewer);
  assert.deepEqual(answer, [403, "E2402"]);
  await page.goto(`${site.base}/#/workers`);
  await page.getByRole("button", { name: "Drain", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Drain", exact: true }).click();
  await dialog.getByRole("button", { name: "E2402: what it means" }).waitFor();
  await dialog.getByRole("button", { name: "Back" }).click();
  await page.getByRole("button", { name: "Drain (your token has no role that may do this: it takes admin)" }).waitFor();
  await site.done(page);
});
