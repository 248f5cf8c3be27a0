// Dashboards: their numbers equal those of SQL; filters, clicks, drills, snapshots and files do what they say.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { arrived, begin, isAt, saved, settled, tableRows } from "./harness.mjs";

let site;
before(async () => (site = await begin()));
after(() => site?.end());

const widget = (page, name) => page.locator(`[data-widget="${name}"]`);
const hash = (page) => page.evaluate(() => decodeURIComponent(location.hash));
const digits = (text) => Number(text.replace(/[^0-9.-]/g, ""));

async function opened(name, options) {
  const page = await site.open(`#/boards/${name}`, options);
  await boardSettled(page);
  return page;
}

/** Waits until every widget that is in sight shows the answer to its last question. */
async function boardSettled(page) {
  await arrived(page);
  await page.locator('.board[data-settled="true"]').waitFor();
  await settled(page);
}

async function inSight(page, name) {
  await widget(page, name).scrollIntoViewIfNeeded();
  await boardSettled(page);
  return widget(page, name);
}

async function tool(page, name, label) {
  const one = await inSight(page, name);
  await one.hover();
  await one.getByRole("button", { name: label, exact: true }).click();
  return one;
}

test("big numbers and tables equal SQL", async () => {
  const page = await opened("overview");
  const [{ customers, active }] = await site.sql("SELECT COUNT(*) AS customers, COUNT(*) FILTER (WHERE p_alive >= 0.7) AS active FROM customer_value");
  assert.equal(digits(await widget(page, "customers").locator(".figure-number").innerText()), customers);
  assert.equal(digits(await widget(page, "active").locator(".figure-number").innerText()), active);
  const expected = await site.sql("SELECT decile, customers, total FROM fact_value_by_decile WHERE measure = 'clv_12m' ORDER BY decile");
  await tool(page, "value_by_decile", "Table");
  const rows = await tableRows(widget(page, "value_by_decile").locator("table"));
  assert.deepEqual(
    rows.map((row) => [digits(row.decile), digits(row.customers)]),
    expected.map((row) => [row.decile, row.customers]),
  );
  rows.forEach((row, i) => assert.ok(Math.abs(digits(row.total) - expected[i].total) < 0.1, `${row.total} is not ${expected[i].total}`));
  await site.done(page);
});

test("the change of a number is that since the snapshot before", async () => {
  const page = await opened("overview");
  const [latest] = (await site.get("/v1/snapshots")).snapshots;
  const [now] = await site.sql("SELECT COUNT(*) AS n FROM customer_value WHERE p_alive < 0.3");
  const [was] = await site.sql("SELECT COUNT(*) AS n FROM customer_value WHERE p_alive < 0.3", {}, latest.number - 1);
  const change = await widget(page, "lapsed").locator(".figure-change").innerText();
  assert.equal(digits(change.split("from")[1]), was.n);
  assert.equal(digits(change.split("%")[0]), Math.round(Math.abs(now.n / was.n - 1) * 1000) / 10);
  await site.done(page);
});

test("a filter goes into the address and its value into a parameter", async () => {
  const page = await opened("overview");
  const sent = [];
  page.on("request", (request) => request.url().endsWith("/v1/sql") && sent.push(request.postDataJSON()));
  await page.getByLabel("Active from P(alive)").fill("0.9");
  await page.waitForFunction(() => location.hash.includes("f.active_from=0.9"));
  await boardSettled(page);
  const [{ n }] = await site.sql("SELECT COUNT(*) AS n FROM customer_value WHERE p_alive >= 0.9");
  assert.equal(digits(await widget(page, "active").locator(".figure-number").innerText()), n);
  const asked = sent.filter(({ sql }) => sql.includes("$active_from"));
  assert.ok(asked.length > 0 && asked.every(({ parameters }) => parameters.active_from === 0.9));
  await page.reload();
  await boardSettled(page);
  assert.equal(await page.getByLabel("Active from P(alive)").inputValue(), "0.9");
  await page.getByRole("button", { name: "Clear all" }).click();
  await page.waitForFunction(() => !location.hash.includes("f."));
  await site.done(page);
});

