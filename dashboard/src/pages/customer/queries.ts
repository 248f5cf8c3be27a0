// Queries about one customer. The key is a bound parameter, a text of its digits where keys are numbers, so that none
// of their 64 bits get lost on the way.

import { quoted } from "../../api/quoted.ts";
import type { Row, Snapshot, Table } from "../../api/types.ts";

export const FOUND = 20;

/** How a query names the key that a parameter has. */
export function keyOf(tables: Table[], parameter = "$key"): string {
  return isNumber(tables) ? `CAST(${parameter} AS BIGINT)` : parameter;
}

function isNumber(tables: Table[]): boolean {
  // Tables of the project may have a column of this name with something else in it.
  const known = ["customer_value", "dim_customer"].flatMap((name) => columnsOf(tables, name));
  const column = known.find((one) => one.name === "customer");
  return column !== undefined && !/Utf8/.test(column.type);
}

/** Why a text can be nobody's key. */
export function keyWrong(tables: Table[], key: string): string | null {
  const isKey = () => /^-?\d{1,19}$/.test(key) && BigInt.asIntN(64, BigInt(key)) === BigInt(key);
  return !isNumber(tables) || isKey() ? null : "Keys of these customers are whole numbers of up to 64 bits.";
}

export function has(tables: Table[], name: string): boolean {
  return tables.some((table) => table.name === name);
}

function columnsOf(tables: Table[], name: string): { name: string; type: string }[] {
  return tables.find((table) => table.name === name)?.columns ?? [];
}

const LISTED = [/^decile_clv_\d+m$/, /^clv_\d+m$/, /^p_alive$/, /^last_purchase$/];

/** The columns of `customer_value` that say most of a customer, those of one horizon alone. */
export function telling(tables: Table[], wanted = LISTED): string[] {
  const names = columnsOf(tables, "customer_value").map((column) => column.name);
  return wanted.flatMap((one) => names.filter((name) => one.test(name)).slice(0, 1));
}

/** Customers whose key begins with `$text`; the most valuable ones while there is no text. */
export function byKey(tables: Table[], text: string): string {
  const columns = ["customer", ...telling(tables).map(quoted)].join(", ");
  const value = telling(tables).find((name) => name.startsWith("clv_"));
  const order = text === "" && value !== undefined ? `${quoted(value)} DESC NULLS LAST, customer` : "customer";
  const where = text === "" ? "" : " WHERE starts_with(CAST(customer AS VARCHAR), $text)";
  return `SELECT ${columns} FROM customer_value${where} ORDER BY ${order} LIMIT ${FOUND}`;
}

/** Customers of whom an attribute is `$text`, whatever its capitals; null where there are no texts to look in. */
export function byAttribute(tables: Table[]): string | null {
  const texts = columnsOf(tables, "dim_customer").filter(
    (column) => /Utf8/.test(column.type) && column.name !== "customer",
  );
  if (texts.length === 0) return null;
  const value = has(tables, "customer_value");
  const columns = value
    ? telling(tables)
        .map((name) => `, v.${quoted(name)}`)
        .join("")
    : "";
  const join = value ? " LEFT JOIN customer_value AS v ON v.customer = d.customer" : "";
  const same = texts.map((column) => `lower(d.${quoted(column.name)}) = lower($text)`).join(" OR ");
  return `SELECT d.customer${columns} FROM dim_customer AS d${join} WHERE d.is_current AND (${same}) ORDER BY d.customer LIMIT ${FOUND}`;
}

/** The rows of a table about the customer. */
export function rowsOf(tables: Table[], table: string, order: string, limit = 500): string {
  return `SELECT * FROM ${table} WHERE customer = ${keyOf(tables)} ORDER BY ${order} LIMIT ${limit}`;
}

/** The columns whose values are followed over snapshots: CLV, its decile, P(alive), and all other deciles. */
export function followed(tables: Table[]): string[] {
  const columns = columnsOf(tables, "customer_value");
  const isFollowed = (name: string, type: string) =>
    /^(clv_\d+m|p_alive)$/.test(name) || (/^decile_/.test(name) && type.startsWith("Int"));
  return columns.filter((column) => isFollowed(column.name, column.type)).map((column) => column.name);
}

/** What became of the row of the customer, snapshot by snapshot. */
export function historySql(tables: Table[]): string {
  const columns = followed(tables).map((name) => `, ${quoted(name)}`);
  return `SELECT _snapshot, _change_type${columns.join("")} FROM changes('customer_value', 'earliest', 'latest')
WHERE customer = ${keyOf(tables)} AND _change_type <> 'update_preimage' ORDER BY _snapshot`;
}

export const AUDIENCES = (key: string) => `SELECT c.audience, c.status, c.since, m.holdout
FROM audience_change AS c LEFT JOIN audience_member AS m ON m.audience = c.audience AND m.customer = c.customer
WHERE c.customer = ${key} ORDER BY c.status DESC, c.audience`;

/** The customer in each snapshot up to the one that is shown: what changed is so until it changes again. */
export function overSnapshots(changes: Row[], snapshots: Snapshot[], shown: number): Row[] {
  const nights = snapshots.filter((snapshot) => snapshot.number <= shown && snapshot.backfill === null);
  nights.sort((a, b) => a.number - b.number);
  const rows: Row[] = [];
  let now: Row | null = null;
  let place = 0;
  for (const snapshot of nights) {
    for (; place < changes.length && Number(changes[place]?._snapshot) <= snapshot.number; place += 1) {
      const change = changes[place] as Row;
      now = change._change_type === "delete" ? null : change;
    }
    if (now !== null) rows.push({ ...now, _snapshot: snapshot.number, as_of: snapshot.as_of });
  }
  return rows;
}
