// One schedule: its declaration, when it fires next, what it did, and pausing, resuming and triggering it.
import { useState } from "preact/hooks";
import { navigate } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { DataTable } from "../../ui/DataTable.tsx";
import { Field, TextField } from "../../ui/Field.tsx";
import { counted, number, time } from "../../ui/format.ts";
import { Partial, Shown } from "../../ui/States.tsx";
import { Action } from "./Action.tsx";
import { getSchedule, nextFirings, pauseSchedule, resumeSchedule, scheduleRuns, triggerSchedule } from "./calls.ts";
import { Coordinated, Frame, ProblemBox, RunLink, State } from "./Frame.tsx";
import type { Firing, Schedule } from "./messages.ts";
import { now, usePolled } from "./polled.ts";
import { RunTable } from "./RunTable.tsx";
import { ahead, firingLocal } from "./times.ts";

const FIRINGS = 10;

export default function SchedulePage({ parts }: PageProps) {
  const name = parts.schedule ?? "";
  const schedule = usePolled((signal) => getSchedule(name, signal), [name], () => 5);
  const firings = usePolled((signal) => nextFirings(name, FIRINGS, signal), [name], () => 60);
  const runs = usePolled((signal) => scheduleRuns(name, signal), [name], () => 10);
  const done = () => {
    schedule.reload();
    runs.reload();
  };
  return (
    <Frame title={`Schedule ${name}`} actions={schedule.data && <Actions schedule={schedule.data} onDone={done} />}>
      <Coordinated of={schedule} what="The schedule is loading" lines={6}>
        {(data) => (
          <>
            {data.problem && <ProblemBox of={data.problem} />}
            {data.waiting_for.length > 0 && <Partial>It waits for {data.waiting_for.join(", ")}.</Partial>}
            {data.late && <Partial>The firing at work or first in line is late.</Partial>}
            <div class="columns">
              <section class="card" aria-labelledby="state">
                <h2 id="state">State</h2>
                <Facts schedule={data} />
              </section>
              <section class="card" aria-labelledby="declaration">
                <h2 id="declaration">Declaration</h2>
                <pre>{data.spec}</pre>
                <p class="quiet after">
                  With every default spelled out. It is changed by its file and <code>tenfold schedule apply</code>.
                </p>
              </section>
            </div>
            <h2>Next firings</h2>
            {data.state === "paused" && <p class="quiet">It is paused: none of these happens before it goes on.</p>}
            <Shown of={firings} what="The firings are loading">
              {(all) => <FiringTable firings={all} zone={data.zone} />}
            </Shown>
            <h2>Past firings</h2>
            <Shown of={runs} what="The runs are loading">
              {(all) => (
                <RunTable
                  runs={all.runs}
                  caption={`The newest runs first; ${counted(all.skipped, "firing")} started no run`}
                  empty="It has started no run yet."
                  pageSize={20}
                />
              )}
            </Shown>
          </>
        )}
      </Coordinated>
    </Frame>
  );
}

function Facts({ schedule }: { schedule: Schedule }) {
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <State of={schedule.state} />
      </dd>
      {schedule.state === "paused" && (
        <>
          <dt>Paused</dt>
          <dd>
            {schedule.paused_until === "" ? "until it is resumed" : `until ${time(schedule.paused_until)}`}
            {schedule.paused_reason !== "" && `: ${schedule.paused_reason}`}
          </dd>
        </>
      )}
      <dt>Pattern</dt>
      <dd>
        <code>{schedule.cron}</code> in {schedule.zone}
      </dd>
      <dt>Last firing</dt>
      <dd>{schedule.last_nominal === "" ? "none yet" : time(schedule.last_nominal)}</dd>
      <dt>Last run</dt>
      <dd>
        <RunLink run={schedule.last_run} />
      </dd>
      <dt>Failed in a row</dt>
      <dd>{number(schedule.failures)}</dd>
      <dt>In line</dt>
      <dd>{schedule.buffered.length === 0 ? "no firing" : schedule.buffered.map(time).join(", ")}</dd>
    </dl>
  );
}

function FiringTable({ firings, zone }: { firings: Firing[]; zone: string }) {
  return (
    <DataTable
      caption={`The next ${counted(firings.length, "firing")}, by the clocks of ${zone} and in UTC`}
      rows={firings}
      rowKey={(firing) => firing.utc}
      empty="It does not fire any more."
      columns={[
        { name: "local", label: zone, head: true, show: (firing) => firingLocal(firing) },
        { name: "utc", label: "UTC", show: (firing) => time(firing.utc) },
        { name: "ahead", label: "From now", show: (firing) => ahead(firing.utc, now.value) },
      ]}
    />
  );
}

interface ActionsProps {
  schedule: Schedule;
  onDone: () => void;
}

function Actions({ schedule, onDone }: ActionsProps) {
  const name = schedule.schedule;
  const paused = schedule.state === "paused";
  const over = schedule.state === "over" ? "its last day has passed" : null;
  return (
    <>
      <Pause schedule={schedule} onDone={onDone} />
      <Action
        label="Resume"
        title={`Let ${name} go on?`}
        role="operator"
        disabledBecause={paused ? null : "it is not paused"}
        act={async () => {
          await resumeSchedule(name);
          return `Schedule ${name} goes on.`;
        }}
        onDone={onDone}
      >
        <p>It fires again from its next time on. What it missed meanwhile is not made up for.</p>
      </Action>
      <Action
        label="Trigger"
        title={`Run ${name} now?`}
        role="operator"
        disabledBecause={over}
        act={async () => {
          const run = await triggerSchedule(name);
          navigate(`/runs/${run.run}`);
          return `Run ${run.run} is submitted.`;
        }}
        onDone={onDone}
      >
        <p>One run out of turn, without waiting for data. The firings of the schedule stay as they are.</p>
      </Action>
    </>
  );
}

function Pause({ schedule, onDone }: ActionsProps) {
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const name = schedule.schedule;
  const off = schedule.state === "paused" ? "it is paused already" : schedule.state === "over" ? "its last day has passed" : null;
  const act = async () => {
    // The field has no zone; its hint says which one is meant.
    await pauseSchedule(name, reason.trim(), until === "" ? "" : `${until.length === 16 ? `${until}:00` : until}Z`);
    return `Schedule ${name} is paused.`;
  };
  return (
    <Action label="Pause" title={`Pause ${name}?`} role="operator" disabledBecause={off} act={act} onDone={onDone}>
      <div class="stack">
        <p>It starts no run until it goes on. A run that is at work is not stopped.</p>
        <Field label="Until (UTC)" hint="Without it: until it is resumed.">
          {(ids) => <input {...ids} type="datetime-local" value={until} onInput={(event) => setUntil(event.currentTarget.value)} />}
        </Field>
        <TextField label="Reason" hint="Shown with the schedule." value={reason} onValue={setReason} />
      </div>
    </Action>
  );
}
