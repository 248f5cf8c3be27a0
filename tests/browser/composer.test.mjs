// The composer end to end: a dashboard made from nothing by columns and by SQL, laid out by keyboard and pointer,
// kept as a draft and published. What the page shows is what SQL answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bars, openComposer, putDashboard } from "./composing.mjs";
import { becomes, begin, saved, seriousFindings, settled, tableRows } from "./harness.mjs";

let site;
before(async () => (site = await begin()));
after(() => site?.end());

const put = (name, body) => putDashboard(site, name, body);
const composer = (...asked) => openComposer(site, ...asked);

/** Chooses from the list that a button opens. */
async function pick(page, button, item) {
  await page.getByRole("button", { name: button }).click();
  await page.getByRole("dialog", { name: button }).getByRole("button", { name: new RegExp(`^${item}\\b`) }).first().click();
}
const places = (page) =>
  page.locator(".compose-cell").evaluateAll((cells) =>
    Object.fromEntries(cells.map((cell) => [cell.dataset.widget, `${cell.style.gridColumn} / ${cell.style.gridRow}`])),
  );

test("a widget by columns shows what SQL answers, and is kept and published", async () => {
  const page = await site.open("#/compose/new");
  await page.getByRole("textbox", { name: "Title" }).fill("Sales by decile");
  await becomes(() => page.getByRole("textbox", { name: "Name" }).inputValue(), "sales_by_decile");
  await page.getByRole("button", { name: "Begin" }).click();
  await page.getByRole("button", { name: "Add a widget" }).click();
  await page.getByRole("button", { name: "Choose a table" }).click();
  await page.getByRole("searchbox", { name: "Search tables" }).fill("value_by_dec");
  await page.getByRole("button", { name: "Look" }).click();
  await page.getByRole("tab", { name: "Sample records" }).click();
  await page.getByRole("table", { name: /The first rows of fact_value_by_decile/ }).waitFor();
  await page.getByRole("button", { name: "Use fact_value_by_decile" }).click();

  await pick(page, "Put decile on", "X axis");
  await pick(page, "Put total on", "Y axis");
  await pick(page, "Put measure on", "Filter");
  await page.getByRole("checkbox", { name: "revenue", exact: true }).check();
  await page.getByRole("button", { name: "Keep only 1 value" }).click();
  const expected = await site.sql("SELECT decile, sum(total) AS total FROM fact_value_by_decile WHERE measure = 'revenue' GROUP BY decile ORDER BY decile");
  await page.getByRole("tab", { name: `Data (${expected.length})` }).waitFor();
  await settled(page);
  const rows = await tableRows(page.locator(".compose-middle table"));
  assert.deepEqual(rows.map((row) => Object.values(row).map(Number)), expected.map((row) => [row.decile, row.total]));

  await page.getByRole("tab", { name: "SQL that runs" }).click();
  const sql = await page.locator(".compose-middle pre").innerText();
  assert.match(sql, /WHERE "fact_value_by_decile"\."measure" = \$p1/);
  assert.doesNotMatch(sql, /revenue/, "a value is never a part of the text");

  assert.equal(await page.getByRole("button", { name: "Publish" }).getAttribute("aria-disabled"), "true");
  await page.getByRole("textbox", { name: "Title", exact: true }).fill("Value");
  await page.getByRole("button", { name: "Begin with a sentence" }).click();
  await becomes(() => page.getByLabel("What it shows").inputValue(), "Bars of sum total by decile.");
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("The draft is saved").waitFor();
  assert.equal((await site.get("/v1/dashboards/sales_by_decile?draft=true")).draft, true);
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
  await page.getByText("It is published").waitFor();
  const { document, draft } = await site.get("/v1/dashboards/sales_by_decile?draft=true");
  assert.equal(draft, false);
  assert.deepEqual(document.widgets[0].query, {
    table: "fact_value_by_decile",
    columns: [{ column: "decile" }, { column: "total", aggregate: "sum" }],
    where: [{ column: "measure", op: "in", values: ["revenue"] }],
    order: [{ column: "decile" }],
    limit: 1000,
  });
  await site.done(page);
});

