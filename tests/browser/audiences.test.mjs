// Audiences from end to end: what the pages say of them is what SQL says, and the builder makes, counts and saves one,
// by the keyboard and by the pointer. Customers, campaigns and deliveries show what the snapshot and the ledger have.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { begin, saved, seriousFindings, settled, tableRows } from "./harness.mjs";

let site;
before(async () => (site = await begin()));
after(() => site?.end());

const whole = (text) => Number(text.replaceAll(",", ""));
const table = (page, caption) => page.locator("table", { has: page.locator("caption", { hasText: caption }) });

/** The count beside the canvas, once it is that of the rule as it is now. */
async function members(page) {
  await page.waitForFunction(() => document.querySelector(".count-panel")?.getAttribute("aria-busy") === "false");
  return Number(await page.locator("[data-members]").getAttribute("data-members"));
}

/** Waits until the rule in the builder is this one. */
async function isRule(page, rule) {
  const read = () => page.getByLabel("The rule as a text").inputValue();
  await page
    .waitForFunction((expected) => document.querySelector("textarea.rule-text")?.value === expected, rule)
    .catch(async () => assert.equal(await read(), rule));
}

/** Waits until the handle of a rule has the focus. */
async function isFocused(page, name) {
  const label = `Move with the arrow keys: ${name}`;
  await page.waitForFunction((expected) => document.activeElement?.getAttribute("aria-label") === expected, label);
}

async function counted(text) {
  const answer = await fetch(`${site.api}/v1/audiences:count`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text, sample: 0 }),
  });
  assert.ok(answer.ok, text);
  return (await answer.json()).members;
}

test("the list has the members that the tables have, and whom two audiences have in common", async () => {
  const page = await site.open("#/audiences");
  const rows = await tableRows(table(page, "audiences of snapshot"));
  const known = await site.sql(
    "SELECT audience, count(*) AS members FROM audience_member GROUP BY audience ORDER BY audience",
  );
  const shown = rows.map((row) => [row.Audience, whole(row.Members)]).sort();
  assert.deepEqual(
    shown,
    known.map((row) => [row.audience, row.members]),
  );
  const pairs = await tableRows(table(page, "in common"));
  const shared = await site.sql(
    "SELECT a.audience AS one, b.audience AS other FROM audience_member AS a JOIN audience_member AS b ON b.customer = a.customer AND a.audience < b.audience GROUP BY a.audience, b.audience ORDER BY one, other",
  );
  assert.deepEqual(
    pairs.map((pair) => [pair.One, pair.Other]).sort(),
    shared.map((pair) => [pair.one, pair.other]),
  );
  for (const pair of pairs) {
    const [{ common }] = await site.sql(
      "SELECT count(*) AS common FROM audience_member AS a JOIN audience_member AS b USING (customer) WHERE a.audience = $one AND b.audience = $other",
      { one: pair.One, other: pair.Other },
    );
    assert.equal(whole(pair["In both"]), common);
  }
  await site.done(page);
});

test("an audience shows its rule in words, its members by tile, and exports all of them", async () => {
  const page = await site.open("#/audiences/at_risk");
  await page.getByText("p_alive is less than 0.7").waitFor();
  const rows = await tableRows(table(page, "Members by decile_clv_12m"));
  const known = await site.sql(
    "SELECT v.decile_clv_12m AS tile, count(*) AS members FROM audience_member AS m JOIN customer_value AS v USING (customer) WHERE m.audience = 'at_risk' GROUP BY 1 ORDER BY 1",
  );
  const shown = rows.filter((row) => whole(row.Members) > 0).map((row) => [whole(row.Tile), whole(row.Members)]);
  assert.deepEqual(
    shown,
    known.map((row) => [row.tile, row.members]),
  );
  await page.getByRole("button", { name: "Export members" }).click();
  await page.getByLabel("p_alive").check();
  const file = await saved(page, () => page.getByRole("button", { name: "Export CSV" }).click());
  assert.equal(file.name, "at_risk.csv");
  const lines = file.content.toString().trim().split(/\r?\n/);
  assert.equal(lines[0], "customer,holdout,priority,p_alive");
  assert.equal(
    lines.length - 1,
    known.reduce((sum, row) => sum + row.members, 0),
  );
  await site.done(page);
});

