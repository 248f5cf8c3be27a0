// Whether the data can be trusted: rows that the last run refused, how well the models foretold the time that was held
// out, and how far distributions have moved since the night before.
import { useLoad, type Loaded } from "../../api/load.ts";
import { listTables, runSql } from "../../api/sql.ts";
import type { Row, SqlAnswer } from "../../api/types.ts";
import { at, href } from "../../location.ts";
import { number as count, percent } from "../../ui/format.ts";
import { Shown } from "../../ui/States.tsx";
import { Words } from "../../ui/Words.tsx";
import { RunLink } from "./Frame.tsx";
import type { RunRecord } from "./messages.ts";
import { readingRuns, refusedRows, rowsOf } from "./nights.ts";

const HOLDOUT = `SELECT model, used, holdout_days, predicted_purchases, actual_purchases, predicted_to_actual
FROM fact_model_quality WHERE frequency IS NULL ORDER BY model`;

const DRIFT = `SELECT COUNT(psi) AS compared, SUM(CASE WHEN exceeded THEN 1 ELSE 0 END) AS exceeded, MAX(psi) AS psi
FROM fact_drift WHERE kind = 'distribution'`;

const FARTHEST = `SELECT measure, lookback, dimension_value, psi, threshold, exceeded
FROM fact_drift WHERE kind = 'distribution' AND psi IS NOT NULL ORDER BY psi DESC, measure, lookback LIMIT 3`;

interface Told {
  holdout: SqlAnswer | null;
  drift: SqlAnswer | null;
  farthest: SqlAnswer | null;
}

interface Props {
  records: Loaded<RunRecord[]>;
  /** Another one when there may be another snapshot. */
  turn: string;
}

export function Quality({ records, turn }: Props) {
  const told = useLoad(async (signal): Promise<Told> => {
    // A project without models has no table about their quality.
    const names = new Set((await listTables(at.value, signal)).map((table) => table.name));
    const ask = (table: string, sql: string) => (names.has(table) ? runSql(sql, {}, at.value, signal) : Promise.resolve(null));
    const [holdout, drift, farthest] = await Promise.all([
      ask("fact_model_quality", HOLDOUT),
      ask("fact_drift", DRIFT),
      ask("fact_drift", FARTHEST),
    ]);
    return { holdout, drift, farthest };
  }, [at.value, turn]);
  const number = told.data?.holdout?.snapshot.number ?? told.data?.drift?.snapshot.number;
  return (
    <section aria-labelledby="quality">
      <h2 id="quality">Data quality{number === undefined ? "" : `: snapshot ${number}`}</h2>
      <div class="columns">
        <div class="card">
          <h3>Rows refused</h3>
          <Shown of={records} what="The records are loading">
            {(all) => (number === undefined ? null : <RefusedRows {...readingRuns(all, number)} />)}
          </Shown>
        </div>
        <div class="card">
          <h3>Holdout: purchases foretold and made</h3>
          <Shown of={told} what="The quality of the models is loading">
            {(data) => <Holdout rows={data.holdout?.rows ?? null} />}
          </Shown>
        </div>
        <div class="card">
          <h3>Drift since the night before</h3>
          {told.data ? <Drift totals={told.data.drift?.rows[0]} farthest={told.data.farthest?.rows ?? []} /> : null}
        </div>
      </div>
    </section>
  );
}

/** Of the run that made the snapshot, or where that read nothing, of the last one before that did. */
function RefusedRows({ made, read }: ReturnType<typeof readingRuns>) {
  if (made === null) return <p class="quiet">The run that made this snapshot is not among the latest that are recorded.</p>;
  if (read === null) return <p class="quiet">No run that is recorded read a row.</p>;
  const rows = rowsOf(read.summary);
  const reasons = refusedRows(read.summary).slice(0, 3);
  return (
    <>
      <p class="figure">
        {count(rows.refused)} <span class="quiet">of {count(rows.read)} rows</span>
      </p>
      {reasons.map((one) => (
        <p key={`${one.source} ${one.reason}`}>
          {count(one.rows)} × <Words text={one.reason} /> <span class="quiet">({one.source})</span>
        </p>
      ))}
      <p class="quiet">
        {read === made ? "Read by" : "Nothing was new since"} <RunLink run={read.run} />
      </p>
    </>
  );
}

function Holdout({ rows }: { rows: Row[] | null }) {
  if (rows === null) return <p class="quiet">This project declares no model.</p>;
  if (rows.length === 0) return <p class="quiet">Nothing is held out: the project says so.</p>;
  return (
    <table class="small">
      <caption class="unseen">Purchases that each model foretold for the time that was held out, by those that were made</caption>
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col" class="numeric">
            Foretold
          </th>
          <th scope="col" class="numeric">
            Made
          </th>
          <th scope="col" class="numeric">
            Ratio
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={String(row.model)}>
            <th scope="row">
              {String(row.model)}
              {row.used !== row.model && <span class="quiet"> (used: {String(row.used)})</span>}
            </th>
            <td class="numeric">{count(Number(row.predicted_purchases), 0)}</td>
            <td class="numeric">{count(Number(row.actual_purchases), 0)}</td>
            <td class="numeric">{row.predicted_to_actual === null ? "–" : percent(Number(row.predicted_to_actual))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Drift({ totals, farthest }: { totals: Row | undefined; farthest: Row[] }) {
  const compared = Number(totals?.compared ?? 0);
  if (compared === 0) return <p class="quiet">Nothing to compare with: it is the first snapshot, or one that was made afterwards.</p>;
  const exceeded = Number(totals?.exceeded ?? 0);
  return (
    <>
      <p class="figure">
        {count(exceeded)} <span class="quiet">of {count(compared)} distributions beyond their threshold</span>
      </p>
      {farthest.map((row) => (
        <p key={`${row.measure} ${row.lookback} ${row.dimension_value}`}>
          {String(row.measure)} {String(row.lookback)}
          {row.dimension_value !== null && `, ${String(row.dimension_value)}`}: <abbr title="population stability index">PSI</abbr>{" "}
          {count(Number(row.psi), 4)} <span class="quiet">(threshold {count(Number(row.threshold))})</span>
          {row.exceeded === true && <span class="badge warn">beyond</span>}
        </p>
      ))}
      <p>
        <a href={href("/tables/fact_drift")}>All parameters and distributions</a>
      </p>
    </>
  );
}