test("columns of a joined table come with their join, and go with it", async () => {
  const widget = { ...bars("w", { x: 0, y: 0, w: 6, h: 4 }), query: { table: "customer_value", columns: [] }, encode: {} };
  const document = { title: "Joined", widgets: [{ ...widget, query: { table: "customer_value", columns: [{ aggregate: "count" }] }, encode: { value: "rows" }, mark: "number" }] };
  const page = await composer("joined", document, { widget: "w" });
  await page.getByRole("button", { name: "Bars", exact: true }).click();
  await page.getByText("dim_customer dimension, joined by customer, where is_current").click();
  await pick(page, "Put country on", "X axis");
  await page.getByRole("tab", { name: "SQL that runs" }).click();
  await page.getByText("LEFT JOIN").waitFor();
  await page.getByRole("tab", { name: /Data/ }).click();
  const expected = await site.sql(
    "SELECT country, count(*) AS n FROM customer_value LEFT JOIN dim_customer ON dim_customer.customer = customer_value.customer AND is_current GROUP BY 1 ORDER BY 1 NULLS LAST",
  );
  await page.getByRole("tab", { name: `Data (${expected.length})` }).waitFor();
  await settled(page);
  const rows = await tableRows(page.locator(".compose-middle table"));
  assert.deepEqual(rows.map((row) => [row.country, Number(row.rows)]), expected.map((row) => [row.country ?? "–", row.n]));
  await page.getByRole("button", { name: "Take country off X axis" }).click();
  await page.getByRole("tab", { name: "SQL that runs" }).click();
  await page.waitForFunction(() => !document.querySelector(".compose-middle pre")?.textContent.includes("JOIN"));
  await site.done(page);
});

test("a guided widget goes on in SQL, which tells its errors with their place", async () => {
  const page = await composer("to_sql", { title: "To SQL", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] }, { widget: "w", allow: /400/ });
  const before = await tableRows(page.locator(".compose-middle table"));
  await page.getByRole("button", { name: "Go on in SQL" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Go on in SQL" }).click();
  const area = page.getByRole("textbox", { name: "SQL of the widget" });
  await settled(page);
  assert.deepEqual(await tableRows(page.locator(".compose-middle table")), before);
  assert.equal(await page.getByLabel("Value of $p1").inputValue(), "revenue");

  await area.fill("SELECT decile, count(*) AS n\nFRM fact_value_by_decile WHERE measure = $measure GROUP BY decile");
  await page.getByText("not run yet").waitFor();
  await page.getByLabel("Value of $measure").fill("miles");
  await area.press("Control+Enter");
  await page.locator(".compose-picture .failed-box").getByText("E2117").waitFor();
  assert.equal(await page.locator(".compose-picture .chart").count(), 1, "the last good picture stays");
  await page.getByRole("button", { name: /Go to line 2, column/ }).click();
  await becomes(() => area.evaluate((element) => element.value.slice(0, element.selectionStart).split("\n").length), 2);

  await area.fill("SELECT decile, count(*) AS n FROM fact_value_by_decile WHERE measure = $measure GROUP BY decile");
  await area.press("Tab");
  await becomes(async () => (await area.inputValue()).endsWith("decile  "), true);
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("button", { name: "Take total off Y axis" }).click();
  await pick(page, "Put a column on Y axis", "n");
  await settled(page);
  const expected = await site.sql("SELECT decile, count(*) AS n FROM fact_value_by_decile WHERE measure = 'miles' GROUP BY decile");
  const rows = await tableRows(page.locator(".compose-middle table"));
  const sorted = (list) => list.sort(([a], [b]) => a - b);
  assert.deepEqual(sorted(rows.map((row) => [Number(row.decile), Number(row.n)])), sorted(expected.map((row) => [row.decile, row.n])));
  await area.focus();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  // Nobody is held in the field.
  await page.waitForFunction(() => document.activeElement?.tagName !== "TEXTAREA");
  await site.done(page);
});

test("widgets move and grow by keyboard and by pointer, and undo brings them back", async () => {
  const document = { title: "Layout", widgets: [bars("a", { x: 0, y: 0, w: 6, h: 4 }), bars("b", { x: 6, y: 0, w: 6, h: 4 })] };
  const page = await composer("layout", document);
  const handle = page.getByRole("button", { name: /^Move Value a/ });
  await handle.focus();
  await page.keyboard.press("ArrowRight");
  await page.getByText("column 2, row 1, 6 wide, 4 high").waitFor({ state: "attached" });
  await page.keyboard.press("Shift+ArrowDown");
  const [first, moved] = [
    { a: "1 / span 6 / 1 / span 4", b: "7 / span 6 / 1 / span 4" },
    { a: "2 / span 6 / 1 / span 5", b: "7 / span 6 / 6 / span 4" },
  ];
  const lie = (where) => becomes(() => places(page), where);
  await lie(moved);
  assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /^Move Value a/, "the focus stays");
  await page.keyboard.press("Control+z");
  await lie(first);
  await page.keyboard.press("Control+Shift+z");
  await lie(moved);
  await page.keyboard.press("Control+z");
  await lie(first);

  const box = await page.getByRole("button", { name: /^Move Value b/ }).boundingBox();
  await page.mouse.move(box.x + 4, box.y + 4);
  await page.mouse.down();
  await page.mouse.move(box.x - 500, box.y + 10, { steps: 4 });
  await page.mouse.up();
  await lie({ a: "1 / span 6 / 5 / span 4", b: "3 / span 6 / 1 / span 4" });
  const corner = await page.getByRole("button", { name: /^Resize Value b/ }).boundingBox();
  await page.mouse.move(corner.x + 4, corner.y + 4);
  await page.mouse.down();
  await page.mouse.move(corner.x + 2000, corner.y + 80, { steps: 4 });
  await page.mouse.up();
  await lie({ a: "1 / span 6 / 6 / span 4", b: "3 / span 10 / 1 / span 5" });

  await page.getByRole("button", { name: "Duplicate Value a" }).click();
  await page.getByRole("button", { name: "Delete Value b" }).click();
  await page.getByRole("button", { name: "Close gaps" }).click();
  await becomes(async () => Object.keys(await places(page)).sort(), ["a", "a_2"]);
  await becomes(async () => (await places(page)).a, "1 / span 6 / 1 / span 4");
  await site.done(page);
});

