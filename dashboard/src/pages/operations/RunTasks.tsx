// The tasks of a run with their attempts: which worker, how long, and why an attempt did not succeed.
import { useState } from "preact/hooks";
import { DataTable } from "../../ui/DataTable.tsx";
import { SelectField } from "../../ui/Field.tsx";
import { counted, number } from "../../ui/format.ts";
import { runTasks } from "./calls.ts";
import { Coordinated, ProblemBox, State } from "./Frame.tsx";
import type { Attempt, Task } from "./messages.ts";
import { usePolled } from "./polled.ts";
import { secondsBetween, took } from "./times.ts";

const STATES = ["pending", "ready", "running", "succeeded", "reused", "failed", "cancelled"];
const SPOILT = ["failed", "lost"];

export function RunTasks({ run, live }: { run: string; live: boolean }) {
  const [state, setState] = useState("");
  const tasks = usePolled((signal) => runTasks(run, signal), [run], () => (live ? 2 : null), live);
  return (
    <Coordinated of={tasks} what="The tasks are loading">
      {(all) => {
        const chosen = all.filter((task) => wanted(task, state));
        return (
          <div class="stack">
            <div class="filters">
              <SelectField
                label="Tasks"
                value={state}
                choices={[
                  { value: "", label: "all" },
                  { value: "spoilt", label: "with an attempt that failed or was lost" },
                  ...STATES.map((one) => ({ value: one, label: one })),
                ]}
                onValue={setState}
              />
            </div>
            <TaskTable tasks={chosen} of={all.length} />
            <Failures tasks={chosen} />
          </div>
        );
      }}
    </Coordinated>
  );
}

function wanted(task: Task, state: string): boolean {
  if (state === "") return true;
  if (state === "spoilt") return task.attempts.some((attempt) => SPOILT.includes(attempt.state));
  return task.state === state;
}

function TaskTable({ tasks, of }: { tasks: Task[]; of: number }) {
  const last = (task: Task) => task.attempts.at(-1);
  const seconds = (task: Task) => {
    const attempt = last(task);
    return attempt ? secondsBetween(attempt.started_at, attempt.ended_at) : null;
  };
  return (
    <DataTable
      caption={`${number(tasks.length)} of ${counted(of, "task")}`}
      rows={tasks}
      rowKey={(_, index) => index}
      empty={of === 0 ? "The run has no tasks." : "No task is in this state."}
      pageSize={50}
      columns={[
        { name: "step", label: "Step", head: true, value: (task) => task.step },
        { name: "index", label: "Task", numeric: true, value: (task) => task.index },
        { name: "state", label: "State", value: (task) => task.state, show: (task) => <State of={task.state} /> },
        { name: "worker", label: "Worker", value: (task) => last(task)?.worker ?? null, show: (task) => <span class="id">{last(task)?.worker ?? "–"}</span> },
        { name: "attempts", label: "Attempts", numeric: true, value: (task) => task.attempts.length, show: (task) => <Attempts of={task.attempts} /> },
        { name: "took", label: "Last attempt took", numeric: true, value: seconds, show: (task) => took(seconds(task)) },
        { name: "task", label: "Identity", about: "The same work has the same identity, by which it is reused", show: (task) => <span class="id">{task.task.slice(0, 12)}</span> },
      ]}
    />
  );
}

/** How many attempts, and how the earlier ones ended. */
function Attempts({ of }: { of: Attempt[] }) {
  const before = of.slice(0, -1).map((attempt) => attempt.state);
  return (
    <>
      {number(of.length)}
      {before.length > 0 && <span class="quiet"> (before: {before.join(", ")})</span>}
    </>
  );
}

/** Why attempts failed, each reason once with the tasks that it hit. */
function Failures({ tasks }: { tasks: Task[] }) {
  const reasons = new Map<string, { attempt: Attempt; tasks: string[] }>();
  for (const task of tasks) {
    for (const attempt of task.attempts) {
      if (attempt.problem === null) continue;
      const key = `${attempt.problem.code} ${attempt.problem.message}`;
      const found = reasons.get(key) ?? { attempt, tasks: [] };
      found.tasks.push(`${task.step} ${task.index} on ${attempt.worker}`);
      reasons.set(key, found);
    }
  }
  if (reasons.size === 0) return null;
  return (
    <section aria-label="Why attempts failed" class="stack">
      <h2>Why attempts failed</h2>
      {[...reasons].map(([key, { attempt, tasks: hit }]) => (
        <div key={key}>
          {attempt.problem && <ProblemBox of={attempt.problem} />}
          <p class="quiet">
            {counted(hit.length, "attempt")}: {hit.slice(0, 5).join("; ")}
            {hit.length > 5 && " and more"}
          </p>
        </div>
      ))}
    </section>
  );
}
