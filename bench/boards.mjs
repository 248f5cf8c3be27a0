// How long dashboards take to show, in Chromium: from the address until the last widget is drawn.
//
// Opens each dashboard of a server, every widget in sight, first as nobody asked before, then some times more, each
// time in a browser that has nothing of it; prints a table (Markdown) with the median of these.
//
//   node bench/boards.mjs http://127.0.0.1:7401 [--rounds 5] [--boards overview,deciles]
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" }, boards: { type: "string" } },
});
const [base] = positionals;
const require = createRequire(fileURLToPath(new URL("../tests/browser/package.json", import.meta.url)));
const { chromium } = require("playwright-core");

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** Milliseconds until a dashboard is drawn, and what it says of its answers. */
async function shown(board) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 6000 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(`${base}/#/boards/${board}`);
  const taken = await page.evaluate(
    () =>
      new Promise((done) => {
        const look = () => {
          const drawn = document.querySelector('.board[data-settled="true"]') && !document.querySelector('.loading, [aria-busy="true"], [data-ready="false"]');
          const widgets = document.querySelectorAll("[data-widget]").length;
          if (drawn && widgets > 0) done({ milliseconds: performance.now(), widgets, failed: document.querySelectorAll(".failed-box").length });
          else requestAnimationFrame(look);
        };
        look();
      }),
  );
  await context.close();
  return taken;
}

const { dashboards } = await (await fetch(`${base}/v1/dashboards`)).json();
const names = values.boards?.split(",") ?? dashboards.map(({ name }) => name);
// The browser itself begins with what is asked for here.
await shown(names[0]);
console.log("| dashboard | widgets | first | again |\n|---|---:|---:|---:|");
for (const name of names) {
  const first = await shown(name);
  const again = [];
  for (let round = 0; round < Number(values.rounds); round += 1) again.push((await shown(name)).milliseconds);
  const middle = again.sort((a, b) => a - b)[Math.floor(again.length / 2)];
  if (first.failed > 0) console.error(`${name}: ${first.failed} widgets failed`);
  console.log(`| ${name} | ${first.widgets} | ${(first.milliseconds / 1000).toFixed(2)} s | ${(middle / 1000).toFixed(2)} s |`);
}
await browser.close();