test("a filter of the dashboard is made, taken by a widget, and tried", async () => {
  const document = { title: "Filtered", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] };
  const page = await composer("filtered", document);
  await page.getByRole("tab", { name: "Filters (0)" }).click();
  await page.getByRole("button", { name: "Add a filter" }).click();
  await page.getByLabel("Name", { exact: true }).fill("measure");
  await page.getByLabel("Table", { exact: true }).selectOption("fact_value_by_decile");
  await page.getByLabel("Column", { exact: true }).selectOption("measure");
  const measures = await site.sql("SELECT DISTINCT measure FROM fact_value_by_decile ORDER BY 1");
  await page.getByText(`There are ${measures.length} values: ${measures[0].measure}`).waitFor();
  await page.getByRole("tab", { name: "Widgets" }).click();
  await page.getByRole("button", { name: "Edit Value w" }).click();
  await page.getByLabel("With what measure is compared").selectOption({ label: "the filter measure" });
  await page.getByRole("region", { name: "Filters", exact: true }).first().getByLabel("measure").selectOption("miles");
  const expected = await site.sql("SELECT decile, sum(total) AS total FROM fact_value_by_decile WHERE measure = 'miles' GROUP BY decile ORDER BY decile");
  const first = String(expected[0].total);
  await page.locator(".compose-middle table").getByText(first).first().waitFor();
  await settled(page);
  const rows = await tableRows(page.locator(".compose-middle table"));
  assert.deepEqual(rows.map((row) => Object.values(row).map(Number)), expected.map((row) => [row.decile, row.total]));
  await site.done(page);
});

test("what is downloaded as YAML is what the server reads", async () => {
  const sql = "SELECT 1 AS a,\n  'it''s: \"x\" # y' AS b\n\nWHERE true\n";
  const odd = { ...bars("sql", { x: 6, y: 0, w: 6, h: 4 }), query: undefined, sql, parameters: {}, mark: "table", encode: { y: ["a", "b"] }, title: "- yes: [no]", describe: "Ünïcode, “quotes”\nand lines." };
  const where = [{ column: "dimension_value", op: "not_in", values: [null, "no", "1", "true"] }];
  const guided = bars("guided", { x: 0, y: 0, w: 6, h: 4 });
  const document = { title: "YAML", widgets: [{ ...guided, query: { ...guided.query, where } }, odd] };
  const page = await composer("yaml", document);
  const file = await saved(page, () => page.getByRole("button", { name: "YAML" }).click());
  assert.equal(file.name, "yaml.yaml");
  const there = await site.get("/v1/dashboards/yaml");
  const again = await put("yaml_again", { yaml: file.content.toString(), draft: false, base: null });
  assert.deepEqual(again.document, there.document);
  await site.done(page);
});

