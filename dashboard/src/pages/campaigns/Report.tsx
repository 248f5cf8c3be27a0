// The lines of a report as a table, with shares and their intervals, and what is sure beyond those who were held out.

import { download, fileName } from "../../chart/export.ts";
import { Button } from "../../ui/Button.tsx";
import { Decile } from "../../ui/customer.tsx";
import { DataTable, type TableColumn } from "../../ui/DataTable.tsx";
import { money, number, percent, signed } from "../../ui/format.ts";
import type { By, Interval, Line } from "./api.ts";
import { csvOfLines } from "./csv.ts";
import { IntervalBar } from "./IntervalBar.tsx";
import { reach } from "./lines.ts";

const HEADS: Record<By, string> = { campaign: "Campaign", audience: "Audience", decile: "Decile", holdout: "Group" };

export function Report({ lines, by, name }: { lines: Line[]; by: By; name: string }) {
  const scale = reach(lines.map((line) => line.uplift.conversion?.difference));
  const whole = (
    column: "customers" | "control" | "sent" | "delivered" | "opens" | "machine_opens" | "clicks",
    label: string,
    about: string,
  ): TableColumn<Line> => ({
    name: column,
    label,
    about,
    numeric: true,
    value: (line) => line[column],
    show: (line) => number(line[column]),
  });
  const rate = (column: keyof Line["rates"], label: string, about: string): TableColumn<Line> => ({
    name: column,
    label,
    about,
    numeric: true,
    value: (line) => line.rates[column]?.value,
    show: (line) => <Rate interval={line.rates[column]} />,
  });
  const columns: TableColumn<Line>[] = [
    {
      name: "group",
      label: HEADS[by],
      head: true,
      value: (line) => line.group,
      show: (line) => groupSaid(line, by, name),
    },
    whole("customers", "Customers", "whose first send it is"),
    ...(by === "holdout" ? [] : [whole("control", "Held out", "customers who were held out")]),
    whole("sent", "Sent", "mails"),
    rate("delivery", "Delivered", "mails that arrived, of those that were sent"),
    whole("opens", "Opens", "by people"),
    whole("machine_opens", "By machines", "opens by machines"),
    rate("open", "Opened", "customers who opened"),
    rate("click", "Clicked", "customers who clicked"),
    rate("conversion", "Purchased", "customers who purchased within the window"),
    {
      name: "revenue",
      label: "Spent",
      numeric: true,
      value: (line) => line.revenue,
      show: (line) => (line.revenue === null ? "–" : money(line.revenue, undefined, 2)),
    },
  ];
  if (by !== "holdout") {
    columns.push({
      name: "uplift",
      label: "Uplift of purchases",
      about: "share of customers who purchased, beyond those who were held out, in points",
      value: (line) => line.uplift.conversion?.difference.value,
      show: (line) => <Beyond line={line} scale={scale} />,
    });
  }
  return (
    <div class="stack">
      <DataTable
        caption="Customers count with their first send, events with the send that they answer"
        rows={lines}
        rowKey={(line) => String(line.group)}
        columns={columns}
        empty="The campaign has no sends."
      />
      {lines.length > 1 && by !== "holdout" && (
        <p class="between">Many lines are many chances: of twenty intervals one misses.</p>
      )}
      <div class="row">
        <Button
          onClick={() =>
            download(fileName(`${name} by ${by}`, "csv"), new Blob([csvOfLines(lines, by)], { type: "text/csv" }))
          }
        >
          Export CSV
        </Button>
      </div>
    </div>
  );
}

function groupSaid(line: Line, by: By, name: string) {
  if (by === "campaign") return name;
  if (line.group === null) return <span class="quiet">none was said</span>;
  if (by === "decile") return <Decile value={line.group} />;
  if (by === "holdout")
    return line.group === "control" ? "held out" : line.group === "treated" ? "written to" : String(line.group);
  return String(line.group);
}

function Rate({ interval }: { interval: Interval | null }) {
  if (interval === null) return <>–</>;
  return (
    <>
      {percent(interval.value)}
      <br />
      <span class="between">
        {percent(interval.low)} to {percent(interval.high)}
      </span>
    </>
  );
}

function Beyond({ line, scale }: { line: Line; scale: [number, number] }) {
  const difference = line.uplift.conversion?.difference;
  if (difference === undefined) return <span class="quiet">–</span>;
  const points = (share: number) => number(share * 100, 1);
  return (
    <>
      <IntervalBar low={difference.low} high={difference.high} value={difference.value} scale={scale} />
      <span class="day">
        {signed(difference.value, points)}{" "}
        <span class="between">
          ({signed(difference.low, points)} to {signed(difference.high, points)})
        </span>
      </span>
    </>
  );
}
