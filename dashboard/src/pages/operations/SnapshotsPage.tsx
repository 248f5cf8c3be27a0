// The snapshots night by night: when they were published, their marks, what they reused and what they cost, and what
// differs between two of them.
import { useEffect, useRef } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { listSnapshots, newestOf } from "../../api/sql.ts";
import { Chart } from "../../chart/Chart.tsx";
import type { ChartSpec } from "../../chart/shape.ts";
import { place } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { bytes, counted, number, percent } from "../../ui/format.ts";
import { Empty, Partial, Shown } from "../../ui/States.tsx";
import { runRecords } from "./calls.ts";
import { Compare } from "./Compare.tsx";
import { Day, Frame, RunLink, When } from "./Frame.tsx";
import { type Cost, drawnNights, type Night, nights } from "./nights.ts";
import { took } from "./times.ts";

/** Nights that are drawn: what fits. */
const DRAWN = 30;

export default function SnapshotsPage() {
  const snapshots = useLoad(listSnapshots, []);
  const records = useLoad(runRecords, []);
  return (
    <Frame title="Snapshots">
      {records.error && <Partial>What the nights cost is not known: {records.error.detail}</Partial>}
      <Shown of={snapshots} what="The snapshots are loading" lines={8}>
        {(all) => {
          if (all.length === 0) {
            return (
              <Empty title="There is no snapshot yet">
                <p>Every refresh that finds something new publishes one.</p>
              </Empty>
            );
          }
          const known = nights(all, records.data ?? []);
          return (
            <>
              <Charts nights={known} />
              <NightTable nights={known} newest={newestOf(all)?.number ?? 0} />
              <Compare snapshots={all} />
            </>
          );
        }}
      </Shown>
    </Frame>
  );
}

function Charts({ nights: all }: { nights: Night[] }) {
  const { result, unit } = drawnNights(all, DRAWN);
  if (result.rows.length === 0) return null;
  const seconds: ChartSpec = {
    mark: "bar",
    encode: { x: "snapshot", y: "seconds" },
    options: { x_title: "Snapshot", y_title: "Seconds", legend: "none" },
    describe: `Bars show how many seconds the runs of the last ${counted(result.rows.length, "snapshot")} took, the oldest first.`,
  };
  const state: ChartSpec = {
    mark: "bar",
    encode: { x: "snapshot", y: ["read", "written"] },
    options: { x_title: "Snapshot", y_title: unit, legend: "bottom" },
    describe: `Bars show how much state the same runs read and wrote, in ${unit}.`,
  };
  return (
    <div class="columns after">
      <section class="card drawn" aria-labelledby="seconds">
        <h2 id="seconds">Seconds by night</h2>
        <Chart title="Seconds by night" spec={seconds} result={result} />
      </section>
      <section class="card drawn" aria-labelledby="bytes">
        <h2 id="bytes">State read and written by night</h2>
        <Chart title="State read and written by night" spec={state} result={result} />
      </section>
    </div>
  );
}

function NightTable({ nights: all, newest }: { nights: Night[]; newest: number }) {
  const table = useRef<HTMLDivElement>(null);
  const shown = place.value.query.get("show");
  useEffect(() => {
    // Who comes by a link to one snapshot finds it in sight.
    table.current?.querySelector("[data-shown]")?.scrollIntoView({ block: "center" });
  }, [shown]);
  const cost = (name: keyof Cost, label: string, about: string, show: (value: number) => string = number) => ({
    name, label, about, numeric: true,
    value: (night: Night) => night.cost?.[name] ?? null,
    show: (night: Night) => (night.cost === null ? "–" : show(night.cost[name])),
  });
  return (
    <div ref={table} class="after">
      <DataTable
        caption={`${counted(all.length, "snapshot")} that can be read. Seconds, bytes and requests are those of the run that made it, while its record is among the latest 50.`}
        rows={all}
        rowKey={(night) => night.snapshot.number}
        pageSize={50}
        start={all.findIndex((night) => String(night.snapshot.number) === shown)}
        columns={[
          {
            name: "number",
            label: "Snapshot",
            head: true,
            numeric: true,
            value: (night) => night.snapshot.number,
            show: (night) => {
              const asked = String(night.snapshot.number) === shown;
              return <span {...(asked ? { "data-shown": true, class: "asked" } : {})}>{night.snapshot.number}</span>;
            },
          },
          { name: "as_of", label: "As of", value: (night) => night.snapshot.as_of, show: (night) => <Day of={night.snapshot.as_of} /> },
          { name: "marks", label: "Marks", show: (night) => <Marks night={night} newest={newest} /> },
          { name: "published", label: "Published", value: (night) => night.snapshot.published_at, show: (night) => <When at={night.snapshot.published_at} /> },
          { name: "customers", label: "Customers", numeric: true, value: (night) => night.snapshot.customers, show: (night) => number(night.snapshot.customers) },
          cost("seconds", "Took", "Seconds of all steps together", took),
          {
            name: "read",
            label: "State read",
            numeric: true,
            about: "State that merging read, and its share of what a full refresh reads",
            value: (night) => night.cost?.bytesRead ?? null,
            show: (night) => <StateRead of={night.cost} />,
          },
          cost("bytesWritten", "State written", "State that merging wrote", bytes),
          {
            name: "files",
            label: "Files reused",
            numeric: true,
            about: "Input files that earlier runs had taken in, of all",
            value: (night) => night.cost?.filesReused ?? null,
            show: (night) => (night.cost === null ? "–" : `${number(night.cost.filesReused)} of ${number(night.cost.filesReused + night.cost.filesRead)}`),
          },
          cost("get", "Reads", "Objects of the store and inputs that were read, or parts of them"),
          cost("put", "Writes", "Objects that were written"),
          cost("list", "Listings", "Listings of the store and the inputs"),
          { name: "hash", label: "Hash", show: (night) => <span class="id" title={night.snapshot.hash}>{night.snapshot.hash.slice(0, 8)}</span> },
          { name: "run", label: "Run", show: (night) => <RunLink short run={night.record?.run ?? ""} /> },
        ]}
      />
    </div>
  );
}

function StateRead({ of }: { of: Cost | null }) {
  if (of === null) return <>–</>;
  return (
    <>
      {bytes(of.bytesRead)}
      {of.bytesThere > 0 && <span class="quiet"> {percent(of.bytesRead / of.bytesThere, 0)}</span>}
    </>
  );
}

function Marks({ night, newest }: { night: Night; newest: number }) {
  const { snapshot } = night;
  return (
    <span class="row">
      {snapshot.number === newest && <span class="badge good">newest</span>}
      {snapshot.tags.map((tag) => (
        <span key={tag} class="badge">
          {tag}
        </span>
      ))}
      {snapshot.pinned && <span class="badge">pinned</span>}
      {snapshot.backfill !== null && <span class="badge">backfill</span>}
      {snapshot.rollback_of !== null && <span class="badge warn">rollback to {snapshot.rollback_of}</span>}
    </span>
  );
}