test("a widget is made with the keyboard alone", async () => {
  const page = await site.open("#/compose/new");
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Goes on with Tab until the focus is on what has this name. */
  const tabTo = async (name) => {
    for (let i = 0; i < 150; i += 1) {
      await page.keyboard.press("Tab");
      const found = await page.evaluate(() => {
        const element = document.activeElement;
        return element.ariaLabel ?? element.labels?.[0]?.textContent ?? element.textContent;
      });
      if (name.test(found.trim())) return;
    }
    assert.fail(`Tab never comes to ${name}`);
  };
  await tabTo(/^Title$/);
  await page.keyboard.type("By keyboard");
  await press("Enter");
  await page.getByRole("button", { name: "Add a widget" }).waitFor();
  await tabTo(/^Add a widget$/);
  await press("Enter");
  await page.getByRole("heading", { level: 2, name: "widget" }).waitFor();
  // The focus goes along.
  await page.waitForFunction(() => document.activeElement?.tagName === "H2");
  await tabTo(/^Choose a table$/);
  await press("Enter");
  await page.getByRole("dialog", { name: "Choose a table" }).waitFor();
  await tabTo(/^Use customer_value$/);
  await press("Enter");
  // The focus comes back to where it was.
  await page.waitForFunction(() => document.activeElement.textContent === "Choose another");
  await tabTo(/^Put a column on X axis$/);
  await press("Enter");
  await page.getByRole("dialog", { name: "Put a column on X axis" }).waitFor();
  await page.keyboard.type("decile_clv_12m");
  await press("Enter");
  await page.getByRole("button", { name: "Take decile_clv_12m off X axis" }).waitFor();
  await tabTo(/^Put a column on Y axis$/);
  await press("Enter");
  await page.getByRole("dialog", { name: "Put a column on Y axis" }).waitFor();
  await page.keyboard.type("clv_12m");
  await press("ArrowDown", "ArrowDown", "ArrowUp", "Enter");
  await page.getByRole("button", { name: /^Take clv_12m off Y axis/ }).waitFor();
  await tabTo(/Big number$/);
  await press("Space");
  const [{ total }] = await site.sql("SELECT sum(clv_12m) AS total FROM customer_value");
  await page.waitForFunction((sum) => {
    const title = document.querySelector(".figure-number")?.title ?? "";
    return Math.abs(Number(title.replace(/,/g, "")) - sum) < 1;
  }, total);
  // It does not group any more.
  await page.getByRole("group", { name: "Also in the answer" }).getByText("decile_clv_12m").waitFor({ state: "detached" });
  await page.context().close();
});

test("a column is dragged to its place", async () => {
  const widget = bars("w", { x: 0, y: 0, w: 6, h: 4 });
  widget.query.where[0].value = "revenue_by_country";
  const page = await composer("dragged", { title: "Dragged", widgets: [widget] }, { widget: "w" });
  await page.locator(".compose-column-groups li", { hasText: "lookback" }).dragTo(page.getByRole("group", { name: "Colour" }));
  await page.getByRole("button", { name: "Take lookback off Colour" }).waitFor();
  await settled(page);
  const lookbacks = await site.sql("SELECT DISTINCT lookback FROM fact_value_by_decile WHERE measure = 'revenue_by_country'");
  for (const { lookback } of lookbacks) await page.locator(".chart-drawn text", { hasText: new RegExp(`^${lookback}$`) }).first().waitFor();
  await site.done(page);
});

