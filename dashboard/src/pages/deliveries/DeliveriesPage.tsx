// The deliveries of the project: what is sent where, and how the last one ended.

import { useLoad } from "../../api/load.ts";
import { href } from "../../location.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, number, time } from "../../ui/format.ts";
import { Empty, Shown } from "../../ui/States.tsx";
import { audiencePath } from "../audiences/paths.ts";
import { campaignPath } from "../campaigns/paths.ts";
import { listDeliveries } from "./api.ts";
import { deliveryPath } from "./paths.ts";
import { StateBadge } from "./StateBadge.tsx";

export default function DeliveriesPage() {
  const loaded = useLoad((signal) => listDeliveries(signal), []);
  return (
    <>
      <div class="page-head">
        <h1>Deliveries</h1>
        <a href={href("/campaigns")}>Campaigns</a>
      </div>
      <Shown of={loaded} what="Deliveries are loading" lines={6}>
        {(deliveries) =>
          deliveries.length === 0 ? (
            <Empty title="This project declares no deliveries">
              <p>
                A delivery is a file <code>deliveries/NAME.yaml</code> that says who is sent to which destination, with
                which fields.
              </p>
            </Empty>
          ) : (
            <DataTable
              caption={counted(deliveries.length, "delivery", "deliveries")}
              rows={deliveries}
              rowKey={(row) => row.name}
              columns={[
                {
                  name: "name",
                  label: "Delivery",
                  head: true,
                  value: (row) => row.name,
                  show: (row) => <a href={href(deliveryPath(row.name))}>{row.name}</a>,
                },
                {
                  name: "audience",
                  label: "Audience",
                  value: (row) => row.audience,
                  show: (row) =>
                    row.audience === null ? (
                      <span class="quiet">rows of SQL or a table</span>
                    ) : (
                      <a href={href(audiencePath(row.audience))}>{row.audience}</a>
                    ),
                },
                { name: "destination", label: "Destination", value: (row) => row.destination },
                { name: "mode", label: "Mode", value: (row) => row.mode },
                {
                  name: "campaign",
                  label: "Campaign",
                  value: (row) => row.campaign,
                  show: (row) =>
                    row.campaign === null ? "–" : <a href={href(campaignPath(row.campaign))}>{row.campaign}</a>,
                },
                {
                  name: "newest",
                  label: "Sent",
                  about: "how many times it was planned and sent",
                  numeric: true,
                  value: (row) => row.newest,
                  show: (row) => number(row.newest),
                },
                {
                  name: "state",
                  label: "The last one",
                  value: (row) => row.runs[0]?.state,
                  show: (row) =>
                    row.runs[0] ? <StateBadge state={row.runs[0].state} /> : <span class="quiet">never sent</span>,
                },
                {
                  name: "rejected",
                  label: "Rejected",
                  numeric: true,
                  value: (row) => row.runs[0]?.counts.rejected,
                  show: (row) => (row.runs[0] ? number(row.runs[0].counts.rejected) : "–"),
                },
                {
                  name: "started_at",
                  label: "Planned",
                  value: (row) => row.runs[0]?.started_at,
                  show: (row) => (row.runs[0] ? time(row.runs[0].started_at) : "–"),
                },
              ]}
            />
          )
        }
      </Shown>
    </>
  );
}
