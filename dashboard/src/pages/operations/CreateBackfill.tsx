// Makes snapshots of earlier days: first which ones, then the backfill, which is refused when it would be another.
import { useState } from "preact/hooks";
import { navigate } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { DataTable } from "../../ui/DataTable.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { CheckField, SelectField, TextField } from "../../ui/Field.tsx";
import { counted, sentence } from "../../ui/format.ts";
import { Failed } from "../../ui/States.tsx";
import { tell } from "../../ui/Toast.tsx";
import { useAttempt } from "./attempt.ts";
import { type BackfillAsked, createBackfill, planBackfill } from "./calls.ts";
import { State } from "./Frame.tsx";
import type { BackfillPlan } from "./messages.ts";
import { lacking } from "./roles.ts";
import { SnapshotLink } from "./RunTable.tsx";

export function CreateBackfill({ disabledBecause }: { disabledBecause: string | null }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button kind="primary" disabledBecause={disabledBecause ?? lacking("operator")} onClick={() => setOpen(true)}>
        Backfill days
      </Button>
      {open && <Creation onClose={() => setOpen(false)} />}
    </>
  );
}

const LOOKING = "the server looks at the days";
const CREATING = "the backfill is being created";

/** As with a run that is submitted, a question is stopped by closing the dialog, and what may be done already is not. */
function Creation({ onClose }: { onClose: () => void }) {
  const [asked, setAsked] = useState<BackfillAsked>({ from: "", to: "", order: "asc", again: false });
  const [plan, setPlan] = useState<BackfillPlan | null>(null);
  // The days are others by now: the plan that was looked at is none any more.
  const { busy, error, attempt } = useAttempt("operator", (failed) => failed.status === 409 && setPlan(null));
  const change = (part: Partial<BackfillAsked>) => {
    setAsked({ ...asked, ...part });
    setPlan(null);
  };
  const create = (looked: BackfillPlan) =>
    attempt(CREATING, async (gone) => {
      const made = await createBackfill(asked, looked);
      tell(`Backfill ${made.backfill} has begun.`);
      if (gone.aborted) return;
      onClose();
      navigate(`/backfills/${made.backfill}`);
    });
  const held = busy === CREATING ? busy : null;
  const unasked = asked.from === "" || asked.to === "" ? "choose the first and the last day" : null;
  const making = plan?.days.filter((day) => day.state === "make").length ?? 0;
  return (
    <Dialog
      title="Backfill days"
      onClose={onClose}
      held={held}
      actions={
        <>
          <Button disabledBecause={held} onClick={onClose}>
            Cancel
          </Button>
          <Button
            kind={plan === null ? "primary" : "plain"}
            disabledBecause={busy ?? unasked}
            onClick={() => void attempt(LOOKING, async (gone) => setPlan(await planBackfill(asked, gone)))}
          >
            {plan === null ? "Show the days" : "Plan again"}
          </Button>
          {plan !== null && (
            <Button
              kind="primary"
              disabledBecause={busy ?? lacking("operator") ?? (making === 0 ? "there is no day to make" : null)}
              onClick={() => void create(plan)}
            >
              Make {counted(making, "snapshot")}
            </Button>
          )}
        </>
      }
    >
      {error && <Failed error={error} />}
      <div class="stack">
        <div class="filters">
          <TextField label="First day (as of)" type="date" value={asked.from} onValue={(from) => change({ from })} />
          <TextField label="Last day (as of)" type="date" value={asked.to} onValue={(to) => change({ to })} />
          <SelectField
            label="Order"
            value={asked.order}
            choices={[
              { value: "asc", label: "the first day first" },
              { value: "desc", label: "the last day first" },
            ]}
            onValue={(order) => change({ order })}
          />
        </div>
        <CheckField label="Also days that have a snapshot already" checked={asked.again} onValue={(again) => change({ again })} />
        <div aria-live="polite">
          {busy && <p class="quiet">{sentence(busy)}.</p>}
          {plan && (
            <DataTable
              caption={`${counted(making, "day")} to make, with the events that snapshot ${plan.knowledge} knows`}
              rows={plan.days}
              rowKey={(day) => day.as_of}
              columns={[
                { name: "as_of", label: "As of", head: true, value: (day) => day.as_of },
                { name: "state", label: "What", show: (day) => <State of={day.state} /> },
                { name: "snapshot", label: "Has snapshot", numeric: true, show: (day) => <SnapshotLink number={day.snapshot} /> },
              ]}
            />
          )}
        </div>
      </div>
    </Dialog>
  );
}
