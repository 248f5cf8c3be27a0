// Every page: it shows itself without errors and outside requests, in both themes, and axe has nothing serious to say.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { begin, DASHBOARD, pictures, seriousFindings, settled } from "./harness.mjs";

/** One address for each path of the pages' table of routes; a name for its picture. */
const PLACES = [
  { hash: "#/boards", picture: "dashboards" },
  { hash: "#/boards/overview", picture: "overview" },
  { hash: "#/boards/deciles", picture: "deciles" },
  { hash: "#/boards/model", picture: "model" },
  { hash: "#/boards/cohorts", picture: "cohorts" },
  { hash: "#/boards/at_risk" },
  { hash: "#/boards/audiences" },
  { hash: "#/boards/campaigns", picture: "campaigns" },
  { hash: "#/boards/status" },
  { hash: "#/compose/new" },
  { hash: "#/tables" },
  { hash: "#/tables/customer_value" },
  { hash: "#/audiences", picture: "audiences" },
  { hash: "#/audiences/new" },
  { hash: "#/audiences/at_risk", picture: "audience" },
  { hash: "#/audiences/at_risk/edit", picture: "audience-builder" },
  { hash: "#/customers" },
  { hash: "#/customers/A003344505", picture: "customer" },
  { hash: "#/campaigns" },
  { hash: "#/campaigns/winter_offer", picture: "campaign" },
  { hash: "#/deliveries" },
  { hash: "#/deliveries/winback", picture: "delivery" },
  { hash: "#/operations", picture: "operations" },
  { hash: "#/runs" },
  { hash: "#/runs/@latest" },
  { hash: "#/schedules" },
  { hash: "#/schedules/nightly" },
  { hash: "#/backfills" },
  { hash: "#/backfills/@latest" },
  { hash: "#/workers" },
  { hash: "#/snapshots", picture: "snapshots" },
];

let site;
before(async () => (site = await begin({ worked: true })));
after(() => site?.end());

test("no page is forgotten here", () => {
  const routes = readFileSync(join(DASHBOARD, "src/routes.ts"), "utf8");
  const paths = [...routes.matchAll(/path: "([^"]+)"/g)].map(([, path]) => path);
  assert.ok(paths.length > 0);
  for (const path of paths) {
    const fits = new RegExp(`^#${path.replace(/:[a-z]+/g, "[^/?]+")}(\\?|$)`);
    assert.ok(PLACES.some(({ hash }) => fits.test(hash)), `no test opens ${path}`);
  }
});

test("the page comes with its policy, and is asked for anew each time", async () => {
  const answer = await fetch(`${site.base}/`);
  const policy = answer.headers.get("content-security-policy");
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy?.includes(part), `${part} is not in ${policy}`);
  }
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal((await fetch(`${site.api}/`)).headers.get("cache-control"), "no-cache");
});

for (const { hash, picture } of PLACES) {
  for (const theme of ["light", "dark"]) {
    test(`${hash} in ${theme}`, async () => {
      // High enough for all that is drawn only where it is seen.
      const page = await site.open(hash, { theme, height: 2600 });
      assert.equal(await page.locator("main .failed-box").count(), 0, await page.locator("main").innerText());
      assert.equal(await page.locator("main h1").count(), 1);
      const findings = await seriousFindings(page);
      assert.deepEqual(findings, [], JSON.stringify(findings, null, 2));
      if (pictures() && picture) {
        await page.setViewportSize({ width: 1440, height: 900 });
        await settled(page);
        await page.screenshot({ path: join(pictures(), `${picture}-${theme}.png`) });
      }
      await site.done(page);
    });
  }
}

test("at the width of a small window nothing is beyond the edge", async () => {
  for (const { hash } of PLACES) {
    const page = await site.open(hash, { width: 480, height: 800 });
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(beyond <= 0, `${hash} is ${beyond} pixels too wide`);
    await site.done(page);
  }
});

test("a page that there is not says so, and leads to one that there is", async () => {
  const page = await site.open("#/nowhere");
  await page.getByRole("link", { name: "To the first page" }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  await site.done(page);
});

test("the keyboard reaches the content first, and the focus can be seen", async () => {
  const page = await site.open("#/tables");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "To the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid");
  await site.done(page);
});
