// Operations in the page: a run from its plan to its end, one that fails and is tried again, one that is cancelled,
// schedules, backfills, workers, snapshots; what is said without a coordinator and without a role. What the page shows
// is compared with what the server answers.
import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { becomes, begin, ended, settled, tableRows } from "./harness.mjs";

let site;
before(async () => {
  // Nights read files by their whole path, so a copy of a prepared project can be looked at and not go on.
  delete process.env.TENFOLD_FIXTURE;
  site = await begin();
});
after(() => site?.end());

/** Nights take long on a machine that has much to do. */
const NIGHT = { timeout: 300_000 };

const endOf = (run) => ended(() => site.get(`/v1/runs/${run}`));
const number = (value) => new Intl.NumberFormat("en").format(value);
const dialog = (page) => page.getByRole("dialog");
const idOf = (page) => decodeURIComponent(/#\/[a-z]+\/([^/?]+)/.exec(page.url())[1]);

/** What the server would answer instead. */
const refused = (status, problem) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ status, ...problem }) });

/** Presses a button and the same one in the dialog that asks again. */
async function confirmed(page, name) {
  await page.getByRole("button", { name, exact: true }).click();
  await dialog(page).getByRole("button", { name, exact: true }).click();
  await dialog(page).waitFor({ state: "detached" });
}

async function chooseTab(page, name) {
  await page.getByRole("tab", { name }).click();
  await page.getByRole("tab", { name, selected: true }).waitFor();
  await settled(page);
}

test("the quality of the newest snapshot is that of SQL", async () => {
  const page = await site.open("#/operations");
  await page.getByRole("heading", { name: /^Data quality: snapshot/ }).waitFor();
  const holdout = await site.sql("SELECT model, predicted_to_actual AS ratio FROM fact_model_quality WHERE frequency IS NULL ORDER BY model");
  const card = page.locator(".card", { hasText: "Holdout" });
  const ratios = (await tableRows(card.locator("table"))).map((row) => [row.Model, row.Ratio]);
  assert.deepEqual(ratios, holdout.map((row) => [row.model, `${(row.ratio * 100).toFixed(1)}%`]));
  const [drift] = await site.sql("SELECT COUNT(psi) AS n, SUM(CASE WHEN exceeded THEN 1 ELSE 0 END) AS beyond FROM fact_drift WHERE kind = 'distribution'");
  await page.getByText(`${number(drift.beyond)} of ${number(drift.n)} distributions beyond their threshold`).waitFor();
  await site.done(page);
});

