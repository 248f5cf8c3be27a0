// What the tests stand on: a server over a copy of the prepared project, Chromium, and pages that remember what must
// not happen: errors in the console, requests to other hosts, refusals of the content security policy.
//
// TENFOLD_BIN is the program, TENFOLD_FIXTURE a project made by fixture.mjs, CHROMIUM the browser. With
// TENFOLD_PREVIEW=vite.config.ts the pages are those of dashboard/dist through `vite preview` with that
// configuration, and not those in the program.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { chromium } from "playwright-core";
import { makeProject } from "./fixture.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const DASHBOARD = new URL("../../dashboard/", import.meta.url).pathname;

/**
 * A server, a browser, and what opens pages. `begin` in `before`, `end` in `after`. With `worked` the coordinator
 * has a schedule, and a run and a backfill that have ended. With `roles` it wants tokens: `site.tokens` has one for
 * each of them.
 */
export async function begin({ worked = false, roles = [] } = {}) {
  const binary = process.env.TENFOLD_BIN;
  assert.ok(binary, "TENFOLD_BIN names no program");
  const folder = mkdtempSync(join(tmpdir(), "tenfold-browser-"));
  const project = join(folder, "project");
  const prepared = process.env.TENFOLD_FIXTURE;
  // The store knows its files by their paths: a copy can be read, and takes in nothing more.
  if (prepared && !worked) cpSync(prepared, project, { recursive: true });
  else makeProject(binary, project);

  const tokens = Object.fromEntries(
    roles.map((role) => [role, execFileSync(binary, ["token", "new", role, "--role", role, "--file", join(folder, "tokens")], { encoding: "utf8" }).trim()]),
  );
  const [port, coordinator] = [await freePort(), await freePort()];
  const api = `http://127.0.0.1:${port}`;
  const started = [];
  // Also where a test file ends before its `after`, nothing stays behind.
  process.once("exit", () => started.forEach((child) => child.kill("SIGTERM")));
  process.once("SIGTERM", () => process.exit(143));
  const server = start(started, binary, [
    "up", "-p", project, "--listen", `127.0.0.1:${coordinator}`, "--sql-listen", `127.0.0.1:${port}`,
    "--state", join(folder, "state"), "--memory", "1GiB", "--workers", "1",
    ...(roles.length > 0 ? ["--tokens", join(folder, "tokens")] : []),
  ]);
  await answers(`${api}/healthz`, server);
  let base = api;
  if (process.env.TENFOLD_PREVIEW) {
    const shown = await freePort();
    const vite = start(started, process.execPath, ["node_modules/vite/bin/vite.js", "preview", "--config", process.env.TENFOLD_PREVIEW, "--host", "127.0.0.1", "--port", `${shown}`, "--strictPort"], {
      cwd: DASHBOARD,
      env: { ...process.env, TENFOLD_SERVER: api },
    });
    base = `http://127.0.0.1:${shown}`;
    await answers(`${base}/`, vite);
  }
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const site = new Site({ base, api, project, folder, browser, started, tokens });
  if (worked) await work(site);
  return site;
}

async function work(site) {
  await site.post("/v1/schedules", { spec: "schedule: nightly\ncron: 30 2 * * *\n" });
  await site.post("/v1/runs", { as_of: "2026-03-07" });
  await succeeded(() => site.get("/v1/runs/@latest"));
  await site.post("/v1/backfills", { plan: { from: "2026-02-25", to: "2026-02-25" } });
  await succeeded(() => site.get("/v1/backfills/@latest"));
}

const OVER = ["succeeded", "partial", "failed", "cancelled", "timed_out"];