test("no address puts anything into a query but values and columns that there are", async () => {
  const evil = `x" FROM customer_value; DROP TABLE y --`;
  const sent = [];
  const page = await site.open(`#/boards/deciles?${new URLSearchParams({ "f.tiles": evil, "f.ranking": `' OR 1=1 --` })}`);
  page.on("request", (request) => request.url().endsWith("/v1/sql") && sent.push(request.postDataJSON()));
  await page.reload();
  await boardSettled(page);
  assert.ok(sent.length > 0);
  for (const { sql } of sent) assert.ok(!sql.includes("DROP TABLE") && !sql.includes("1=1"), sql);
  assert.ok(sent.some(({ parameters }) => parameters?.ranking === "' OR 1=1 --"));
  await site.done(page);
});

test("a click sets a filter, by the keyboard as well, and the same click takes it back", async () => {
  const page = await opened("deciles");
  const rows = (await inSight(page, "distribution")).getByRole("button", { name: "Filter Decile" });
  assert.equal(await rows.count(), 10);
  await rows.nth(2).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("f.decile=3"));
  await boardSettled(page);
  assert.equal(await page.getByLabel("Decile", { exact: true }).inputValue(), "3");
  assert.equal(await rows.count(), 1);
  // The button that was pressed is gone; whoever uses the keyboard goes on from the widget.
  await page.waitForFunction(() => document.activeElement?.dataset.widget === "distribution");
  await rows.first().click();
  await page.waitForFunction(() => !location.hash.includes("f.decile"));
  await boardSettled(page);
  const bar = (await inSight(page, "mean_by_decile")).locator("svg path[fill='#0b2a5b']").first();
  await bar.click();
  await page.waitForFunction(() => location.hash.includes("f.decile=1"));
  await site.done(page);
});