test("a run is planned, submitted and followed to its end", async () => {
  const plan = await site.post("/v1/plan", { as_of: "2026-03-07" });
  const page = await site.open("#/runs");
  await page.evaluate(() => {
    // All that the live regions of the frame ever said.
    globalThis.said = [];
    const watch = new MutationObserver(() => globalThis.said.push(...[...document.querySelectorAll('[aria-live="polite"]')].map((region) => region.textContent)));
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await page.getByRole("button", { name: "Submit a run" }).click();
  await dialog(page).getByLabel("As of").fill("2026-03-07");
  await dialog(page).getByRole("button", { name: "Show the plan" }).click();
  await dialog(page).getByText(plan.plan_hash.slice(0, 16)).waitFor();
  assert.equal(await dialog(page).locator("dt:has-text('Files reused') + dd").textContent(), number(plan.reused_files));
  const reads = await tableRows(dialog(page).locator("table"));
  assert.deepEqual(reads.map((read) => [read.Source, read.Files]), plan.reads.map((read) => [read.source, number(read.files)]));
  await dialog(page).getByRole("button", { name: "Submit this plan" }).click();
  await page.locator(".standing", { hasText: "It published snapshot" }).waitFor(NIGHT);

  const run = await site.get(`/v1/runs/${idOf(page)}`);
  assert.equal(run.plan_hash, plan.plan_hash);
  assert.equal(await page.locator(".standing").innerText(), `✓ succeeded It published snapshot ${run.snapshot}.`);
  await page.waitForFunction((words) => globalThis.said.some((text) => text.includes(words)), `Run succeeded. It published snapshot ${run.snapshot}.`);

  await page.getByRole("columnheader", { name: "Reads" }).waitFor();
  const record = (await site.get("/v1/run-records")).runs.find((one) => one.run === run.run);
  const steps = await tableRows(page.locator("table"));
  assert.deepEqual(
    steps.map((step) => [step.Step.replace(/ \(.*/, ""), step.Reads, step.Writes, step.Listings, step.Removals]),
    record.steps.map((step) => [step.step, ...[step.get, step.put, step.list, step.delete].map(number)]),
  );

  await chooseTab(page, "Rows and reuse");
  const rows = await tableRows(page.locator("table").first());
  assert.deepEqual(rows.map((row) => [row.Source, row.Read]), Object.entries(record.summary.rows).map(([source, { read }]) => [source, number(read)]));
  await chooseTab(page, "Tasks");
  const { tasks } = await site.get(`/v1/runs/${run.run}/tasks`);
  assert.match(await page.locator("caption").first().textContent(), new RegExp(`^${tasks.length} of ${tasks.length} tasks?$`));
  await chooseTab(page, "Story");
  const { events } = await site.get(`/v1/runs/${run.run}/events`);
  const told = await tableRows(page.locator("table"));
  assert.deepEqual(told.map((event) => event.What), events.map((event) => event.message).reverse());
  await site.done(page);
});

test("closing stops a question about the plan, and waits for the answer of a submission", async () => {
  const page = await site.open("#/runs", { allow: /409/ });
  await page.route("**/v1/plan", () => {});
  await page.getByRole("button", { name: "Submit a run" }).click();
  await dialog(page).getByRole("button", { name: "Show the plan" }).click();
  await dialog(page).getByText("The server looks at the sources.").waitFor();
  const stopped = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/v1/plan"));
  await page.keyboard.press("Escape");
  await stopped;
  await dialog(page).waitFor({ state: "detached" });

  await page.unroute("**/v1/plan");
  let answer;
  const answered = new Promise((resolve) => (answer = resolve));
  const moved = refused(409, { code: "E2302", title: "The plan is not the one that was looked at", detail: "the inputs moved meanwhile", remedy: "plan again" });
  await page.route("**/v1/runs", async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    await answered;
    await route.fulfill(moved);
  });
  await page.getByRole("button", { name: "Submit a run" }).click();
  await dialog(page).getByRole("button", { name: "Show the plan" }).click();
  await dialog(page).getByRole("button", { name: "Submit this plan" }).click();
  await dialog(page).getByText("The run is being submitted.").waitFor();
  for (const name of ["Close", /^Cancel/]) {
    assert.equal(await dialog(page).getByRole("button", { name }).getAttribute("aria-disabled"), "true");
  }
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  answer();
  // What came of it is told where it was asked, and the dialog can be closed again.
  await dialog(page).getByText("the inputs moved meanwhile").waitFor();
  assert.equal(await dialog(page).getByRole("button", { name: "Submit this plan" }).count(), 0);
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await site.done(page);
});

test("a run that fails says why, what the code means, and is tried again", async () => {
  const file = join(site.project, "activity/activity-2023-10.parquet");
  renameSync(file, `${file}.away`);
  const { run } = await site.post("/v1/runs", { as_of: "2026-03-08" });
  const failed = await endOf(run.run);
  renameSync(`${file}.away`, file);
  assert.equal(failed.problem.code, "E1106");

  const page = await site.open("#/runs?state=failed");
  await page.getByRole("link", { name: run.run }).click();
  await page.locator(".failed-box").waitFor();
  const box = await page.locator(".failed-box").innerText();
  assert.ok(box.includes(failed.problem.message), box);
  assert.ok(box.includes(failed.problem.remedy.replaceAll("`", "")), box);
  await page.getByRole("button", { name: "E1106: what it means" }).click();
  await dialog(page).getByRole("heading", { name: "E1106: An input file is gone" }).waitFor();
  await dialog(page).getByRole("heading", { name: "What to do" }).waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "E1106: what it means");

  await confirmed(page, "Retry run");
  await page.locator(".standing", { hasText: "It published snapshot" }).waitFor(NIGHT);
  assert.equal((await site.get(`/v1/runs/${run.run}`)).try, 2);
  await site.done(page);
});

test("a run that waits is cancelled, with a reason", async () => {
  const days = ["2026-03-09", "2026-03-10", "2026-03-11", "2026-03-12"];
  const runs = [];
  for (const as_of of days) runs.push((await site.post("/v1/runs", { as_of })).run.run);
  const last = runs.at(-1);
  const page = await site.open(`#/runs/${last}`);
  await page.getByRole("button", { name: "Cancel run" }).click();
  await dialog(page).getByLabel("Reason").fill("one night is enough");
  await dialog(page).getByRole("button", { name: "Cancel run" }).click();
  await page.locator(".standing", { hasText: "It was stopped and published nothing." }).waitFor(NIGHT);
  await page.locator(".partial", { hasText: /^Cancelled by .*: one night is enough$/ }).waitFor();
  assert.equal((await site.get(`/v1/runs/${last}`)).state, "cancelled");
  assert.equal(await page.getByRole("button", { name: "Retry run (only a run that failed or timed out can be tried again)" }).getAttribute("aria-disabled"), "true");
  for (const run of runs.slice(0, -1)) assert.equal((await endOf(run)).state, "succeeded");
  await site.done(page);
});

test("a schedule shows when it fires, is paused, goes on, and runs out of turn", async () => {
  await site.post("/v1/schedules", { spec: "schedule: nightly\ncron: 30 2 * * *\nzone: Europe/Berlin\n" });
  const { firings } = await site.post("/v1/schedule-previews", { schedule: "nightly", limit: 10 });
  const page = await site.open("#/schedules/nightly");
  const shown = await tableRows(page.locator("table").first());
  assert.deepEqual(
    shown.map((row) => [row["Europe/Berlin"], row.UTC]),
    firings.map((firing) => [`${firing.local.slice(0, 16).replace("T", " ")} ${firing.offset}`, `${firing.utc.slice(0, 19).replace("T", " ")} UTC`]),
  );
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await dialog(page).getByLabel("Until (UTC)").fill("2099-12-01T10:00");
  await dialog(page).getByLabel("Reason").fill("stock count");
  await dialog(page).getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByText("until 2099-12-01 10:00:00 UTC: stock count").waitFor();
  assert.equal((await site.get("/v1/schedules/nightly")).state, "paused");
  await confirmed(page, "Resume");
  await page.locator("dd", { hasText: "active" }).waitFor();
  await confirmed(page, "Trigger");
  await page.waitForURL(/#\/runs\//);
  const run = await endOf(idOf(page));
  assert.equal(run.schedule, "nightly");
  await site.done(page);
});

test("days are filled in, and never become the newest snapshot", async () => {
  const page = await site.open("#/backfills");
  await page.getByRole("button", { name: "Backfill days" }).click();
  await dialog(page).getByLabel("First day (as of)").fill("2026-02-25");
  await dialog(page).getByLabel("Last day (as of)").fill("2026-02-27");
  await dialog(page).getByRole("button", { name: "Show the days" }).click();
  await dialog(page).locator("table").waitFor();
  const days = await tableRows(dialog(page).locator("table"));
  assert.deepEqual(days.map((day) => [day["As of"], day.What.slice(2)]), [["2026-02-25", "make"], ["2026-02-26", "make"], ["2026-02-27", "skip"]]);
  await dialog(page).getByRole("button", { name: "Make 2 snapshots" }).click();
  await page.locator("dd", { hasText: "succeeded" }).waitFor(NIGHT);
  await page.getByText("2 of 2 days").waitFor();
  const made = (await site.get(`/v1/backfills/${idOf(page)}`)).days.map((day) => day.snapshot);
  await site.done(page);

  const { snapshots } = await site.get("/v1/snapshots");
  const newest = Math.max(...snapshots.filter((one) => one.backfill === null).map((one) => one.number));
  assert.ok(Math.max(...made) > newest);
  const list = await site.open("#/snapshots");
  const marks = new Map((await tableRows(list.locator("table").last())).map((row) => [Number(row.Snapshot), row.Marks]));
  for (const number of made.slice(0, 2)) assert.equal(marks.get(number), "backfill");
  assert.equal(marks.get(newest), "newest");
  await site.done(list);
});

test("a worker is drained and gets tasks again", async () => {
  const page = await site.open("#/workers");
  await confirmed(page, "Drain");
  await page.getByRole("button", { name: "Uncordon" }).waitFor();
  const states = (await site.get("/v1/workers")).workers.map((worker) => worker.state);
  assert.ok(["draining", "cordoned"].includes(states[0]), states.join());
  await confirmed(page, "Uncordon");
  await page.getByRole("button", { name: "Drain" }).waitFor();
  await site.done(page);
});

test("snapshots have the costs of their runs, and two of them are compared as SQL does", async () => {
  const page = await site.open("#/snapshots");
  const { runs } = await site.get("/v1/run-records");
  const made = new Map(runs.filter((run) => run.status === "succeeded").map((run) => [run.snapshot, run]));
  const table = page.locator("table").last();
  const costs = (await tableRows(table)).map(({ Snapshot }) => {
    const { steps, summary } = made.get(Number(Snapshot));
    const sum = (name) => number(steps.reduce((total, step) => total + step[name], 0));
    const reused = `${number(summary.files_reused)} of ${number(summary.files_reused + summary.files_read)}`;
    return [Snapshot, sum("get"), sum("put"), sum("list"), reused];
  });
  // The records of the runs may come after the snapshots.
  await becomes(async () => (await tableRows(table)).map((row) => [row.Snapshot, row.Reads, row.Writes, row.Listings, row["Files reused"]]), costs);
  await page.getByLabel("From", { exact: true }).selectOption("1");
  await page.getByLabel("To", { exact: true }).selectOption("5");
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await page.getByText("From snapshot 1 to snapshot 5").waitFor();
  const found = new Map((await tableRows(page.locator("section", { hasText: "Compare two snapshots" }).locator("table"))).map((row) => [row.What, row]));
  const [of1] = await site.sql("SELECT COUNT(*) AS n, SUM(clv_12m) AS clv FROM customer_value", {}, 1);
  const [of5] = await site.sql("SELECT COUNT(*) AS n, SUM(clv_12m) AS clv FROM customer_value", {}, 5);
  assert.deepEqual([found.get("Customers")["Snapshot 1"], found.get("Customers")["Snapshot 5"]], [number(of1.n), number(of5.n)]);
  const shown = (name) => Number(found.get("Sum of clv_12m")[name].replaceAll(",", ""));
  assert.ok(Math.abs(shown("Snapshot 1") - of1.clv) < 0.01 && Math.abs(shown("Snapshot 5") - of5.clv) < 0.01);
  const moves = await page.getByRole("link", { name: "Moves between deciles" }).getAttribute("href");
  assert.equal(moves, "#/boards/deciles?f.from=1&f.to=5");
  await site.done(page);
});

test("without a coordinator the pages say how to begin one, and show what the store keeps", async () => {
  const page = await site.open("#/tables", { allow: /502/ });
  const nobody = refused(502, { code: "E3102", title: "No coordinator answers", detail: "this server knows no coordinator", remedy: "start it with --coordinator URL" });
  await page.route(/\/v1\/(cluster|runs|schedules|backfills|workers)/, (route) => route.fulfill(nobody));
  for (const hash of ["#/operations", "#/runs", "#/schedules", "#/backfills", "#/workers"]) {
    await page.goto(`${site.base}/${hash}`);
    // The page before has the same heading.
    await settled(page);
    await page.getByRole("heading", { name: "No coordinator" }).waitFor();
  }
  const { runs } = await site.get("/v1/run-records");
  await page.goto(`${site.base}/#/runs?view=records`);
  await page.getByRole("link", { name: runs[0].run }).click();
  await page.getByText("No coordinator knows this run").waitFor();
  await page.getByRole("columnheader", { name: "Reads" }).waitFor();
  await site.done(page);
});

test("what a role does not allow is refused once, and not offered again", async () => {
  const page = await site.open("#/workers", { allow: /403/ });
  const problem = { code: "E2402", title: "The caller's role does not suffice", detail: "it needs role admin", remedy: "ask an administrator for a token of that role" };
  await page.route(/\/drain$/, (route) => route.fulfill(refused(403, problem)));
  await page.getByRole("button", { name: "Drain", exact: true }).click();
  await dialog(page).getByRole("button", { name: "Drain", exact: true }).click();
  await dialog(page).getByText("it needs role admin").waitFor();
  await dialog(page).getByRole("button", { name: "Back" }).click();
  const button = page.getByRole("button", { name: "Drain (your token has no role that may do this: it takes admin)" });
  assert.equal(await button.getAttribute("aria-disabled"), "true");
  await site.done(page);
});
