// The campaigns of a snapshot, the latest first.

import { useLoad } from "../../api/load.ts";
import { at, href } from "../../location.ts";
import { DataTable, type TableColumn } from "../../ui/DataTable.tsx";
import { counted, number, written } from "../../ui/format.ts";
import { Empty, Shown } from "../../ui/States.tsx";
import { listCampaigns, type Campaign } from "./api.ts";
import { Complete } from "./Complete.tsx";
import { campaignPath } from "./paths.ts";

export default function CampaignsPage() {
  const loaded = useLoad((signal) => listCampaigns(at.value, signal), [at.value]);
  const day = (name: "first_sent" | "last_event" | "window_ends", label: string): TableColumn<Campaign> => ({
    name,
    label,
    value: (row) => row[name],
    show: (row) => <span class="day">{written(row[name], { kind: "date" })}</span>,
  });
  const whole = (
    name: "customers" | "sent" | "opens" | "clicks" | "deliveries",
    label: string,
    about = "",
  ): TableColumn<Campaign> => ({
    name,
    label,
    about,
    numeric: true,
    value: (row) => row[name],
    show: (row) => number(row[name]),
  });
  return (
    <>
      <div class="page-head">
        <h1>Campaigns</h1>
        <a href={href("/deliveries")}>Deliveries</a>
      </div>
      <Shown of={loaded} what="Campaigns are loading" lines={6}>
        {(campaigns) =>
          campaigns.length === 0 ? (
            <Empty title="This snapshot has no campaigns">
              <p>
                What became of what was sent comes back as rows of a source of <code>kind: responses</code>; every
                refresh makes campaigns of them.
              </p>
            </Empty>
          ) : (
            <DataTable
              caption={counted(campaigns.length, "campaign")}
              rows={campaigns}
              rowKey={(row) => row.campaign}
              sort={{ column: "first_sent", descending: true }}
              columns={[
                {
                  name: "campaign",
                  label: "Campaign",
                  head: true,
                  value: (row) => row.campaign,
                  show: (row) => <a href={href(campaignPath(row.campaign))}>{row.campaign}</a>,
                },
                day("first_sent", "First send"),
                day("last_event", "Last event"),
                whole("customers", "Customers", "written to, or held out"),
                whole("sent", "Sent"),
                whole("opens", "Opens", "by people"),
                whole("clicks", "Clicks", "by people"),
                whole("deliveries", "Deliveries"),
                day("window_ends", "Purchases count until"),
                {
                  name: "is_complete",
                  label: "State",
                  value: (row) => row.is_complete,
                  show: (row) => <Complete campaign={row} />,
                },
              ]}
            />
          )
        }
      </Shown>
    </>
  );
}
