// One delivery: what it sends where, what the next one would send, which there were, and what became of their rows.

import { useEffect, useState } from "preact/hooks";
import { asApiError, type ApiError } from "../../api/api.ts";
import { useLoad } from "../../api/load.ts";
import { at, href, place, setQuery } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { Button } from "../../ui/Button.tsx";
import { DataTable, type TableColumn } from "../../ui/DataTable.tsx";
import { counted, duration, number, time } from "../../ui/format.ts";
import { Empty, Failed, Loading, Shown } from "../../ui/States.tsx";
import "../../ui/cells.css";
import { audiencePath } from "../audiences/paths.ts";
import { campaignPath } from "../campaigns/paths.ts";
import { getDelivery, type Delivery, type Run } from "./api.ts";
import { Ledger } from "./Ledger.tsx";
import { NextPlan } from "./NextPlan.tsx";
import { StateBadge } from "./StateBadge.tsx";
import { leftOut, MODES } from "./words.ts";

export default function DeliveryPage({ parts }: PageProps) {
  const name = parts.delivery ?? "";
  return <One key={name} name={name} />;
}

function One({ name }: { name: string }) {
  const loaded = useLoad((signal) => getDelivery(name, null, signal), []);
  return (
    <>
      <div class="page-head">
        <h1>{name}</h1>
        <a href={href("/deliveries")}>All deliveries</a>
      </div>
      <Shown of={loaded} what="The delivery is loading" lines={8}>
        {(delivery) => (
          <div class="stack">
            <Facts delivery={delivery} />
            <NextPlan key={at.value ?? ""} name={name} />
            <Runs key={delivery.newest} delivery={delivery} />
          </div>
        )}
      </Shown>
    </>
  );
}

function Facts({ delivery }: { delivery: Delivery }) {
  return (
    <section class="card" aria-label="What it sends">
      <dl class="facts">
        <dt>Audience</dt>
        <dd>
          {delivery.audience === null ? (
            "rows of SQL or of a table"
          ) : (
            <a href={href(audiencePath(delivery.audience))}>{delivery.audience}</a>
          )}
        </dd>
        <dt>Destination</dt>
        <dd>{delivery.destination}</dd>
        <dt>Mode</dt>
        <dd>
          {delivery.mode}
          {MODES[delivery.mode] && <span class="quiet">: {MODES[delivery.mode]}</span>}
        </dd>
        <dt>Campaign</dt>
        <dd>
          {delivery.campaign === null ? (
            "none"
          ) : (
            <a href={href(campaignPath(delivery.campaign))}>{delivery.campaign}</a>
          )}
        </dd>
      </dl>
    </section>
  );
}

function Runs({ delivery }: { delivery: Delivery }) {
  const [older, setOlder] = useState<Run[]>([]);
  const [busy, setBusy] = useState<AbortController | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => () => busy?.abort(), [busy]);
  const runs = [...delivery.runs, ...older];
  const oldest = runs.at(-1)?.number ?? 0;
  const asked = Number(place.value.query.get("number"));
  const chosen = runs.find((run) => run.number === asked) ?? runs[0] ?? null;
  if (chosen === null)
    return <Empty title="It was never sent">Deliveries are sent from the command line, or by a schedule there.</Empty>;
  const more = async () => {
    const stop = new AbortController();
    setBusy(stop);
    setError(null);
    try {
      const found = await getDelivery(delivery.name, oldest, stop.signal);
      setOlder([...older, ...found.runs]);
    } catch (thrown) {
      if (!stop.signal.aborted) setError(asApiError(thrown));
    }
    setBusy(null);
  };
  const whole = (label: string, of: (run: Run) => number, about = ""): TableColumn<Run> => ({
    name: label,
    label,
    about,
    numeric: true,
    value: of,
    show: (run) => number(of(run)),
  });
  return (
    <>
      <DataTable<Run>
        caption={`${counted(delivery.newest, "time")} sent, the newest first`}
        rows={runs}
        rowKey={(run) => run.number}
        pageSize={10}
        onRow={{
          label: (run) => `Rows of ${run.number}`,
          choose: (run) => setQuery({ number: String(run.number), state: null }, true),
        }}
        columns={[
          { name: "number", label: "Number", head: true, numeric: true, value: (run) => run.number },
          { name: "state", label: "State", value: (run) => run.state, show: (run) => <StateBadge state={run.state} /> },
          { name: "snapshot", label: "Snapshot", numeric: true, value: (run) => run.snapshot },
          {
            name: "started_at",
            label: "Planned",
            value: (run) => run.started_at,
            show: (run) => <span class="day">{time(run.started_at)}</span>,
          },
          {
            name: "took",
            label: "Took",
            value: seconds,
            show: (run) => (run.ended_at === null ? "–" : duration(seconds(run) ?? 0)),
          },
          whole("Added", (run) => run.counts.adds),
          whole("Changed", (run) => run.counts.changes),
          whole("Removed", (run) => run.counts.removals),
          whole("Rows", (run) => run.counts.rows, "rows that were to be sent"),
          whole("Accepted", (run) => run.counts.accepted),
          whole("Rejected", (run) => run.counts.rejected),
          whole("Not known", (run) => run.counts.unsent, "rows of which it is not known what became of them"),
          {
            name: "left",
            label: "Left out",
            show: (run) =>
              leftOut(run.counts)
                .map(([why, count]) => `${number(count)} ${why}`)
                .join(", ") || "nobody",
          },
        ]}
      />
      {error && <Failed error={error} onRetry={() => void more()} />}
      {busy && <Loading what="Earlier ones are loading" lines={1} />}
      {oldest > 1 && !busy && (
        <div class="row">
          <Button onClick={() => void more()}>Earlier ones</Button>
        </div>
      )}
      <Ledger key={chosen.number} name={delivery.name} run={chosen} />
    </>
  );
}

function seconds(run: Run): number | null {
  return run.ended_at === null ? null : (Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000;
}