test("a drill keeps the filters, and the way back keeps what was chosen", async () => {
  const page = await opened("deciles");
  await page.getByLabel("By dimension").selectOption({ label: "revenue_by_country, 12m" });
  await page.waitForFunction(() => location.hash.includes("f.group=revenue_by_country"));
  await boardSettled(page);
  const heat = await tool(page, "by_dimension", "Table");
  const table = heat.locator("table");
  await table.getByText("France").first().waitFor();
  const line = (await tableRows(table)).findIndex((row) => row["dimension value"] === "France" && row.decile === "4");
  await heat.getByRole("button", { name: "Open Deciles by dimension" }).nth(line).click();
  await page.waitForFunction(() => location.hash.startsWith("#/boards/status"));
  await boardSettled(page);
  assert.equal(await page.getByLabel("Deciles of").inputValue(), "revenue_by_country 12m");
  assert.equal(await page.getByLabel("Decile", { exact: true }).inputValue(), "4");
  const [{ n }] = await site.sql(
    "SELECT COUNT(*) AS n FROM customer_decile WHERE measure = 'revenue_by_country' AND lookback = '12m' AND dimension_value = 'France' AND decile = 4",
  );
  await tool(page, "members", "Table");
  const [only, ...others] = await tableRows(widget(page, "members").locator("table"));
  assert.deepEqual([only.decile, only["dimension value"], digits(only.members), others.length], ["4", "France", n, 0]);
  await page.getByRole("navigation", { name: "The way here" }).getByRole("link", { name: "Deciles" }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/boards/deciles"));
  await boardSettled(page);
  assert.equal(await page.getByLabel("By dimension").inputValue(), "revenue_by_country 12m");
  await site.done(page);
});

test("filters go through a dashboard that has none of them", async () => {
  const page = await opened("overview?f.decile=2&f.active_from=0.8");
  await widget(page, "at_risk").getByRole("link", { name: "At risk" }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/boards/at_risk"));
  await boardSettled(page);
  const address = await hash(page);
  assert.ok(address.includes("f.decile=2") && address.includes("f.active_from=0.8"), address);
  assert.match(await page.locator(".filter-bar").innerText(), /Passed on, without effect here: decile, active_from|active_from, decile/);
  await site.done(page);
});

test("time travel: the slider, one widget's own snapshot, and the line that says as of when", async () => {
  const page = await opened("overview");
  const { snapshots } = await site.get("/v1/snapshots");
  const nights = snapshots.filter(({ backfill }) => backfill === null).sort((a, b) => a.number - b.number);
  await page.getByRole("slider", { name: "Snapshot" }).focus();
  await page.keyboard.press("Home");
  await page.waitForFunction((number) => location.hash.includes(`at=${number}`), nights[0].number);
  await boardSettled(page);
  assert.match(await page.locator(".stamp").innerText(), new RegExp(`As of ${nights[0].as_of}, snapshot ${nights[0].number},`));
  assert.equal(digits(await widget(page, "customers").locator(".figure-number").innerText()), nights[0].customers);
  await page.getByRole("button", { name: "Snapshot after" }).click();
  await page.waitForFunction((number) => location.hash.includes(`at=${number}`), nights[1].number);
  await tool(page, "customers", "Snapshot");
  await page.getByLabel("Snapshot of this widget alone").selectOption(String(nights.at(-1).number));
  await isAt(page, new RegExp(`s\\.customers=${nights.at(-1).number}`));
  await page.keyboard.press("Escape");
  await boardSettled(page);
  assert.equal(digits(await widget(page, "customers").locator(".figure-number").innerText()), nights.at(-1).customers);
  assert.match(await widget(page, "customers").locator("header").innerText(), new RegExp(`snapshot ${nights.at(-1).number}`));
  await site.done(page);
});

test("moves between two snapshots equal a join of both", async () => {
  const page = await opened("deciles");
  const { snapshots } = await site.get("/v1/snapshots");
  const numbers = snapshots.filter(({ backfill }) => backfill === null).map(({ number }) => number).sort((a, b) => a - b);
  await page.getByLabel("From snapshot").selectOption(String(numbers[0]));
  await page.waitForFunction((number) => location.hash.includes(`f.from=${number}`), numbers[0]);
  await boardSettled(page);
  const expected = await site.sql(
    `SELECT b.decile_clv_12m AS b, a.decile_clv_12m AS a, COUNT(*) AS n
     FROM snapshot('customer_value', ${numbers[0]}) b FULL JOIN snapshot('customer_value', ${numbers.at(-1)}) a ON a.customer = b.customer
     WHERE b.decile_clv_12m IS NOT NULL OR a.decile_clv_12m IS NOT NULL
     GROUP BY 1, 2 ORDER BY 1 NULLS LAST, 2 NULLS LAST`,
  );
  await tool(page, "moves", "Table");
  const rows = await tableRows(widget(page, "moves").locator("table"));
  const shown = (cell) => (cell === null ? "–" : String(cell));
  assert.deepEqual(
    rows.map((row) => [row["from decile"], row["to decile"], digits(row.customers)]),
    expected.map(({ b, a, n }) => [shown(b), shown(a), n]),
  );
  await site.done(page);
});

test("the SQL that is shown is the one that ran, and the focus comes back", async () => {
  const page = await opened("overview");
  const one = await tool(page, "value_by_decile", "SQL");
  const dialog = page.getByRole("dialog");
  const sql = await dialog.locator("pre").innerText();
  const cell = await dialog.locator("table tbody tr td").innerText();
  const rows = await site.sql(sql, { ranking: JSON.parse(cell) });
  assert.equal(rows.length, 10);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.activeElement?.textContent === "SQL");
  assert.equal(await one.getByRole("button", { name: "SQL" }).count(), 1);
  await site.done(page);
});

test("a file has all rows as CSV", async () => {
  const page = await opened("at_risk");
  const list = await inSight(page, "list");
  const csv = await saved(page, () => tool(page, "list", "CSV"));
  const expected = await site.sql(
    `SELECT COUNT(*) AS n FROM (SELECT p_alive, NTILE(10) OVER (ORDER BY revenue_lifetime DESC, customer) AS tile
     FROM customer_value WHERE revenue_lifetime IS NOT NULL) WHERE tile = 1 AND p_alive < 0.5`,
  );
  assert.equal(csv.content.toString().trim().split("\n").length - 1, expected[0].n);
  assert.ok(csv.name.endsWith(".csv") && (await list.locator("tbody tr").count()) > 0);
  await site.done(page);
});

for (const [theme, card] of [["light", [255, 255, 255]], ["dark", [26, 30, 37]]]) {
  test(`a picture is saved on the ground of its theme, in ${theme}`, async () => {
    const page = await opened("at_risk", { theme });
    for (const kind of ["SVG", "PNG"]) {
      const file = await saved(page, () => tool(page, "by_absence", kind));
      const type = { SVG: "image/svg+xml", PNG: "image/png" }[kind];
      // What a program that knows nothing of the page sees in the corners.
      const corners = await page.evaluate(async (address) => {
        const image = new Image();
        image.src = address;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(image, 0, 0);
        return [[0, 0], [image.width - 1, image.height - 1]].map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]);
      }, `data:${type};base64,${file.content.toString("base64")}`);
      assert.deepEqual(corners, [[...card, 255], [...card, 255]], kind);
    }
    await site.done(page);
  });
}

