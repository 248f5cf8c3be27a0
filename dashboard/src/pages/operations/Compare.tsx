// What differs between two snapshots: customers and their value here; how they moved between deciles is on a dashboard.
import { useState } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { quoted } from "../../api/quoted.ts";
import { listTables, newestOf, runSql } from "../../api/sql.ts";
import type { Row, Snapshot } from "../../api/types.ts";
import { href } from "../../location.ts";
import { Button, LinkButton } from "../../ui/Button.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { SelectField } from "../../ui/Field.tsx";
import { number, percent, signed } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { snapshotLabel } from "../../ui/SnapshotPicker.tsx";

export function Compare({ snapshots }: { snapshots: Snapshot[] }) {
  const newest = newestOf(snapshots);
  const before = newestOf(snapshots.filter((one) => one.number !== newest?.number));
  const [from, setFrom] = useState(String(before?.number ?? ""));
  const [to, setTo] = useState(String(newest?.number ?? ""));
  const [asked, setAsked] = useState<{ from: number; to: number } | null>(null);
  if (snapshots.length < 2) return null;
  const choices = snapshots.map((one) => ({ value: String(one.number), label: snapshotLabel(one) }));
  const off = from === to || from === "" || to === "" ? "choose two different snapshots" : null;
  return (
    <section aria-labelledby="compare">
      <h2 id="compare">Compare two snapshots</h2>
      <div class="filters foot">
        <SelectField label="From" value={from} choices={choices} onValue={setFrom} />
        <SelectField label="To" value={to} choices={choices} onValue={setTo} />
        <Button disabledBecause={off} onClick={() => setAsked({ from: Number(from), to: Number(to) })}>
          Compare
        </Button>
        <LinkButton href={href("/boards/deciles", { "f.from": from, "f.to": to })}>Moves between deciles</LinkButton>
      </div>
      {asked && <Differences key={`${asked.from}-${asked.to}`} {...asked} />}
    </section>
  );
}

/** Sums of these columns are compared, where both snapshots have them. */
const SUMMED = /^(revenue_lifetime|clv_.+)$/;

interface Difference {
  what: string;
  before: number | null;
  after: number | null;
}

async function differences(from: number, to: number, signal: AbortSignal): Promise<Difference[]> {
  const columns = async (at: number) => {
    const tables = await listTables(String(at), signal);
    return tables.find((table) => table.name === "customer_value")?.columns.map((column) => column.name) ?? [];
  };
  const [there, here] = await Promise.all([columns(from), columns(to)]);
  const summed = here.filter((name) => SUMMED.test(name) && there.includes(name));
  const sums = summed.map((name, place) => `, SUM(a.${quoted(name)}) AS a${place}, SUM(b.${quoted(name)}) AS b${place}`);
  const sql = `SELECT COUNT(a.customer) AS before, COUNT(b.customer) AS after,
  SUM(CASE WHEN a.customer IS NULL THEN 1 ELSE 0 END) AS came, SUM(CASE WHEN b.customer IS NULL THEN 1 ELSE 0 END) AS went${sums.join("")}
FROM snapshot('customer_value', $from) a FULL JOIN snapshot('customer_value', $to) b ON a.customer = b.customer`;
  const row = (await runSql(sql, { from, to }, null, signal)).rows[0] ?? {};
  const value = (name: string) => numberIn(row, name);
  return [
    { what: "Customers", before: value("before"), after: value("after") },
    { what: "Customers who came", before: null, after: value("came") },
    { what: "Customers who went", before: null, after: value("went") },
    ...summed.map((name, place) => ({ what: `Sum of ${name}`, before: value(`a${place}`), after: value(`b${place}`) })),
  ];
}

function numberIn(row: Row, name: string): number | null {
  const cell = row[name];
  return cell === null || cell === undefined ? null : Number(cell);
}

function Differences({ from, to }: { from: number; to: number }) {
  const found = useLoad((signal) => differences(from, to, signal), [from, to]);
  const change = ({ before, after }: Difference) => (before === null || after === null ? null : after - before);
  const share = (row: Difference) => {
    const by = change(row);
    return by === null || row.before === null || row.before === 0 ? "–" : signed(by / row.before, (size) => percent(size));
  };
  const exact = (value: number) => number(value, Number.isInteger(value) ? 0 : 2);
  const written = (value: number | null) => (value === null ? "–" : exact(value));
  return (
    <Shown of={found} what="The snapshots are compared">
      {(rows) => (
        <DataTable
          caption={`From snapshot ${from} to snapshot ${to}`}
          rows={rows}
          rowKey={(row) => row.what}
          columns={[
            { name: "what", label: "What", head: true, show: (row) => row.what },
            { name: "before", label: `Snapshot ${from}`, numeric: true, show: (row) => written(row.before) },
            { name: "after", label: `Snapshot ${to}`, numeric: true, show: (row) => written(row.after) },
            { name: "change", label: "Change", numeric: true, show: (row) => (change(row) === null ? "–" : signed(change(row) as number, exact)) },
            { name: "share", label: "Share", numeric: true, show: share },
          ]}
        />
      )}
    </Shown>
  );
}
