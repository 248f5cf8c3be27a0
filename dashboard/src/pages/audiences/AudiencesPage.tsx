// The audiences of a snapshot: how large each is, how it went, and whom two of them have in common.

import { useLoad } from "../../api/load.ts";
import { runSql } from "../../api/sql.ts";
import type { Row } from "../../api/types.ts";
import { at, href } from "../../location.ts";
import { LinkButton } from "../../ui/Button.tsx";
import { DataTable, type TableColumn } from "../../ui/DataTable.tsx";
import { counted, number, percent } from "../../ui/format.ts";
import { Sparkline } from "../../ui/Sparkline.tsx";
import { Empty, Shown } from "../../ui/States.tsx";
import { listAudiences, type Listed } from "./api.ts";
import "./audiences.css";
import { audiencePath } from "./paths.ts";
import { trends } from "./rows.ts";

const TREND = "SELECT audience, snapshot_date, members FROM fact_audience ORDER BY audience, snapshot_date";

const PAIRS = `SELECT a.audience AS one, b.audience AS other, count(*) AS common
FROM audience_member AS a JOIN audience_member AS b ON a.customer = b.customer AND a.audience < b.audience
GROUP BY a.audience, b.audience
ORDER BY common DESC, one, other`;

export default function AudiencesPage() {
  const listed = useLoad((signal) => listAudiences(at.value, signal), [at.value]);
  return (
    <>
      <div class="page-head">
        <h1>Audiences</h1>
        <div class="actions">
          <LinkButton href={href("/audiences/new")}>New audience</LinkButton>
        </div>
      </div>
      <Shown of={listed} what="The audiences are loading" lines={6}>
        {({ snapshot, audiences }) =>
          audiences.length === 0 ? (
            <Empty title={`Snapshot ${snapshot.number} has no audiences`}>
              <p>
                A project declares each in a file <code>audiences/NAME.yaml</code>; the next refresh finds its members.
                The builder writes such a file.
              </p>
              <LinkButton href={href("/audiences/new")}>New audience</LinkButton>
            </Empty>
          ) : (
            <div class="stack">
              <All audiences={audiences} number={snapshot.number} asOf={snapshot.as_of} />
              {audiences.length > 1 && <Overlap audiences={audiences} />}
            </div>
          )
        }
      </Shown>
    </>
  );
}

function All({ audiences, number: snapshot, asOf }: { audiences: Listed[]; number: number; asOf: string }) {
  const trend = useLoad((signal) => runSql(TREND, {}, at.value, signal), [at.value]);
  const lines = trends(trend.data?.rows ?? []);
  const whole = (name: keyof Listed, label: string, about: string): TableColumn<Listed> => ({
    name,
    label,
    about,
    numeric: true,
    value: (row) => row[name],
    show: (row) => (row[name] === null ? "–" : number(Number(row[name]))),
  });
  return (
    <DataTable
      caption={`${counted(audiences.length, "audience")} of snapshot ${snapshot}, as of ${asOf}`}
      rows={audiences}
      rowKey={(row) => row.audience}
      columns={[
        {
          name: "audience",
          label: "Audience",
          head: true,
          value: (row) => row.audience,
          show: (row) => <a href={href(audiencePath(row.audience))}>{row.audience}</a>,
        },
        whole("members", "Members", "customers who are in it"),
        {
          name: "share",
          label: "Share",
          about: "of all customers",
          numeric: true,
          value: (row) => row.share,
          show: (row) => (row.share === null ? "–" : percent(row.share)),
        },
        whole("control", "Held back", "members who are kept back, to compare the others with"),
        whole("entered", "Entered", "since the snapshot before"),
        whole("exited", "Exited", "since the snapshot before"),
        {
          name: "trend",
          label: "Members over snapshots",
          show: (row) => <Sparkline values={lines.get(row.audience) ?? []} what={`Members of ${row.audience}`} />,
        },
        whole("priority", "Priority", "where somebody is in several, the smallest goes first"),
        { name: "description", label: "Description", show: (row) => row.description },
      ]}
    />
  );
}

interface Pair {
  one: string;
  other: string;
  common: number;
  ofOne: number | null;
  ofOther: number | null;
}

function Overlap({ audiences }: { audiences: Listed[] }) {
  const pairs = useLoad((signal) => runSql(PAIRS, {}, at.value, signal), [at.value]);
  const members = new Map(audiences.map((audience) => [audience.audience, audience.members]));
  const share = (row: Row, name: "one" | "other") => {
    const all = members.get(String(row[name]));
    return all ? Number(row.common) / all : null;
  };
  return (
    <Shown of={pairs} what="Common members are being counted">
      {({ rows }) => (
        <DataTable<Pair>
          caption="Members that two audiences have in common"
          rows={rows.map((row) => ({
            one: String(row.one),
            other: String(row.other),
            common: Number(row.common),
            ofOne: share(row, "one"),
            ofOther: share(row, "other"),
          }))}
          rowKey={(row) => `${row.one} ${row.other}`}
          pageSize={50}
          empty="No two audiences have a member in common."
          columns={[
            { name: "one", label: "One", head: true, value: (row) => row.one },
            { name: "other", label: "Other", head: true, value: (row) => row.other },
            {
              name: "common",
              label: "In both",
              numeric: true,
              value: (row) => row.common,
              show: (row) => number(row.common),
            },
            {
              name: "ofOne",
              label: "Of the one",
              numeric: true,
              value: (row) => row.ofOne,
              show: (row) => shareSaid(row.ofOne),
            },
            {
              name: "ofOther",
              label: "Of the other",
              numeric: true,
              value: (row) => row.ofOther,
              show: (row) => shareSaid(row.ofOther),
            },
          ]}
        />
      )}
    </Shown>
  );
}

function shareSaid(share: number | null): string {
  return share === null ? "–" : percent(share);
}
