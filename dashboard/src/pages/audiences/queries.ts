// Queries about members, made for the columns that a snapshot has.

import { quoted } from "../../api/quoted.ts";
import type { Table } from "../../api/types.ts";
import { telling } from "../customer/queries.ts";
import type { RuleColumn } from "./rule/vocabulary.ts";

/** Members that the page of an audience shows. */
export const MEMBERS_SHOWN = 200;

/** What is shown of a member beside the key. */
export const SHOWN = [
  /^decile_clv_\d+m$/,
  /^clv_\d+m$/,
  /^p_alive$/,
  /^expected_purchases_\d+m$/,
  /^last_purchase$/,
  /^revenue_lifetime$/,
];

/** The first members of the audience `$audience`, with what says most of them. */
export function membersSql(tables: Table[]): string {
  const columns = telling(tables, SHOWN).map((name) => `, v.${quoted(name)}`);
  return `SELECT m.customer, m.holdout${columns.join("")}
FROM audience_member AS m LEFT JOIN customer_value AS v ON v.customer = m.customer
WHERE m.audience = $audience ORDER BY m.customer LIMIT ${MEMBERS_SHOWN}`;
}

/** All members of the audience `$audience`, with chosen columns of customers. */
export function exportSql(columns: RuleColumn[]): string {
  const names = new Set<string>(["customer", "holdout", "priority"]);
  const chosen = columns.map((column) => {
    const alias = names.has(column.column) ? `${column.table}_${column.column}` : column.column;
    names.add(alias);
    return `, ${column.table === "dim_customer" ? "d" : "v"}.${quoted(column.column)} AS ${quoted(alias)}`;
  });
  const reads = (table: string) => columns.some((column) => column.table === table);
  const value = reads("customer_value") ? "\nLEFT JOIN customer_value AS v ON v.customer = m.customer" : "";
  const attributes = reads("dim_customer")
    ? "\nLEFT JOIN dim_customer AS d ON d.customer = m.customer AND d.is_current"
    : "";
  return `SELECT m.customer, m.holdout, m.priority${chosen.join("")}
FROM audience_member AS m${value}${attributes}
WHERE m.audience = $audience ORDER BY m.customer`;
}
