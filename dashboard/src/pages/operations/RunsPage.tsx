// The runs that a coordinator knows, by state and schedule, page by page, and the records that all ended runs left in
// the store, also those of commands.
import { useLoad } from "../../api/load.ts";
import { place, setQuery } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { SelectField } from "../../ui/Field.tsx";
import { Shown } from "../../ui/States.tsx";
import { Tabs } from "../../ui/Tabs.tsx";
import { listRuns, listSchedules, runRecords } from "./calls.ts";
import { Coordinated, Frame, noCoordinator } from "./Frame.tsx";
import type { Run } from "./messages.ts";
import { usePolled } from "./polled.ts";
import { isOver } from "./progress.ts";
import { RecordTable, RunTable } from "./RunTable.tsx";
import { SubmitRun } from "./SubmitRun.tsx";

const PAGE = 25;

/** What can be chosen, with the states that it stands for. */
const CHOICES: { value: string; label: string; states: string[] }[] = [
  { value: "", label: "all", states: [] },
  { value: "open", label: "waiting or at work", states: ["queued", "planning", "running", "cancelling", "publishing"] },
  { value: "succeeded", label: "succeeded", states: ["succeeded"] },
  { value: "partial", label: "partial", states: ["partial"] },
  { value: "failed", label: "failed or timed out", states: ["failed", "timed_out"] },
  { value: "cancelled", label: "cancelled", states: ["cancelled"] },
];

export default function RunsPage() {
  const query = place.value.query;
  const state = query.get("state") ?? "";
  const schedule = query.get("schedule") ?? "";
  const page = Math.max(0, Number(query.get("page") ?? "1") - 1) || 0;
  const states = CHOICES.find((choice) => choice.value === state)?.states ?? [];
  // The newest so many: one more than is shown says whether there is a further page.
  const runs = usePolled(
    (signal) => listRuns({ states, schedule, limit: (page + 1) * PAGE + 1 }, signal),
    [state, schedule, page],
    (data) => (data?.some((run) => !isOver(run.state)) ? 2 : 10),
  );
  const schedules = useLoad(listSchedules, []);
  const missing = noCoordinator(runs.error) ? "no coordinator answers" : null;
  const view = query.get("view") === "records" ? "records" : "runs";

  return (
    <Frame title="Runs" actions={<SubmitRun disabledBecause={missing} />}>
      <Tabs
        label="Where runs are known"
        tabs={[
          { id: "runs", label: "Known to the coordinator" },
          { id: "records", label: "Recorded in the store" },
        ]}
        chosen={view}
        onChoose={(id) => setQuery({ view: id === "runs" ? null : id }, true)}
      >
        {view === "records" ? (
          <Records />
        ) : (
          <>
            <div class="filters">
              <SelectField label="State" value={state} choices={CHOICES} onValue={(value) => setQuery({ state: value, page: null })} />
              <SelectField
                label="Schedule"
                value={schedule}
                choices={[{ value: "", label: "all" }, ...namesWith(schedules.data?.map((one) => one.schedule) ?? [], schedule)]}
                onValue={(value) => setQuery({ schedule: value, page: null })}
              />
            </div>
            <Coordinated of={runs} what="The runs are loading" lines={6}>
              {(all) => <RunPages runs={all} page={page} filtered={state !== "" || schedule !== ""} />}
            </Coordinated>
          </>
        )}
      </Tabs>
    </Frame>
  );
}

function Records() {
  const records = useLoad(runRecords, []);
  return (
    <Shown of={records} what="The records are loading" lines={6}>
      {(all) => <RecordTable records={all} caption={`The latest runs that ended, whoever made them: ${all.length}`} />}
    </Shown>
  );
}

/** A schedule that was deleted can still be chosen by its address. */
function namesWith(names: string[], chosen: string) {
  const all = chosen === "" || names.includes(chosen) ? names : [...names, chosen];
  return all.map((name) => ({ value: name, label: name }));
}

function RunPages({ runs, page, filtered }: { runs: Run[]; page: number; filtered: boolean }) {
  const shown = runs.slice(page * PAGE, (page + 1) * PAGE);
  const more = runs.length > (page + 1) * PAGE;
  const empty = page > 0 ? "There are no older runs." : filtered ? "No run is like this." : "No run was submitted yet.";
  const go = (to: number) => setQuery({ page: to === 0 ? null : String(to + 1) });
  return (
    <>
      <RunTable runs={shown} caption={page === 0 ? "The newest runs first" : `Runs, page ${page + 1}`} empty={empty} />
      {(page > 0 || more) && (
        <nav class="pager" aria-label="Pages of runs">
          <Button kind="quiet" disabledBecause={page === 0 ? "these are the newest" : null} onClick={() => go(page - 1)}>
            Newer
          </Button>
          <span aria-live="polite">Page {page + 1}</span>
          <Button kind="quiet" disabledBecause={more ? null : "there are no older ones"} onClick={() => go(page + 1)}>
            Older
          </Button>
        </nav>
      )}
    </>
  );
}