/** A run or a backfill when it has ended, by asking the server. */
export async function ended(ask) {
  const until = Date.now() + 300_000;
  for (;;) {
    const shown = await ask();
    if (OVER.includes(shown.state)) return shown;
    assert.ok(Date.now() < until, JSON.stringify(shown));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function succeeded(ask) {
  const shown = await ended(ask);
  assert.equal(shown.state, "succeeded", JSON.stringify(shown));
}

class Site {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /**
   * Opens a page; `allow` fits console messages that belong to the test, such as those about a refused request. A page
   * that waits for a token is not to be waited for (`settles`).
   */
  async open(hash, { theme = "light", width = 1440, height = 900, allow = null, downloads = true, settles = true } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: "reduce",
      acceptDownloads: downloads,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const wrong = [];
    page.on("console", (message) => {
      const text = `${message.text()} ${message.location().url}`;
      if (["error", "warning"].includes(message.type()) && !allow?.test(text)) wrong.push(`console: ${text}`);
    });
    page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${this.base}/`) && !/^(data|blob):/.test(url)) wrong.push(`outside request: ${url}`);
    });
    page.wrong = wrong;
    await page.goto(`${this.base}/${hash}`);
    if (settles) await settled(page);
    return page;
  }

  /** Fails on what must not have happened, and closes the page. */
  async done(page) {
    const { wrong } = page;
    await page.context().close();
    assert.deepEqual(wrong, []);
  }

  /** Rows of a query, asked without the page. */
  async sql(sql, parameters = {}, at = null) {
    const body = { sql, ...(Object.keys(parameters).length > 0 ? { parameters } : {}), ...(at === null ? {} : { at: `${at}` }) };
    const answer = await fetch(`${this.api}/v1/sql`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const said = await answer.json();
    assert.ok(answer.ok, JSON.stringify(said));
    return said.rows;
  }

  async get(path) {
    const answer = await fetch(this.api + path);
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  }

  async post(path, body) {
    const answer = await fetch(this.api + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const said = await answer.text();
    assert.ok(answer.ok, `${path}: ${said}`);
    return JSON.parse(said);
  }

  async end() {
    await this.browser.close();
    for (const process of this.started) {
      process.kill("SIGTERM");
      if (process.exitCode === null && process.signalCode === null) await new Promise((resolve) => process.once("exit", resolve));
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until the page is that of its address, which changes before the page hears of it. */
export async function arrived(page) {
  await page.waitForFunction(() => document.querySelector("main")?.dataset.place === location.hash);
}

/** Waits until what is read is what is expected, and says at last how the two differ. */
export async function becomes(read, expected) {
  const until = Date.now() + 30_000;
  for (;;) {
    const found = await read();
    if (isDeepStrictEqual(found, expected)) return;
    if (Date.now() > until) assert.deepEqual(found, expected);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the address behind the `#` fits; what the driver knows of it comes later. */
export async function isAt(page, pattern) {
  await page.waitForFunction(({ source }) => new RegExp(source).test(location.hash), { source: pattern.source });
}

/** Waits until nothing in view loads any more, and charts there are drawn. */
export async function settled(page) {
  await arrived(page);
  await page.waitForFunction(() => {
    const busy = [...document.querySelectorAll('.loading, [aria-busy="true"], [data-ready="false"]')].filter((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    });
    return document.querySelector("main h1, main .empty, main .failed-box") !== null && busy.length === 0;
  });
}

/** What axe finds that is serious or critical, as short texts. */
export async function seriousFindings(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 5).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`) }));
  });
  return found.filter(({ impact }) => impact === "serious" || impact === "critical");
}

/** The rows of a table in the page, as texts by the head of their column. */
export async function tableRows(table) {
  return table.evaluate((element) => {
    const heads = [...element.querySelectorAll("thead th")].map((head) => head.textContent.replace(/[▲▼]/g, "").trim());
    return [...element.querySelectorAll("tbody tr")].map((row) => Object.fromEntries([...row.children].map((cell, i) => [heads[i], cell.textContent.trim()])));
  });
}

/** The text of the file that an action makes the browser save. */
export async function saved(page, action) {
  const [download] = await Promise.all([page.waitForEvent("download"), action()]);
  const path = await download.path();
  return { name: download.suggestedFilename(), content: readFileSync(path) };
}

function start(started, program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], ...options });
  child.said = "";
  child.stderr.on("data", (part) => (child.said = (child.said + part).slice(-4000)));
  started.push(child);
  return child;
}

async function answers(address, child) {
  const until = Date.now() + 120_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended before it answered: ${child.said}`);
    const answer = await fetch(address).catch(() => null);
    if (answer?.ok) return;
    if (Date.now() > until) throw new Error(`${address} does not answer: ${child.said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Where pictures go, when they are asked for. */
export function pictures() {
  const folder = process.env.TENFOLD_SCREENSHOTS;
  if (folder && !existsSync(folder)) throw new Error(`${folder} is not there`);
  return folder ?? null;
}
