// One audience of a snapshot: its rule, its members by tile, how large it was, who came and went, who is held back.

import { useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { quoted } from "../../api/quoted.ts";
import { listTables, runSql } from "../../api/sql.ts";
import type { Row } from "../../api/types.ts";
import { at, href } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { Bar } from "../../ui/Bar.tsx";
import { Button, LinkButton } from "../../ui/Button.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, isNumeric, number, percent } from "../../ui/format.ts";
import { Sparkline } from "../../ui/Sparkline.tsx";
import { Shown } from "../../ui/States.tsx";
import { CustomerFigure, CustomerLink } from "../customer/cells.tsx";
import { getAudience, parsed, type Shown as Audience } from "./api.ts";
import "../../ui/cells.css";
import "./audiences.css";
import { ExportDialog } from "./ExportDialog.tsx";
import { Mix } from "./Mix.tsx";
import { editPath } from "./paths.ts";
import { RuleWords } from "./RuleWords.tsx";
import { MEMBERS_SHOWN, membersSql } from "./queries.ts";
import { heldBack } from "./rows.ts";

export default function AudiencePage({ parts }: PageProps) {
  const name = parts.name ?? "";
  return <One key={name} name={name} />;
}

function One({ name }: { name: string }) {
  const loaded = useLoad((signal) => getAudience(name, at.value, signal), [at.value]);
  const [exporting, setExporting] = useState(false);
  return (
    <>
      <div class="page-head">
        <h1>{name}</h1>
        <a href={href("/audiences")}>All audiences</a>
        {loaded.data && (
          <div class="actions row">
            <Button onClick={() => setExporting(true)}>Export members</Button>
            <LinkButton href={href(editPath(name))}>Edit</LinkButton>
          </div>
        )}
      </div>
      <Shown of={loaded} what="The audience is loading" lines={8}>
        {(audience) => (
          <div class="stack">
            <Figures audience={audience} />
            <div class="columns">
              <Rule audience={audience} />
              {audience.tiles === null ? (
                <p class="quiet">There is no column of tiles to divide the members by.</p>
              ) : (
                <Mix rows={audience.mix} tiles={audience.tiles} members={audience.members} />
              )}
            </div>
            <div class="columns">
              <div class="stack top-aligned">
                <Sizes name={name} />
                <Holdout audience={audience} />
              </div>
              <Changes name={name} />
            </div>
            <Members name={name} members={audience.members} />
            {exporting && <ExportDialog name={name} members={audience.members} onClose={() => setExporting(false)} />}
          </div>
        )}
      </Shown>
    </>
  );
}

const FACTS = `SELECT d.holdout_fraction, d.stratify_by, f.control, f.entered, f.exited
FROM dim_audience AS d LEFT JOIN fact_audience AS f ON f.audience = d.audience AND f.snapshot_date = as_of()
WHERE d.audience = $audience`;

function Figures({ audience }: { audience: Audience }) {
  const facts = useLoad((signal) => runSql(FACTS, { audience: audience.audience }, at.value, signal), [at.value]);
  const row = facts.data?.rows[0];
  const whole = (name: string) => (row?.[name] == null ? "–" : number(Number(row[name])));
  const fraction = Number(row?.holdout_fraction ?? 0);
  return (
    <section class="card" aria-label="Figures">
      {audience.description && <p>{audience.description}</p>}
      <dl class="figures">
        <Figure
          label="Members"
          value={number(audience.members)}
          more={`of ${counted(audience.customers, "customer")}`}
        />
        <Figure label="Share" value={percent(audience.customers === 0 ? 0 : audience.members / audience.customers)} />
        <Figure
          label="Held back"
          value={whole("control")}
          more={fraction > 0 ? `${percent(fraction)} by declaration` : "nobody by declaration"}
        />
        <Figure label="Entered" value={whole("entered")} more="since the snapshot before" />
        <Figure label="Exited" value={whole("exited")} more="since the snapshot before" />
        <Figure label="Priority" value={String(audience.priority)} more="smallest first" />
        <Figure
          label="Consent"
          value={audience.consent ?? "none"}
          more={audience.consent === null ? "is asked for" : "has to be true"}
        />
      </dl>
    </section>
  );
}

function Figure({ label, value, more }: { label: string; value: string; more?: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {value} {more && <small>{more}</small>}
      </dd>
    </div>
  );
}

function Rule({ audience }: { audience: Audience }) {
  const [rule] = parsed(audience.rule);
  return (
    <section class="card rule-card">
      <h2>Who belongs to it</h2>
      {rule && <RuleWords rule={rule} />}
      <pre aria-label="The rule as a text">{audience.rule}</pre>
    </section>
  );
}

const SIZES = "SELECT * FROM fact_audience WHERE audience = $audience ORDER BY snapshot_date DESC";

const SIZED: [string, string][] = [
  ["members", "Members"],
  ["control", "Held back"],
  ["entered", "Entered"],
  ["exited", "Exited"],
];

function Sizes({ name }: { name: string }) {
  const sizes = useLoad((signal) => runSql(SIZES, { audience: name }, at.value, signal), [at.value]);
  return (
    <Shown of={sizes} what="Sizes are loading">
      {({ rows }) => {
        const values = rows.map((row) => Number(row.members)).reverse();
        return (
          <DataTable
            caption={
              <span class="row">
                Size by day of the snapshot <Sparkline values={values} what="Members" />
              </span>
            }
            rows={rows}
            rowKey={(row) => String(row.snapshot_date)}
            pageSize={12}
            columns={[
              { name: "snapshot_date", label: "As of", head: true, value: (row: Row) => row.snapshot_date },
              ...SIZED.map(([column, label]) => ({
                name: column,
                label,
                numeric: true,
                value: (row: Row) => row[column],
                show: (row: Row) => number(Number(row[column])),
              })),
              {
                name: "share",
                label: "Share",
                numeric: true,
                value: (row: Row) => row.share,
                show: (row: Row) => percent(Number(row.share)),
              },
            ]}
          />
        );
      }}
    </Shown>
  );
}

/** Changes that the page of an audience shows. */
const CHANGES_SHOWN = 200;

const CHANGES = `SELECT customer, status, since FROM audience_change
WHERE audience = $audience ORDER BY since DESC, status, customer LIMIT ${CHANGES_SHOWN}`;

function Changes({ name }: { name: string }) {
  const changes = useLoad((signal) => runSql(CHANGES, { audience: name }, at.value, signal), [at.value]);
  return (
    <Shown of={changes} what="Changes are loading">
      {({ rows }) => (
        <DataTable
          caption={
            rows.length === CHANGES_SHOWN
              ? `Who came and went last: the latest ${CHANGES_SHOWN}`
              : "Who came and went last"
          }
          rows={rows}
          rowKey={(row) => String(row.customer)}
          pageSize={12}
          empty="Nobody came or went."
          columns={[
            {
              name: "customer",
              label: "Customer",
              head: true,
              value: (row: Row) => row.customer,
              show: (row: Row) => <CustomerLink customer={row.customer} />,
            },
            {
              name: "status",
              label: "What happened",
              value: (row: Row) => row.status,
              show: (row: Row) => (row.status === "realized" ? "came in" : "went out"),
            },
            { name: "since", label: "As of", value: (row: Row) => row.since },
          ]}
        />
      )}
    </Shown>
  );
}

function Holdout({ audience }: { audience: Audience }) {
  const name = audience.audience;
  const tiles = audience.tiles;
  const sql =
    tiles === null
      ? "SELECT CAST(NULL AS INT) AS tile, holdout, count(*) AS members FROM audience_member WHERE audience = $audience GROUP BY holdout"
      : `SELECT v.${quoted(tiles)} AS tile, m.holdout, count(*) AS members
FROM audience_member AS m LEFT JOIN customer_value AS v ON v.customer = m.customer
WHERE m.audience = $audience GROUP BY v.${quoted(tiles)}, m.holdout`;
  const groups = useLoad((signal) => runSql(sql, { audience: name }, at.value, signal), [sql, at.value]);
  return (
    <Shown of={groups} what="Groups are loading">
      {({ rows }) => {
        const lines = heldBack(rows);
        if (lines.every((line) => line.control === 0)) return null;
        return (
          <DataTable
            caption="Who is held back, by tile"
            rows={lines}
            rowKey={(line) => String(line.tile)}
            columns={[
              {
                name: "tile",
                label: "Tile",
                head: true,
                value: (line) => line.tile,
                show: (line) => line.tile ?? "no tile",
              },
              {
                name: "treated",
                label: "Treated",
                numeric: true,
                value: (line) => line.treated,
                show: (line) => number(line.treated),
              },
              {
                name: "control",
                label: "Held back",
                numeric: true,
                value: (line) => line.control,
                show: (line) => number(line.control),
              },
              {
                name: "share",
                label: "Share held back",
                numeric: true,
                value: (line) => line.share,
                show: (line) => percent(line.share),
              },
              { name: "bar", label: <span class="unseen">Bar</span>, show: (line) => <Bar share={line.share} /> },
            ]}
          />
        );
      }}
    </Shown>
  );
}

function Members({ name, members }: { name: string; members: number }) {
  const loaded = useLoad(
    async (signal) => {
      const tables = await listTables(at.value, signal);
      return runSql(membersSql(tables), { audience: name }, at.value, signal);
    },
    [at.value],
  );
  return (
    <Shown of={loaded} what="Members are loading" lines={6}>
      {({ rows, columns }) => (
        <DataTable
          caption={
            members > MEMBERS_SHOWN
              ? `The first ${MEMBERS_SHOWN} of ${number(members)} members by key`
              : counted(members, "member")
          }
          rows={rows}
          rowKey={(row) => String(row.customer)}
          pageSize={20}
          empty="Nobody is in it."
          columns={columns.map((column) => ({
            name: column.name,
            head: column.name === "customer",
            numeric: isNumeric(column.type),
            value: (row: Row) => row[column.name],
            show: (row: Row) =>
              column.name === "customer" ? (
                <CustomerLink customer={row.customer} />
              ) : (
                <CustomerFigure column={column.name} value={row[column.name]} />
              ),
          }))}
        />
      )}
    </Shown>
  );
}
