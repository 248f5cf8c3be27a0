// A project for the tests: `tenfold demo`, with attributes of its members, audiences, a delivery, and three more nights.
// Everything follows from the members' numbers, so that it is the same each time.
//
// Usage: node fixture.mjs TENFOLD_BINARY FOLDER
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const COUNTRIES = ["Germany", "France", "Spain", "Italy", "Portugal"];
const TIERS = ["blue", "silver", "gold"];

const AUDIENCES = {
  best: `description: The best decile by expected value.
rule:
  all:
    - {column: decile_clv_12m, op: "=", value: 1}
`,
  at_risk: `description: Members among the best three deciles who are slipping away.
rule:
  all:
    - {column: decile_clv_12m, op: "<=", value: 3}
    - {column: p_alive, op: "<", value: 0.7}
consent: {attribute: email_consent}
holdout: {fraction: 0.1, stratify_by: decile_clv_12m}
priority: 20
`,
  south: `description: Members in Spain, Italy and Portugal with a flight in the last three months.
rule:
  all:
    - {column: country, op: in, values: [Spain, Italy, Portugal]}
    - {events: activity, op: ">=", value: 1, window: {last_months: 3}}
`,
};

const SOURCE = `  crm:
    kind: attributes
    path: customers.csv
    types: {membership_number: string, since: date, country: string, tier: string, email: string, consent: bool}
    customer: membership_number
    time: since
    attributes: {country: country, tier: tier, email: email, email_consent: {column: consent, type: bool}}
    identities: {email: {attribute: email}}
`;

const DECILES = `  - {measure: revenue, name: revenue_decile, lookbacks: [12]}
  - {measure: revenue, name: revenue_by_country, by: {attribute: country}}
`;

const DELIVERY = `delivery: winback
destination: drop
from: {audience: at_risk}
mode: file_full
campaign: spring
identity: {namespace: email}
fields:
  - clv_12m
  - {field: decile, column: decile_clv_12m}
`;

export function makeProject(binary, folder) {
  const run = (...args) => execFileSync(binary, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  run("demo", folder);
  const members = run("sql", "SELECT customer FROM customer_value ORDER BY customer", "-p", folder, "-o", "csv").trim().split("\n").slice(1);
  const rows = members.map((member, i) => {
    // One in eleven has no country, so that pages have something to show that is missing.
    const country = i % 11 === 0 ? "" : COUNTRIES[(i * 7) % 5];
    return [member, "2025-01-01", country, TIERS[i % 3], `${member.toLowerCase()}@example.org`, i % 4 !== 0].join(",");
  });
  writeFileSync(join(folder, "customers.csv"), ["membership_number,since,country,tier,email,consent", ...rows, ""].join("\n"));
  const project = join(folder, "tenfold.yaml");
  const text = readFileSync(project, "utf8");
  const changed = [
    ["\n  mails:\n", `\n${SOURCE}  mails:\n`],
    ["\n    tiles: 4\n", `\n    tiles: 4\n${DECILES}`],
  ].reduce((before, [place, more]) => {
    if (!before.includes(place)) throw new Error("the demo's project has another form: the fixture does not know it");
    return before.replace(place, more);
  }, text);
  writeFileSync(project, changed);
  mkdirSync(join(folder, "audiences"));
  for (const [name, audience] of Object.entries(AUDIENCES)) writeFileSync(join(folder, "audiences", `${name}.yaml`), audience);
  mkdirSync(join(folder, "destinations"));
  writeFileSync(join(folder, "destinations", "drop.yaml"), "destination: drop\nto: {files: {path: out/}}\n");
  mkdirSync(join(folder, "deliveries"));
  writeFileSync(join(folder, "deliveries", "winback.yaml"), DELIVERY);
  for (const day of ["2026-03-04", "2026-03-05", "2026-03-06"]) run("refresh", "-p", folder, "--as-of", day);
  run("delivery", "run", "winback", "-p", folder);
}

if (process.argv[1] === new URL(import.meta.url).pathname) makeProject(process.argv[2], process.argv[3]);