test("a new audience is put together by the keyboard alone, counted, and saved", async () => {
  const page = await site.open("#/audiences/new");
  const add = async (name) => {
    await page.getByRole("button", { name: "+ Add a rule" }).first().press("Enter");
    await page.waitForFunction(() => document.activeElement?.matches("dialog input"));
    await page.keyboard.type(name);
    const offer = page.getByRole("dialog").getByRole("button", { name: new RegExp(`^${name} `) });
    await offer.first().press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  };
  await add("country");
  await isFocused(page, "country is one of ");
  await page.getByLabel("Spain").press("Space");
  await page.getByLabel("Italy").press("Space");
  await add("p_alive");
  await page.getByLabel("How p_alive is compared").selectOption("<");
  await page.getByLabel("Value, p_alive").fill("0.8");
  const rule = "all(country in ('Spain', 'Italy'), p_alive < 0.8)";
  await isRule(page, rule);
  const expected = await site.sql(
    "SELECT count(*) AS n FROM customer_value AS v JOIN dim_customer AS d ON d.customer = v.customer AND d.is_current WHERE d.country IN ('Spain', 'Italy') AND v.p_alive < 0.8",
  );
  assert.equal(await members(page), expected[0].n);
  assert.deepEqual(await seriousFindings(page), []);

  await page.getByLabel("Consent").selectOption("email_consent");
  const withConsent = await counted(`all(${rule}, dim_customer.email_consent = true)`);
  await page.waitForFunction(
    (n) => document.querySelector("[data-members]")?.getAttribute("data-members") === String(n),
    withConsent,
  );
  assert.ok(withConsent < expected[0].n);

  await page.getByLabel("Name of the audience").fill("sunny");
  await page.getByRole("button", { name: "Save", exact: true }).press("Enter");
  await page.getByText("Saved as audiences/sunny.yaml").waitFor();
  assert.equal(
    readFileSync(join(site.project, "audiences", "sunny.yaml"), "utf8"),
    `rule:
  all:
    - {column: country, op: in, values: [Spain, Italy]}
    - {column: p_alive, op: "<", value: 0.8}
consent: {attribute: email_consent}
`,
  );
  await site.done(page);
});

test("rules are moved by arrow keys and by the pointer, and changes are undone", async () => {
  const page = await site.open("#/audiences/new");
  const text = page.getByLabel("The rule as a text");
  await text.fill("all(frequency > 1, any(p_alive < 0.5, decile_clv_12m <= 3), events > 2)");
  const grip = (name) => page.getByRole("button", { name: `Move with the arrow keys: ${name}` });
  await grip("frequency is more than 1").press("ArrowRight");
  const inside = "all(any(frequency > 1, p_alive < 0.5, decile_clv_12m <= 3), events > 2)";
  await isRule(page, inside);
  await isFocused(page, "frequency is more than 1");
  assert.equal(await members(page), await counted(inside));
  // The focus stays with the rule, so that it can be moved further.
  await page.keyboard.press("ArrowLeft");
  await isRule(page, "all(any(p_alive < 0.5, decile_clv_12m <= 3), frequency > 1, events > 2)");

  const from = await grip("p_alive is less than 0.5").boundingBox();
  const to = await page.getByRole("button", { name: "+ Add a rule" }).last().boundingBox();
  await page.mouse.move(from.x + 8, from.y + 8);
  await page.mouse.down();
  await page.mouse.move(from.x + 20, from.y + 60, { steps: 4 });
  await page.mouse.move(to.x, to.y - 2, { steps: 8 });
  await page.mouse.up();
  await isRule(page, "all(any(decile_clv_12m <= 3), frequency > 1, events > 2, p_alive < 0.5)");

  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await isRule(page, "all(any(p_alive < 0.5, decile_clv_12m <= 3), frequency > 1, events > 2)");
  await page.getByRole("button", { name: "More for: p_alive is less than 0.5" }).click();
  await page.getByRole("menuitem", { name: "Put into “none of these holds”" }).click();
  await isRule(
    page,
    "all(any(none(p_alive < 0.5), decile_clv_12m <= 3), frequency > 1, events > 2)",
  );
  await text.fill("all(p_alive < 0.5, ");
  await page.getByText("Character 20: a rule was expected, and there is the end.").waitFor();
  await site.done(page);
});

