// Short messages at the foot of the page, read out by screen readers. Failures stay until they are closed.
import { signal } from "@preact/signals";
import { asApiError } from "../api/api.ts";
import { Button } from "./Button.tsx";

interface Message {
  id: number;
  text: string;
  failed: boolean;
}

const messages = signal<Message[]>([]);
const spoken = signal("");
let last = 0;

export function tell(text: string, failed = false): void {
  const id = ++last;
  messages.value = [...messages.value, { id, text, failed }];
  if (!failed) setTimeout(() => close(id), 6000);
}

/** Tells what went wrong: code, detail and remedy. */
export function tellError(thrown: unknown): void {
  const error = asApiError(thrown);
  tell([error.code, error.detail || error.title, error.remedy].filter((part) => part !== "").join(" · "), true);
}

/** Has a screen reader say something that is to be seen elsewhere. */
export function announce(text: string): void {
  spoken.value = text;
}

function close(id: number): void {
  messages.value = messages.value.filter((message) => message.id !== id);
}

export function Toasts() {
  return (
    <>
      <div class="unseen" aria-live="polite">
        {spoken.value}
      </div>
      <div class="toasts" role="status" aria-live="polite">
        {messages.value.map((message) => (
          <div key={message.id} class={message.failed ? "toast failed" : "toast"}>
            <span>{message.failed ? `Failed: ${message.text}` : message.text}</span>
            <Button kind="quiet" aria-label="Close this message" onClick={() => close(message.id)}>
              ✕
            </Button>
          </div>
        ))}
      </div>
    </>
  );
}
