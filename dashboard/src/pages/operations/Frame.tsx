// What the pages of operations share: the way from one to the other, states as badges, problems, and what is said where
// no coordinator answers.
import type { ComponentChildren } from "preact";
import { ApiError } from "../../api/api.ts";
import type { Loaded } from "../../api/load.ts";
import { href, place, within } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { time } from "../../ui/format.ts";
import { Failed, Shown } from "../../ui/States.tsx";
import type { Problem } from "./messages.ts";
import { now } from "./polled.ts";
import "./operations.css";
import { since } from "./times.ts";

const PAGES = [
  { path: "/operations", label: "Overview" },
  { path: "/runs", label: "Runs" },
  { path: "/schedules", label: "Schedules" },
  { path: "/backfills", label: "Backfills" },
  { path: "/workers", label: "Workers" },
  { path: "/snapshots", label: "Snapshots" },
];

interface FrameProps {
  title: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

export function Frame({ title, actions, children }: FrameProps) {
  const here = place.value.path;
  return (
    <>
      <nav class="sections" aria-label="Operations">
        {PAGES.map(({ path, label }) => (
          <a key={path} href={href(path)} {...(within(here, path) ? { "aria-current": "page" as const } : {})}>
            {label}
          </a>
        ))}
      </nav>
      <div class="page-head">
        <h1>{title}</h1>
        {actions && <div class="row actions">{actions}</div>}
      </div>
      {children}
    </>
  );
}

/** The kind and the sign of each state; the sign says the same as the colour. */
const STATES: Record<string, ["good" | "warn" | "bad" | "", string]> = {
  succeeded: ["good", "✓"],
  live: ["good", "✓"],
  active: ["good", "✓"],
  nothing_new: ["", "="],
  reused: ["good", "="],
  done: ["good", "✓"],
  partial: ["warn", "◐"],
  draining: ["warn", "↓"],
  cordoned: ["warn", "‖"],
  paused: ["warn", "‖"],
  blocked: ["bad", "!"],
  failed: ["bad", "✕"],
  timed_out: ["bad", "⏱"],
  lost: ["bad", "✕"],
  fenced: ["warn", "✕"],
  cancelled: ["warn", "✕"],
  stopped: ["warn", "✕"],
  cancelling: ["warn", "…"],
  queued: ["", "·"],
  pending: ["", "·"],
  ready: ["", "·"],
  waiting: ["", "·"],
  make: ["", "+"],
  skip: ["", "–"],
  over: ["", "■"],
};

export function State({ of }: { of: string }) {
  const [kind, sign] = STATES[of] ?? ["", "▸"];
  return (
    <span class={`badge ${kind}`}>
      <span aria-hidden="true">{sign} </span>
      {of.replaceAll("_", " ")}
    </span>
  );
}

/** A problem of a run, an attempt, a schedule or a backfill. */
export function ProblemBox({ of }: { of: Problem }) {
  const title = of.class === "" ? "It failed" : `It failed (${of.class.replaceAll("_", " ")})`;
  return <Failed error={new ApiError(0, { title, code: of.code, detail: of.message, remedy: of.remedy })} />;
}

/** How long ago; when exactly is shown above it. */
export function When({ at }: { at: string }) {
  return at === "" ? <>–</> : <time class="one-line" dateTime={at} title={time(at)}>{since(at, now.value)}</time>;
}

/** A day, on one line. */
export function Day({ of }: { of: string }) {
  return <span class="one-line">{of || "–"}</span>;
}

/** A run, by its whole identity or, `short`, by the end of it: identities of one day begin alike. */
export function RunLink({ run, short = false }: { run: string; short?: boolean }) {
  return run === "" ? (
    <>–</>
  ) : (
    <a class="id" title={run} href={href(`/runs/${encodeURIComponent(run)}`)}>
      {short ? `…${run.slice(-8)}` : run}
    </a>
  );
}

/** Whether a failure says that this server knows no coordinator, or that none answers. */
export function noCoordinator(error: ApiError | null): error is ApiError {
  return error?.code === "E3102";
}

/** What is missing where there is no coordinator, and how to begin one. */
export function NoCoordinator({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <section class="card" aria-labelledby="no-coordinator">
      <h2 id="no-coordinator">No coordinator</h2>
      <p>
        This server reads the store. Runs, schedules, backfills and workers are known to a coordinator, and none answers: {error.detail}.
        Snapshots and the records of ended runs are there without it.
      </p>
      <p>On one machine, one process does it all:</p>
      <pre>tenfold up -p PROJECT --sql-listen 127.0.0.1:7401</pre>
      <p class="after">Otherwise begin a coordinator and its workers, and tell this server where it is:</p>
      <pre>
        {"tenfold coordinator -p PROJECT\ntenfold worker -p PROJECT\ntenfold serve -p PROJECT --coordinator http://127.0.0.1:7400"}
      </pre>
      <p class="row after">
        <Button onClick={onRetry}>Look again</Button>
      </p>
    </section>
  );
}

interface CoordinatedProps<T> {
  of: Loaded<T>;
  what: string;
  lines?: number;
  children: (data: T) => ComponentChildren;
}

/** What a coordinator told, or that there is none. */
export function Coordinated<T>({ of, what, lines = 4, children }: CoordinatedProps<T>) {
  if (of.data === null && noCoordinator(of.error)) return <NoCoordinator error={of.error} onRetry={of.reload} />;
  return (
    <Shown of={of} what={what} lines={lines}>
      {children}
    </Shown>
  );
}