test("an audience is edited as its file has it, and not over a file that somebody else changed", async () => {
  const page = await site.open("#/audiences/south/edit", { allow: /409/ });
  const text = "all(country in ('Spain', 'Italy', 'Portugal'), count(events activity last 3 months) >= 1)";
  await isRule(page, text);
  assert.equal(await members(page), await counted(text));
  await page.getByLabel("Number of months").fill("1");
  const file = await (await fetch(`${site.api}/v1/audiences/south/file`)).json();
  const other = await fetch(`${site.api}/v1/audiences/south`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ yaml: `${file.yaml}priority: 7\n`, base: file.hash }),
  });
  assert.ok(other.ok, await other.text());
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator(".failed-box").waitFor();
  const kept = readFileSync(join(site.project, "audiences", "south.yaml"), "utf8");
  assert.match(kept, /priority: 7/);
  await site.done(page);
});

test("a customer is found by their address, and shown as each snapshot had them", async () => {
  const [one] = await site.sql(
    "SELECT customer, email FROM dim_customer WHERE is_current AND country = 'Spain' ORDER BY customer LIMIT 1",
  );
  const page = await site.open("#/customers");
  await page.getByLabel("Find a customer").fill(one.email.toUpperCase());
  await page.getByRole("link", { name: one.customer }).click();
  await page.getByRole("heading", { name: `Customer ${one.customer}` }).waitFor();
  await settled(page);
  const rows = await tableRows(table(page, "up to this one"));
  const snapshots = await site.get("/v1/snapshots");
  for (const row of rows) {
    const [then] = await site.sql(
      "SELECT decile_clv_12m, p_alive FROM customer_value WHERE customer = $key",
      { key: one.customer },
      row.Snapshot,
    );
    assert.equal(row.decile_clv_12m, String(then.decile_clv_12m ?? "–"));
    assert.equal(row.p_alive, `${(then.p_alive * 100).toFixed(1)}%`);
  }
  assert.equal(rows.length, snapshots.snapshots.length);
  const audiences = await tableRows(table(page, "Audiences"));
  const known = await site.sql("SELECT audience FROM audience_member WHERE customer = $key ORDER BY audience", {
    key: one.customer,
  });
  assert.deepEqual(
    audiences.filter((row) => row.Status === "in it").map((row) => row.Audience),
    known.map((row) => row.audience),
  );
  await site.done(page);
});

test("a campaign shows its funnel and its report as the server has them", async () => {
  const [{ campaign }] = await site.sql("SELECT campaign FROM dim_campaign ORDER BY campaign LIMIT 1");
  const page = await site.open(`#/campaigns/${campaign}?by=decile`);
  const { lines } = await site.get(`/v1/campaigns/${campaign}/report?by=decile`);
  const rows = await tableRows(table(page, "Customers count with their first send"));
  assert.deepEqual(
    rows.map((row) => [row.Customers, row.Opens].map(whole)),
    lines.map((line) => [line.customers, line.opens]),
  );
  const stages = page.locator("figure", { hasText: "Table" }).first();
  await stages.getByRole("button", { name: "Table" }).click();
  const [line] = (await site.get(`/v1/campaigns/${campaign}/report`)).lines;
  const funnel = (await tableRows(stages.locator("table"))).map((row) => whole(row.count));
  assert.deepEqual(funnel, [line.sent, line.delivered, line.openers, line.clickers, line.purchasers]);
  await site.done(page);
});

test("a delivery shows what the next one would send, and the rows of the last one", async () => {
  const page = await site.open("#/deliveries/winback");
  await page.getByRole("button", { name: "Plan it" }).click();
  const who = table(page, "Who is sent");
  await who.waitFor();
  const [{ n }] = await site.sql("SELECT count(*) AS n FROM audience_member WHERE audience = 'at_risk'");
  const [{ held }] = await site.sql(
    "SELECT count(*) AS held FROM audience_member WHERE audience = 'at_risk' AND holdout = 'control'",
  );
  const counts = Object.fromEntries((await tableRows(who)).map((row) => [row.Members, whole(row["How many"])]));
  assert.equal(counts.members, n);
  assert.equal(counts["held out"], held);
  const { rows } = await site.get("/v1/deliveries/winback/rows?limit=100");
  const shown = await tableRows(table(page, "by their place in the plan"));
  assert.deepEqual(
    shown.map((row) => row.Customer),
    rows.map((row) => row.customer),
  );
  await site.done(page);
});