test("a row leads to the page of its customer", async () => {
  const page = await opened("at_risk");
  const list = await inSight(page, "list");
  const [first] = await tableRows(list.locator("table"));
  await list.getByRole("button", { name: "Open customer" }).first().click();
  await page.waitForFunction((key) => location.hash.startsWith(`#/customers/${key}`), encodeURIComponent(first.customer));
  await page.context().close();
});

test("what comes late of the project has no question asked again", async () => {
  const page = await site.open("#/boards");
  const sent = [];
  let [ask, list] = [null, null];
  const [asked, listed] = [new Promise((resolve) => (ask = resolve)), new Promise((resolve) => (list = resolve))];
  // The list, which has the currency, comes once a filter has asked; the answers come after it.
  await page.route("**/v1/dashboards", async (route) => {
    await asked;
    await route.continue();
  });
  await page.route("**/v1/sql", async (route) => {
    sent.push(route.request().postData());
    ask();
    await listed;
    // One that was given up is not there any more.
    await route.continue().catch(() => undefined);
  });
  const response = page.waitForResponse((answer) => answer.url().endsWith("/v1/dashboards"));
  await page.getByRole("link", { name: "Model", exact: true }).click();
  await (await response).finished();
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  list();
  await isAt(page, /^#\/boards\/model/);
  await boardSettled(page);
  assert.ok(sent.length > 0);
  assert.equal(new Set(sent).size, sent.length);
  await site.done(page);
});

test("equal questions are asked once, and printing loads everything first", async () => {
  const page = await site.open("#/boards");
  const sent = [];
  page.on("request", (request) => request.url().endsWith("/v1/sql") && sent.push(request.postData()));
  await page.evaluate(() => {
    globalThis.print = () => (globalThis.printed = [document.querySelectorAll(".loading").length, document.documentElement.dataset.theme]);
  });
  await page.getByRole("link", { name: "Model", exact: true }).click();
  await isAt(page, /^#\/boards\/model/);
  await boardSettled(page);
  await page.getByRole("button", { name: "Print" }).click();
  await page.waitForFunction(() => globalThis.printed !== undefined);
  assert.deepEqual(await page.evaluate(() => globalThis.printed), [0, "light"]);
  assert.equal(new Set(sent).size, sent.length);
  await site.done(page);
});
