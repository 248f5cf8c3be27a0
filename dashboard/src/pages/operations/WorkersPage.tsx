// The workers: state, slots, memory, what they have to do, and draining them.
import { DataTable } from "../../ui/DataTable.tsx";
import { bytes, counted, number } from "../../ui/format.ts";
import { Empty } from "../../ui/States.tsx";
import { Action } from "./Action.tsx";
import { drainWorker, listWorkers, uncordonWorker } from "./calls.ts";
import { Coordinated, Frame, State, When } from "./Frame.tsx";
import type { Worker } from "./messages.ts";
import { usePolled } from "./polled.ts";

export default function WorkersPage() {
  const workers = usePolled(listWorkers, [], () => 3);
  return (
    <Frame title="Workers">
      <Coordinated of={workers} what="The workers are loading">
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no worker">
              <p>Runs wait until one begins:</p>
              <p>
                <code>tenfold worker -p PROJECT --address http://COORDINATOR:7400</code>
              </p>
            </Empty>
          ) : (
            <WorkerTable workers={all} onDone={workers.reload} />
          )
        }
      </Coordinated>
    </Frame>
  );
}

function WorkerTable({ workers, onDone }: { workers: Worker[]; onDone: () => void }) {
  const live = workers.filter((worker) => worker.state === "live");
  const slots = live.reduce((total, worker) => total + worker.slots, 0);
  return (
    <DataTable
      caption={`${counted(workers.length, "worker")}; ${number(live.length)} live with ${counted(slots, "slot")}`}
      rows={workers}
      rowKey={(worker) => worker.worker}
      columns={[
        { name: "worker", label: "Worker", head: true, value: (worker) => worker.worker, show: (worker) => <span class="id">{worker.worker}</span> },
        { name: "state", label: "State", value: (worker) => worker.state, show: (worker) => <State of={worker.state} /> },
        {
          name: "slots",
          label: "Tasks at work",
          numeric: true,
          value: (worker) => worker.running,
          show: (worker) => `${number(worker.running)} of ${counted(worker.slots, "slot")}`,
        },
        {
          name: "memory",
          label: "Memory leased",
          numeric: true,
          value: (worker) => worker.leased_bytes,
          show: (worker) => `${bytes(worker.leased_bytes)} of ${bytes(worker.memory_bytes)}`,
        },
        { name: "version", label: "Version", value: (worker) => worker.version },
        { name: "report", label: "Last report", value: (worker) => worker.last_report_at, show: (worker) => <When at={worker.last_report_at} /> },
        { name: "actions", label: "Change", show: (worker) => <Change worker={worker} onDone={onDone} /> },
      ]}
    />
  );
}

function Change({ worker, onDone }: { worker: Worker; onDone: () => void }) {
  const name = worker.worker;
  if (worker.state === "draining" || worker.state === "cordoned") {
    return (
      <Action
        label="Uncordon"
        title={`Give ${name} tasks again?`}
        role="admin"
        act={async () => {
          await uncordonWorker(name);
          return `Worker ${name} gets tasks again.`;
        }}
        onDone={onDone}
      >
        <p>It takes tasks as soon as there are any.</p>
      </Action>
    );
  }
  return (
    <Action
      label="Drain"
      title={`Give ${name} no new tasks?`}
      role="admin"
      disabledBecause={worker.state === "lost" ? "it does not report any more" : null}
      act={async () => {
        await drainWorker(name);
        return `Worker ${name} gets no new tasks.`;
      }}
      onDone={onDone}
    >
      <p>What it runs, it finishes. Then its process can be stopped without a task being lost.</p>
    </Action>
  );
}
