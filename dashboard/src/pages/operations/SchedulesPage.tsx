// The schedules: state, pattern, next firing, last run.
import { href } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, number } from "../../ui/format.ts";
import { Empty } from "../../ui/States.tsx";
import { listSchedules } from "./calls.ts";
import { Coordinated, Frame, RunLink, State } from "./Frame.tsx";
import { now, usePolled } from "./polled.ts";
import { firingWords } from "./times.ts";

export default function SchedulesPage() {
  const schedules = usePolled(listSchedules, [], () => 10);
  return (
    <Frame title="Schedules">
      <Coordinated of={schedules} what="The schedules are loading">
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no schedule">
              <p>A schedule is a YAML file that is applied to the coordinator, and has it refresh by itself:</p>
              <p>
                <code>tenfold schedule apply -f nightly.yaml</code>
              </p>
            </Empty>
          ) : (
            <DataTable
              caption={counted(all.length, "schedule")}
              rows={all}
              rowKey={(schedule) => schedule.schedule}
              columns={[
                {
                  name: "schedule",
                  label: "Schedule",
                  head: true,
                  value: (one) => one.schedule,
                  show: (one) => <a href={href(`/schedules/${encodeURIComponent(one.schedule)}`)}>{one.schedule}</a>,
                },
                {
                  name: "state",
                  label: "State",
                  value: (one) => one.state,
                  show: (one) => (
                    <>
                      <State of={one.state} /> {one.late && <span class="badge bad">late</span>}
                    </>
                  ),
                },
                { name: "cron", label: "Pattern", show: (one) => <code>{one.cron}</code> },
                { name: "zone", label: "Zone", value: (one) => one.zone },
                {
                  name: "next",
                  label: "Next firing",
                  value: (one) => one.next?.utc ?? null,
                  show: (one) => (one.state === "paused" ? <span class="quiet">paused</span> : firingWords(one.next, now.value)),
                },
                {
                  name: "last",
                  label: "Last run",
                  show: (one) => (one.last_run === "" ? "–" : <>{one.last_state !== "" && <State of={one.last_state} />} <RunLink run={one.last_run} /></>),
                },
                { name: "failures", label: "Failed in a row", numeric: true, value: (one) => one.failures, show: (one) => number(one.failures) },
                { name: "skipped", label: "Skipped firings", numeric: true, value: (one) => one.skipped, show: (one) => number(one.skipped) },
              ]}
            />
          )
        }
      </Coordinated>
    </Frame>
  );
}
