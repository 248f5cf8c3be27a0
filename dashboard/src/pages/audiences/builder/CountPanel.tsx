// Whom the rule chooses, as it is now: how many, from which tiles, and some of them.

import { useEffect } from "preact/hooks";
import type { ApiError } from "../../../api/api.ts";
import { useLoad } from "../../../api/load.ts";
import { quoted } from "../../../api/quoted.ts";
import { listTables, runSql } from "../../../api/sql.ts";
import type { Row } from "../../../api/types.ts";
import { DataTable } from "../../../ui/DataTable.tsx";
import { counted as countedSaid, number, percent, signed } from "../../../ui/format.ts";
import { Failed } from "../../../ui/States.tsx";
import { announce } from "../../../ui/Toast.tsx";
import { CustomerFigure, CustomerLink } from "../../customer/cells.tsx";
import { keyOf, telling } from "../../customer/queries.ts";
import type { Counted } from "../api.ts";
import { Mix } from "../Mix.tsx";
import { SHOWN } from "../queries.ts";
import type { Count } from "./useCount.ts";

interface Props {
  count: Count;
  /** Members by the rule alone, where consent or suppression leave some out. */
  alone: Count | null;
  /** Why nothing is counted now. */
  waiting: string | null;
  /** Members that were published, when an audience is edited. */
  published: number | null;
}

export function CountPanel({ count, alone, waiting, published }: Props) {
  const { counted, error } = count;
  const isBusy = waiting === null && !count.isCurrent && error === null;
  useEffect(() => {
    if (count.isCurrent && counted) announce(`${countedSaid(counted.members, "member")}, ${percent(counted.share)}`);
  }, [count.isCurrent, counted]);
  return (
    <section class="card stack count-panel" aria-label="Who is in it" aria-busy={isBusy}>
      {waiting !== null && <p class="quiet">{waiting}</p>}
      {error !== null && waiting === null && <Wrong error={error} />}
      {counted === null ? (
        isBusy && <p class="quiet">Counting…</p>
      ) : (
        <div class={count.isCurrent ? "stack" : "stack stale"}>
          <div>
            <div class="big-number" data-members={counted.members}>
              {number(counted.members)}
            </div>
            <div class="quiet">
              {counted.members === 1 ? "member" : "members"}, {percent(counted.share)} of{" "}
              {countedSaid(counted.customers, "customer")}
              {published !== null &&
                `; ${signed(counted.members - published, (size) => number(size))} against what was published`}
              {isBusy && "; counting…"}
              {(waiting !== null || error !== null) && "; before the last change"}
            </div>
            {alone?.counted && alone.isCurrent && (
              <div class="quiet">
                {countedSaid(alone.counted.members, "customer")} by the rule alone, without consent and suppression
              </div>
            )}
          </div>
          {counted.tiles !== null && <Mix rows={counted.mix} tiles={counted.tiles} members={counted.members} />}
          <Sample counted={counted} />
          <p class="quiet">
            Counted exactly, over snapshot {counted.snapshot.number} as of {counted.snapshot.as_of}.
          </p>
        </div>
      )}
    </section>
  );
}

/** What the server says of the rule, with a note where it is about lists. */
function Wrong({ error }: { error: ApiError }) {
  const isOfLists = /there is no list/.test(error.detail);
  return (
    <>
      <Failed error={error} />
      {isOfLists && (
        <p class="quiet">
          Lists are files of the project. A count over a snapshot cannot read them; the next refresh does.
        </p>
      )}
    </>
  );
}

function Sample({ counted }: { counted: Counted }) {
  const keys = counted.sample.map((row) => String(row.customer));
  const at = String(counted.snapshot.number);
  const details = useLoad(
    async (signal) => {
      if (keys.length === 0) return null;
      const tables = await listTables(at, signal);
      const columns = telling(tables, SHOWN)
        .filter((name) => name !== counted.tiles)
        .slice(0, 2);
      if (columns.length === 0) return null;
      const places = keys.map((_, place) => keyOf(tables, `$${place + 1}`)).join(", ");
      const sql = `SELECT customer, ${columns.map(quoted).join(", ")}
FROM customer_value WHERE customer IN (${places})`;
      return { columns, rows: (await runSql(sql, keys, at, signal)).rows };
    },
    [at, keys.join("\n")],
  );
  if (keys.length === 0) return null;
  const of = new Map((details.data?.rows ?? []).map((row) => [String(row.customer), row]));
  const columns = [...(counted.tiles === null ? [] : [counted.tiles]), ...(details.data?.columns ?? [])];
  const rows: Row[] = counted.sample.map((row) => ({ ...of.get(String(row.customer)), ...row }));
  return (
    <DataTable
      caption={`${countedSaid(rows.length, "customer")} of them, the same ones each time`}
      rows={rows}
      rowKey={(row) => String(row.customer)}
      columns={[
        {
          name: "customer",
          label: "Customer",
          head: true,
          show: (row) => <CustomerLink customer={row.customer} />,
        },
        ...columns.map((name) => ({
          name,
          numeric: true,
          value: (row: Row) => row[name],
          show: (row: Row) => <CustomerFigure column={name} value={row[name]} />,
        })),
      ]}
    />
  );
}
