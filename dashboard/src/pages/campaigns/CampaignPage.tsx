// What a campaign came to: its way from sends to purchases, opens by decile, what it did beyond those who were held
// out, and the report by audience, decile or group.

import { useMemo } from "preact/hooks";
import { useLoad } from "../../api/load.ts";
import { Chart } from "../../chart/Chart.tsx";
import { at, href, place, setQuery } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { money, number, percent, signed, written } from "../../ui/format.ts";
import { Partial, Shown } from "../../ui/States.tsx";
import { Tabs } from "../../ui/Tabs.tsx";
import { BY, getCampaign, getReport, type By, type Campaign, type Difference, type Line } from "./api.ts";
import "../../ui/cells.css";
import "./campaigns.css";
import { Complete } from "./Complete.tsx";
import { IntervalBar } from "./IntervalBar.tsx";
import { byDecile, funnel, reach, verdict } from "./lines.ts";
import { Report } from "./Report.tsx";

export default function CampaignPage({ parts }: PageProps) {
  const name = parts.campaign ?? "";
  return <One key={name} name={name} />;
}

function One({ name }: { name: string }) {
  const loaded = useLoad(
    async (signal) => {
      const [campaign, whole, deciles] = await Promise.all([
        getCampaign(name, at.value, signal),
        getReport(name, "campaign", at.value, signal),
        getReport(name, "decile", at.value, signal),
      ]);
      return { campaign, whole: whole[0] ?? null, deciles };
    },
    [at.value],
  );
  return (
    <>
      <div class="page-head">
        <h1>{name}</h1>
        <a href={href("/campaigns")}>All campaigns</a>
      </div>
      <Shown of={loaded} what="The campaign is loading" lines={8}>
        {({ campaign, whole, deciles }) => (
          <div class="stack">
            <Facts campaign={campaign} />
            {campaign.is_complete === false && (
              <Partial>
                Purchases count until {campaign.window_ends ?? "the end of the window"}, which this snapshot does not
                know yet: shares of purchases and what was spent will still grow.
              </Partial>
            )}
            {whole !== null && (
              <>
                <div class="columns">
                  <Way name={name} line={whole} />
                  <Opens name={name} lines={deciles} />
                </div>
                <Uplift line={whole} />
              </>
            )}
            <Reports name={name} />
          </div>
        )}
      </Shown>
    </>
  );
}

function Facts({ campaign }: { campaign: Campaign }) {
  const facts: [string, string][] = [
    ["First send", written(campaign.first_sent, { kind: "date" })],
    ["Last send", written(campaign.last_sent, { kind: "date" })],
    ["Last event", written(campaign.last_event, { kind: "date" })],
    ["Customers", number(campaign.customers)],
    ["Sent", number(campaign.sent)],
    ["Opens by people", number(campaign.opens)],
    ["Clicks by people", number(campaign.clicks)],
    ["Purchases count until", written(campaign.window_ends, { kind: "date" })],
  ];
  return (
    <section class="card" aria-label="Figures">
      <dl class="figures">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>State</dt>
          <dd>
            <Complete campaign={campaign} />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Way({ name, line }: { name: string; line: Line }) {
  const result = useMemo(() => funnel(line), [line]);
  return (
    <section class="card campaign-chart">
      <h2>From sends to purchases</h2>
      <Chart
        title={`${name}: from sends to purchases`}
        spec={{
          mark: "funnel",
          encode: { x: "stage", y: "count" },
          format: { count: { kind: "number" } },
          describe: "How many mails were sent and arrived, and how many customers opened, clicked and purchased",
        }}
        result={result}
      />
      <p class="between">
        Of those who were written to. {number(line.machine_opens)} opens were by machines and do not count;{" "}
        {number(line.control)} customers were held out.
      </p>
    </section>
  );
}

function Opens({ name, lines }: { name: string; lines: Line[] }) {
  const result = useMemo(() => byDecile(lines), [lines]);
  return (
    <section class="card campaign-chart">
      <h2>Opens by decile at the send</h2>
      {result.rows.length === 0 ? (
        <p class="quiet">The sends of this campaign said no decile.</p>
      ) : (
        <Chart
          title={`${name}: opens by decile at the send`}
          spec={{
            mark: "combo",
            encode: { x: "decile", y: ["opens", "machine_opens"], line: "open_rate" },
            format: { open_rate: { kind: "percent" }, opens: { kind: "number" }, machine_opens: { kind: "number" } },
            options: { legend: "top", x_title: "Decile at the send", stacked: true },
            describe:
              "Opens by people and by machines of each decile as bars, and the share of customers who opened as a line",
          }}
          result={result}
        />
      )}
    </section>
  );
}

function Uplift({ line }: { line: Line }) {
  const { conversion, revenue } = line.uplift;
  if (conversion === null && revenue === null) {
    return (
      <section class="card">
        <h2>Uplift</h2>
        <p class="quiet">
          {line.control === 0
            ? "Nobody was held out, so there is nobody to compare with."
            : "Nothing is known of purchases, so there is nothing to compare."}
        </p>
      </section>
    );
  }
  return (
    <section class="card uplift">
      <h2>Uplift</h2>
      <dl class="figures">
        {conversion !== null && (
          <Compared label="Share of customers who purchased" of={conversion} write={(share) => percent(share)} points />
        )}
        {revenue !== null && (
          <Compared label="Spent by a customer" of={revenue} write={(size) => money(size, undefined, 2)} />
        )}
      </dl>
      <p class="between">
        {number(line.customers)} customers who were written to beside {number(line.control)} who were held out.
        Intervals are those of 95 %.
      </p>
    </section>
  );
}

const SAID = {
  more: "more than by chance",
  less: "less than by chance",
  chance: "chance alone may have done it",
};

interface ComparedProps {
  label: string;
  of: Difference;
  write: (value: number) => string;
  /** Whether differences are those of shares. */
  points?: boolean;
}

function Compared({ label, of, write, points = false }: ComparedProps) {
  const size = points ? (value: number) => `${number(value * 100, 1)} points` : write;
  const { value, low, high } = of.difference;
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <span>{signed(value, size)}</span>
        <IntervalBar low={low} high={high} value={value} scale={reach([of.difference])} />
        <small>
          {signed(low, size)} to {signed(high, size)}: {SAID[verdict(of.difference)]}
        </small>
        <small>
          {write(of.first)} beside {write(of.second)}
        </small>
      </dd>
    </div>
  );
}

const TITLES: Record<By, string> = {
  campaign: "Whole campaign",
  audience: "By audience",
  decile: "By decile",
  holdout: "By group",
};

function Reports({ name }: { name: string }) {
  const asked = place.value.query.get("by");
  const by = BY.find((one) => one === asked) ?? "audience";
  const report = useLoad(
    (signal) => getReport(name, by, at.value, signal).then((lines) => ({ by, lines })),
    [by, at.value],
  );
  return (
    <section>
      <h2>Report</h2>
      <Tabs
        label="What the lines are about"
        tabs={BY.map((id) => ({ id, label: TITLES[id] }))}
        chosen={by}
        onChoose={(id) => setQuery({ by: id }, true)}
      >
        <Shown of={report} what="The report is being made">
          {(made) => <Report lines={made.lines} by={made.by} name={name} />}
        </Shown>
      </Tabs>
    </section>
  );
}
