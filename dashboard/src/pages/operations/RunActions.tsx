// What can be done with a run: cancel it, try it again.
import { useState } from "preact/hooks";
import { TextField } from "../../ui/Field.tsx";
import { Action } from "./Action.tsx";
import { cancelRun, retryRun } from "./calls.ts";
import type { Run } from "./messages.ts";
import { canCancel, canRetry, isOver } from "./progress.ts";

interface Props {
  run: Run;
  onDone: () => void;
}

function noCancel(run: Run): string | null {
  if (canCancel(run)) return null;
  if (isOver(run.state)) return "the run is over";
  return run.state === "publishing" ? "its snapshot is being written" : "it is being stopped already";
}

export function CancelRun({ run, onDone }: Props) {
  const [reason, setReason] = useState("");
  const act = async () => {
    await cancelRun(run.run, reason.trim());
    return `Run ${run.run} is asked to stop.`;
  };
  return (
    <Action label="Cancel run" title="Cancel this run?" role="operator" danger disabledBecause={noCancel(run)} act={act} onDone={onDone}>
      <p>Its tasks are called back and it publishes nothing. What its tasks finished is reused by a later run over the same inputs.</p>
      <TextField label="Reason" hint="Kept with the run." value={reason} onValue={setReason} />
    </Action>
  );
}

function noRetry(run: Run): string | null {
  if (canRetry(run)) return null;
  return isOver(run.state) ? "only a run that failed or timed out can be tried again" : "the run has not ended";
}

export function RetryRun({ run, onDone }: Props) {
  const act = async () => {
    await retryRun(run.run);
    return `Run ${run.run} is tried again.`;
  };
  return (
    <Action label="Retry run" title="Try this run again?" role="operator" disabledBecause={noRetry(run)} act={act} onDone={onDone}>
      <p>It keeps its identity and its day, {run.as_of}. What its finished tasks left is reused.</p>
    </Action>
  );
}
