// The backfills: snapshots of earlier days, and planning another one.
import { href } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, number } from "../../ui/format.ts";
import { Empty } from "../../ui/States.tsx";
import { listBackfills } from "./calls.ts";
import { CreateBackfill } from "./CreateBackfill.tsx";
import { Coordinated, Frame, noCoordinator, State, When } from "./Frame.tsx";
import { usePolled } from "./polled.ts";

export default function BackfillsPage() {
  const backfills = usePolled(listBackfills, [], (data) => (data?.some((one) => one.state === "running") ? 2 : 10));
  const missing = noCoordinator(backfills.error) ? "no coordinator answers" : null;
  return (
    <Frame title="Backfills" actions={<CreateBackfill disabledBecause={missing} />}>
      <Coordinated of={backfills} what="The backfills are loading">
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no backfill">
              <p>A backfill makes snapshots of earlier days with the events that are known today. They never become the newest snapshot.</p>
            </Empty>
          ) : (
            <DataTable
              caption={counted(all.length, "backfill")}
              rows={all}
              rowKey={(one) => one.backfill}
              columns={[
                {
                  name: "backfill",
                  label: "Backfill",
                  head: true,
                  show: (one) => (
                    <a class="id" href={href(`/backfills/${one.backfill}`)}>
                      {one.backfill}
                    </a>
                  ),
                },
                { name: "state", label: "State", value: (one) => one.state, show: (one) => <State of={one.state} /> },
                { name: "from", label: "First day", value: (one) => one.from },
                { name: "to", label: "Last day", value: (one) => one.to },
                {
                  name: "made",
                  label: "Days made",
                  numeric: true,
                  value: (one) => one.days_made,
                  show: (one) => `${number(one.days_made)} of ${number(one.days_total)}`,
                },
                { name: "submitted", label: "Submitted", value: (one) => one.submitted_at, show: (one) => <When at={one.submitted_at} /> },
                { name: "by", label: "Asked by", value: (one) => one.submitted_by },
              ]}
            />
          )
        }
      </Coordinated>
    </Frame>
  );
}
