// One customer: what is expected of them, their deciles now and over snapshots, how their attributes were, what mail
// they had, and in which audiences they are.

import { useLoad } from "../../api/load.ts";
import { listTables, runSql } from "../../api/sql.ts";
import type { Row, Table } from "../../api/types.ts";
import { at, href } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { figure } from "../../ui/customer.tsx";
import { Empty, Partial, Shown } from "../../ui/States.tsx";
import { Deciles } from "./Deciles.tsx";
import { History } from "./History.tsx";
import { Attributes, Audiences, Mail } from "./Lists.tsx";
import { has, keyOf, keyWrong, rowsOf } from "./queries.ts";
import "./customer.css";

export default function CustomerPage({ parts }: PageProps) {
  const key = parts.key ?? "";
  const tables = useLoad((signal) => listTables(at.value, signal), [at.value]);
  return (
    <>
      <div class="page-head">
        <h1>Customer {key}</h1>
        <a href={href("/customers")}>All customers</a>
      </div>
      <Shown of={tables} what="The tables are loading" lines={8}>
        {(all) => {
          const wrong = keyWrong(all, key);
          return wrong === null ? (
            <One key={key} customer={key} tables={all} />
          ) : (
            <Empty title={`There is no customer ${key}`}>{wrong}</Empty>
          );
        }}
      </Shown>
    </>
  );
}

function One({ customer, tables }: { customer: string; tables: Table[] }) {
  const loaded = useLoad(
    async (signal) => {
      const value = has(tables, "customer_value")
        ? runSql(`SELECT * FROM customer_value WHERE customer = ${keyOf(tables)}`, { key: customer }, at.value, signal)
        : null;
      const attributes = has(tables, "dim_customer")
        ? runSql(rowsOf(tables, "dim_customer", "valid_from DESC"), { key: customer }, at.value, signal)
        : null;
      const [now, was] = await Promise.all([value, attributes]);
      return { now: now?.rows[0] ?? null, attributes: was };
    },
    [customer, at.value, tables],
  );
  return (
    <Shown of={loaded} what="The customer is loading" lines={8}>
      {({ now, attributes }) => {
        if (now === null && (attributes?.rows.length ?? 0) === 0) {
          return <Empty title={`This snapshot has no customer ${customer}`} />;
        }
        return (
          <div class="stack">
            {now === null ? (
              <Partial>There are attributes of this customer and no events, so nothing is expected or ranked.</Partial>
            ) : (
              <>
                <Figures row={now} />
                <History customer={customer} tables={tables} />
                <Deciles customer={customer} row={now} tables={tables} />
              </>
            )}
            <div class="columns">
              {has(tables, "audience_change") && <Audiences customer={customer} tables={tables} />}
              {attributes !== null && <Attributes answer={attributes} />}
            </div>
            {has(tables, "fact_email_event") && <Mail customer={customer} tables={tables} />}
          </div>
        );
      }}
    </Shown>
  );
}

const FACTS: [string, string][] = [
  ["first_purchase", "First purchase"],
  ["last_purchase", "Last purchase"],
  ["purchase_days", "Days with a purchase"],
  ["days_since_last_purchase", "Days since the last one"],
  ["monetary_value", "Mean spend of a repeat purchase"],
  ["revenue_lifetime", "Revenue so far"],
  ["expected_spend", "Spend expected of a purchase"],
  ["events", "Events"],
];

/** What a column of estimates is called: `clv_12m` is the CLV of 12 months. */
function estimate(column: string): string | null {
  if (column === "p_alive") return "Probability of being a customer still";
  const found = /^(clv|expected_purchases|total_value)_(\d+)m$/.exec(column);
  if (found === null) return null;
  const words = {
    clv: "CLV of",
    expected_purchases: "Purchases expected in",
    total_value: "Revenue so far and CLV of",
  };
  return `${words[found[1] as keyof typeof words]} ${found[2]} months`;
}

function Figures({ row }: { row: Row }) {
  const estimates = Object.keys(row).flatMap((column) => {
    const label = estimate(column);
    return label === null ? [] : [{ column, label }];
  });
  estimates.sort((a, b) => Number(b.column === "p_alive") - Number(a.column === "p_alive"));
  const facts = FACTS.filter(([column]) => column in row);
  return (
    <div class="columns">
      <section class="card">
        <h2>Expected</h2>
        {estimates.length === 0 ? (
          <p class="quiet">This project declares no CLV.</p>
        ) : (
          <dl class="facts figures-list">
            {estimates.map(({ column, label }) => (
              <Fact key={column} label={label} column={column} value={row[column]} />
            ))}
          </dl>
        )}
      </section>
      <section class="card">
        <h2>So far</h2>
        <dl class="facts figures-list">
          {facts.map(([column, label]) => (
            <Fact key={column} label={label} column={column} value={row[column]} />
          ))}
        </dl>
      </section>
    </div>
  );
}

function Fact({ label, column, value }: { label: string; column: string; value: Row[string] | undefined }) {
  return (
    <>
      <dt title={column}>{label}</dt>
      <dd data-column={column}>{figure(column, value)}</dd>
    </>
  );
}