test("what a widget looks like and what a click does is written into the document", async () => {
  const document = {
    title: "Properties",
    filters: [{ name: "decile", control: "number" }],
    widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 }), { ...bars("n", { x: 6, y: 0, w: 3, h: 2 }), mark: "number", encode: { value: "total" } }],
  };
  await put("properties_target", { document: { title: "Target", filters: [{ name: "tile", control: "number" }], widgets: [] }, draft: false, base: null });
  const page = await composer("properties", document, { widget: "w" });
  await page.getByLabel("Place of the legend").selectOption("top");
  await page.getByLabel("Title of the x axis").fill("Decile");
  await page.getByLabel("Horizontal").check();
  await page.getByLabel("Sort by").selectOption("total");
  await page.getByRole("region", { name: "How it looks" }).getByLabel("Largest first").check();
  await page.getByRole("group", { name: "total" }).getByLabel("total").selectOption("money");
  await page.getByLabel("Currency").fill("eur");
  await page.getByRole("group", { name: "total" }).getByLabel("Digits").fill("0");
  await page.getByLabel("A click leads to").selectOption("properties_target");
  await page.getByRole("region", { name: "Clicks" }).getByLabel("tile").selectOption("decile");
  await page.getByRole("region", { name: "Clicks" }).getByLabel("decile", { exact: true }).selectOption("decile");
  await page.getByLabel("Snapshot of this widget").selectOption("3");
  await page.getByRole("button", { name: "← All widgets" }).click();
  await page.getByRole("button", { name: "Edit Value n" }).click();
  await page.getByLabel("Compare with the snapshot before").check();
  await page.locator(".figure-change").waitFor();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("The draft is saved").waitFor();
  const [w, n] = (await site.get("/v1/dashboards/properties?draft=true")).document.widgets;
  assert.deepEqual(w.options, { legend: "top", x_title: "Decile", horizontal: true, sort: { column: "total", descending: true } });
  assert.deepEqual(w.format, { total: { kind: "money", currency: "EUR", digits: 0 } });
  assert.deepEqual(w.drill, { dashboard: "properties_target", pass: { tile: "decile" } });
  assert.deepEqual(w.cross_filter, { decile: "decile" });
  assert.deepEqual([w.snapshot, n.compare], [3, "previous"]);
  await site.done(page);
});

test("who may not write is told why, and takes the YAML along", async () => {
  const page = await composer("read_only", { title: "Read only", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] });
  await page.route("**/v1/dashboards", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), writable: false } });
  });
  await page.reload();
  await page.getByRole("note").getByText("Nothing can be saved from here").waitFor();
  await page.getByRole("button", { name: "Delete Value w" }).click();
  await page.getByRole("button", { name: "Delete Value w" }).waitFor({ state: "detached" });
  for (const name of [/^Save draft/, /^Publish/]) {
    const button = page.getByRole("button", { name });
    assert.equal(await button.getAttribute("aria-disabled"), "true");
    assert.match(await button.innerText(), /nothing can be saved from here/);
  }
  const file = await saved(page, () => page.getByRole("button", { name: "YAML" }).click());
  assert.equal(file.content.toString(), 'title: Read only\nwidgets: []\n');
  await page.context().close();
});

test("at the width of a small window nothing of the composer is beyond the edge", async () => {
  const document = { title: "Small", widgets: [bars("w", { x: 0, y: 0, w: 6, h: 4 })] };
  await put("small", { document, draft: false, base: null });
  for (const hash of ["#/compose/small", "#/compose/small?widget=w"]) {
    const page = await site.open(hash, { width: 480, height: 800 });
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(beyond <= 0, `${hash} is ${beyond} pixels too wide`);
    await site.done(page);
  }
});

for (const theme of ["light", "dark"]) {
  test(`axe has nothing serious to say about the composer in ${theme}`, async () => {
    const page = await site.open("#/compose/overview", { theme });
    await page.getByRole("button", { name: "Make a copy" }).click();
    await page.getByRole("button", { name: "Add a widget" }).waitFor();
    await settled(page);
    assert.deepEqual(await seriousFindings(page), []);
    for (const tab of [/Filters/, "Title and snapshot"]) {
      await page.getByRole("tab", { name: tab }).click();
      await settled(page);
      assert.deepEqual(await seriousFindings(page), []);
    }
    await page.getByRole("tab", { name: "Widgets" }).click();
    await page.getByRole("button", { name: "Edit Value by decile, and its share of all" }).click();
    await settled(page);
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByRole("button", { name: "← All widgets" }).click();
    await page.getByRole("button", { name: "Add a widget" }).click();
    await page.getByRole("button", { name: "Choose a table" }).click();
    await page.getByRole("button", { name: "Use customer_value" }).waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByRole("button", { name: "Use customer_value" }).click();
    await page.getByRole("button", { name: "Choose another" }).waitFor();
    await settled(page);
    assert.deepEqual(await seriousFindings(page), []);
    await page.context().close();
  });
}
