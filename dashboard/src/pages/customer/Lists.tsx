// What else is known of a customer, as tables: audiences, attributes over time, mail.

import { useLoad } from "../../api/load.ts";
import { runSql } from "../../api/sql.ts";
import type { Row, SqlAnswer, Table } from "../../api/types.ts";
import { at, href } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { time, written } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { audiencePath } from "../audiences/paths.ts";
import { campaignPath } from "../campaigns/paths.ts";
import { AUDIENCES, keyOf, rowsOf } from "./queries.ts";

interface Props {
  customer: string;
  tables: Table[];
}

export function Audiences({ customer, tables }: Props) {
  const loaded = useLoad(
    (signal) => runSql(AUDIENCES(keyOf(tables)), { key: customer }, at.value, signal),
    [customer, at.value, tables],
  );
  return (
    <Shown of={loaded} what="Audiences are loading">
      {({ rows }) => (
        <DataTable
          caption="Audiences"
          rows={rows}
          rowKey={(row) => String(row.audience)}
          empty="The customer is in no audience, and was in none."
          columns={[
            {
              name: "audience",
              label: "Audience",
              head: true,
              value: (row: Row) => row.audience,
              show: (row: Row) => <a href={href(audiencePath(String(row.audience)))}>{String(row.audience)}</a>,
            },
            {
              name: "status",
              label: "Status",
              value: (row: Row) => row.status,
              show: (row: Row) => (row.status === "realized" ? "in it" : "left"),
            },
            { name: "since", label: "Since", value: (row: Row) => row.since },
            {
              name: "holdout",
              label: "Group",
              value: (row: Row) => row.holdout,
              show: (row: Row) =>
                row.holdout === "control" ? "held back" : row.holdout === "treated" ? "treated" : "–",
            },
          ]}
        />
      )}
    </Shown>
  );
}

/** Attributes as they are and were, the newest first. */
export function Attributes({ answer }: { answer: SqlAnswer }) {
  const shown = answer.columns.filter(
    (column) => !["customer", "shard", "is_current", "valid_from", "valid_to"].includes(column.name),
  );
  return (
    <DataTable
      caption="Attributes over time"
      rows={answer.rows}
      rowKey={(row) => String(row.valid_from)}
      pageSize={12}
      empty="There are no attributes of the customer."
      columns={[
        {
          name: "valid_from",
          label: "From",
          head: true,
          value: (row: Row) => row.valid_from,
          show: (row: Row) => <span class="day">{written(row.valid_from)}</span>,
        },
        {
          name: "valid_to",
          label: "Until before",
          value: (row: Row) => row.valid_to,
          show: (row: Row) => (row.valid_to === null ? "now" : written(row.valid_to)),
        },
        ...shown.map((column) => ({
          name: column.name,
          value: (row: Row) => row[column.name],
          show: (row: Row) => (
            <span class={column.type.startsWith("Date") ? "day" : ""}>{written(row[column.name])}</span>
          ),
        })),
      ]}
    />
  );
}

const MAILS = 500;

export function Mail({ customer, tables }: Props) {
  const loaded = useLoad(
    (signal) =>
      runSql(rowsOf(tables, "fact_email_event", "time DESC, event_id", MAILS), { key: customer }, at.value, signal),
    [customer, at.value, tables],
  );
  return (
    <Shown of={loaded} what="Mail is loading">
      {({ rows }) => (
        <DataTable
          caption={rows.length === MAILS ? `Mail: the latest ${MAILS} events` : "Mail, the latest first"}
          rows={rows}
          rowKey={(row) => `${row.source} ${row.event_id}`}
          pageSize={15}
          empty="Nothing was sent to the customer, as far as is known."
          columns={[
            {
              name: "time",
              label: "Time",
              head: true,
              value: (row: Row) => row.time,
              show: (row: Row) => time(String(row.time)),
            },
            { name: "type", label: "What", value: (row: Row) => row.type, show: (row: Row) => said(row) },
            {
              name: "campaign",
              label: "Campaign",
              value: (row: Row) => row.campaign,
              show: (row: Row) => <a href={href(campaignPath(String(row.campaign)))}>{String(row.campaign)}</a>,
            },
            {
              name: "audience",
              label: "Audience at the send",
              value: (row: Row) => row.audience,
              show: (row: Row) => written(row.audience),
            },
            {
              name: "decile",
              label: "Decile at the send",
              numeric: true,
              value: (row: Row) => row.decile,
              show: (row: Row) => written(row.decile),
            },
            {
              name: "holdout",
              label: "Group",
              value: (row: Row) => row.holdout,
              show: (row: Row) => written(row.holdout),
            },
            { name: "url", label: "Link", value: (row: Row) => row.url, show: (row: Row) => written(row.url) },
          ]}
        />
      )}
    </Shown>
  );
}

function said(row: Row): string {
  const type = String(row.type).replace("_", " ");
  return row.machine === true ? `${type} by a machine` : type;
}
