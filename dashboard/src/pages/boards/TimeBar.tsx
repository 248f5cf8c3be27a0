// Going through the snapshots: a slider over the nights, steps, and playing them one after another. Each picture waits
// for the one before to stand, so that playing shows every snapshot however slow the answers are.
import { useEffect, useState } from "preact/hooks";
import type { Snapshot } from "../../api/types.ts";
import { setQuery } from "../../location.ts";
import { Button } from "../../ui/Button.tsx";
import { announce } from "../../ui/Toast.tsx";

/** How long a picture stands while snapshots are played. */
const STANDS = 1200;

interface Props {
  /** Oldest first. */
  nights: Snapshot[];
  number: number | null;
  busy: boolean;
  /** What the address says for the newest: nothing, unless the dashboard has a snapshot of its own to begin with. */
  newest: string | null;
}

export function TimeBar({ nights, number, busy, newest }: Props) {
  const [playing, setPlaying] = useState(false);
  const found = nights.findIndex((night) => night.number === number);
  const index = found < 0 ? nights.length - 1 : found;
  const last = nights.length - 1;
  const shown = nights[index];
  const go = (to: number) => {
    const night = nights[Math.max(0, Math.min(last, to))];
    if (night) setQuery({ at: to >= last ? newest : String(night.number) }, true);
  };
  useEffect(() => {
    if (!playing || busy) return;
    if (index >= last) return setPlaying(false);
    const timer = setTimeout(() => go(index + 1), STANDS);
    return () => clearTimeout(timer);
  }, [playing, busy, index, last]);
  if (!shown || nights.length < 2) return null;
  const label = `Snapshot ${shown.number}, as of ${shown.as_of}`;
  return (
    <div class="time-bar no-print" role="group" aria-label="Time travel">
      <Button kind="quiet" aria-label="Snapshot before" disabledBecause={index === 0 ? "this is the first one" : null} onClick={() => go(index - 1)}>
        ◀
      </Button>
      <Button
        kind="quiet"
        aria-pressed={playing}
        onClick={() => {
          if (!playing && index >= last) go(0);
          setPlaying(!playing);
          announce(playing ? `Stopped at ${label}` : "Playing the snapshots");
        }}
      >
        {playing ? "Stop" : "Play"}
      </Button>
      <Button kind="quiet" aria-label="Snapshot after" disabledBecause={index === last ? "this is the newest" : null} onClick={() => go(index + 1)}>
        ▶
      </Button>
      <input
        type="range"
        min={0}
        max={last}
        step={1}
        value={index}
        aria-label="Snapshot"
        aria-valuetext={label}
        onInput={(event) => {
          setPlaying(false);
          go(Number(event.currentTarget.value));
        }}
      />
    </div>
  );
}
