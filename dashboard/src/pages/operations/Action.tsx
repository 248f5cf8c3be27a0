// A button that has the server change something: asked once more in a dialog, disabled with the reason where it cannot
// be, and with what went wrong told in the dialog itself.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Failed } from "../../ui/States.tsx";
import { tell } from "../../ui/Toast.tsx";
import { useAttempt } from "./attempt.ts";
import { lacking, type Role } from "./roles.ts";

interface Props {
  /** What the button says, and the dialog's button. */
  label: string;
  /** What the dialog asks. */
  title: string;
  role: Role;
  danger?: boolean;
  disabledBecause?: string | null;
  /** Does it; what it gives is told at the foot of the page. */
  act: () => Promise<string>;
  onDone?: () => void;
  /** What is asked and what follows from it. */
  children: ComponentChildren;
}

export function Action({ label, title, role, danger = false, disabledBecause, act, onDone, children }: Props) {
  const [open, setOpen] = useState(false);
  // A failure is shown also where the dialog was closed before the answer came.
  const { busy, error, forget, attempt } = useAttempt(role, () => setOpen(true));
  const off = lacking(role) ?? disabledBecause ?? null;
  const begin = () => {
    forget();
    setOpen(true);
  };
  const confirm = () =>
    attempt("under way", async () => {
      tell(await act());
      setOpen(false);
      onDone?.();
    });
  return (
    <>
      <Button kind={danger ? "danger" : "plain"} disabledBecause={off} onClick={begin}>
        {label}
      </Button>
      {open && (
        <Dialog
          title={title}
          onClose={() => setOpen(false)}
          actions={
            <>
              <Button onClick={() => setOpen(false)}>Back</Button>
              <Button kind={danger ? "danger" : "primary"} disabledBecause={busy ?? lacking(role)} onClick={() => void confirm()}>
                {label}
              </Button>
            </>
          }
        >
          {error && <Failed error={error} />}
          {children}
        </Dialog>
      )}
    </>
  );
}
