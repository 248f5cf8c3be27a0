// The story of a run: what happened, the newest first.
import { DataTable } from "../../ui/DataTable.tsx";
import { counted, time } from "../../ui/format.ts";
import { Words } from "../../ui/Words.tsx";
import { runEvents } from "./calls.ts";
import { Coordinated } from "./Frame.tsx";
import { usePolled } from "./polled.ts";
import { story } from "./progress.ts";

const LEVELS: Record<string, string> = { info: "", warning: "warn", error: "bad" };

/** The coordinator tells the whole story each time: it cannot be asked for what came after an event. */
export function RunStory({ run, live }: { run: string; live: boolean }) {
  const events = usePolled((signal) => runEvents(run, signal), [run], () => (live ? 1 : null), live);
  return (
    <Coordinated of={events} what="The story is loading">
      {(all) => (
        <DataTable
          caption={`${counted(all.length, "event")}, the newest first`}
          rows={story(all)}
          rowKey={(_, index) => all.length - index}
          empty="Nothing has happened yet."
          pageSize={100}
          columns={[
            { name: "at", label: "When", show: (event) => <time dateTime={event.at}>{time(event.at)}</time> },
            { name: "level", label: "Level", show: (event) => <span class={`badge ${LEVELS[event.level] ?? ""}`}>{event.level}</span> },
            {
              name: "message",
              label: "What",
              show: (event) => (
                <>
                  <Words text={event.message} />
                  {event.remedy !== "" && <div class="quiet">What to do: <Words text={event.remedy} /></div>}
                </>
              ),
            },
            { name: "worker", label: "Worker", show: (event) => <span class="id">{event.worker || "–"}</span> },
          ]}
        />
      )}
    </Coordinated>
  );
}
