// Asks for a refresh: first its plan, then the run, which is refused when it would do anything else than the plan.
import { useState } from "preact/hooks";
import { navigate } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { CheckField, TextField } from "../../ui/Field.tsx";
import { sentence } from "../../ui/format.ts";
import { Failed } from "../../ui/States.tsx";
import { tell } from "../../ui/Toast.tsx";
import { useAttempt } from "./attempt.ts";
import { planRun, submitRun } from "./calls.ts";
import type { Plan } from "./messages.ts";
import { PlanView } from "./PlanView.tsx";
import { lacking } from "./roles.ts";

export function SubmitRun({ disabledBecause }: { disabledBecause: string | null }) {
  const [open, setOpen] = useState(false);
  const off = disabledBecause ?? lacking("operator");
  return (
    <>
      <Button kind="primary" disabledBecause={off} onClick={() => setOpen(true)}>
        Submit a run
      </Button>
      {open && <Submission onClose={() => setOpen(false)} />}
    </>
  );
}

/** Names this one submission, so that an answer that got lost does not make a second run. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `dashboard-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

const LOOKING = "the server looks at the sources";
const SUBMITTING = "the run is being submitted";

/**
 * Closing the dialog stops a question about the plan. It cannot be closed while the run is being submitted: stopping
 * that request would not take back what the server did with it, and with the dialog its key would go, by which the
 * same can be asked again without a second run.
 */
function Submission({ onClose }: { onClose: () => void }) {
  const [asked, setAsked] = useState({ as_of: "", retry_quarantine: false });
  const [plan, setPlan] = useState<Plan | null>(null);
  const [key, setKey] = useState(newKey);
  // The inputs moved: the plan that was looked at is none any more.
  const { busy, error, attempt } = useAttempt("operator", (failed) => failed.status === 409 && setPlan(null));

  const change = (part: Partial<typeof asked>) => {
    setAsked({ ...asked, ...part });
    setPlan(null);
    // Another request needs another key.
    setKey(newKey());
  };
  const look = () => attempt(LOOKING, async (gone) => setPlan(await planRun(asked, gone)));
  const submit = (looked: Plan) =>
    attempt(SUBMITTING, async (gone) => {
      // The day of the plan, so that midnight between the two makes no other run.
      const run = await submitRun({ ...asked, as_of: looked.as_of }, looked, key);
      tell(`Run ${run.run} is submitted.`);
      // Who went to another page meanwhile stays there.
      if (gone.aborted) return;
      onClose();
      navigate(`/runs/${run.run}`);
    });
  const held = busy === SUBMITTING ? busy : null;
  return (
    <Dialog
      title="Submit a run"
      onClose={onClose}
      held={held}
      wide={plan !== null}
      actions={
        <>
          <Button disabledBecause={held} onClick={onClose}>
            Cancel
          </Button>
          <Button kind={plan === null ? "primary" : "plain"} disabledBecause={busy} onClick={() => void look()}>
            {plan === null ? "Show the plan" : "Plan again"}
          </Button>
          {plan !== null && (
            <Button kind="primary" disabledBecause={busy ?? lacking("operator")} onClick={() => void submit(plan)}>
              Submit this plan
            </Button>
          )}
        </>
      }
    >
      {error && <Failed error={error} />}
      <div class="stack">
        <TextField
          label="As of"
          type="date"
          hint="The first day that does not count. Without one: today in the time zone of the project."
          value={asked.as_of}
          onValue={(as_of) => change({ as_of })}
        />
        <CheckField
          label="Read the rows in quarantine again"
          checked={asked.retry_quarantine}
          onValue={(retry_quarantine) => change({ retry_quarantine })}
        />
        <div aria-live="polite">
          {busy && <p class="quiet">{sentence(busy)}.</p>}
          {plan && <PlanView plan={plan} />}
        </div>
      </div>
    </Dialog>
  );
}
