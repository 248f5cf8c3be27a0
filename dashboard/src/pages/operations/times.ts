// Times in words beyond those of ui/format.ts: how old something is, when a schedule fires, how far a snapshot lies
// behind. "Now" is an argument, so that a page that counts on and a test say the same.
import { duration } from "../../ui/format.ts";
import type { Firing } from "./messages.ts";

const DAY = 24 * 60 * 60 * 1000;

/** Seconds from one instant to another; null where one of them is not there. */
export function secondsBetween(from: string, to: string): number | null {
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isFinite(seconds) ? seconds : null;
}

/** A length of time, or a dash where there is none. */
export function took(seconds: number | null): string {
  return seconds === null ? "–" : duration(seconds);
}

/** How long ago something was. The clocks of two machines differ a little: what is to come happens now. */
export function since(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (Number.isNaN(seconds)) return "–";
  return seconds < 2 ? "just now" : `${roughly(seconds)} ago`;
}

/** How far an instant lies ahead: `in 11 h`, or `due` once it has come. */
export function ahead(at: string, now: number): string {
  const seconds = (Date.parse(at) - now) / 1000;
  if (Number.isNaN(seconds)) return "";
  return seconds < 1 ? "due" : `in ${roughly(seconds)}`;
}

/** The one unit that fits best. */
function roughly(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** A firing as the clocks of its zone show it: `2026-11-27 02:30 +01:00`. */
export function firingLocal(firing: Firing): string {
  const [day, time] = firing.local.split("T");
  return `${day} ${(time ?? "").slice(0, 5)} ${firing.offset}`;
}

/** When a schedule fires next, in one phrase. */
export function firingWords(firing: Firing | null, now: number): string {
  return firing === null ? "no further firing" : `${firingLocal(firing)} (${ahead(firing.utc, now)})`;
}

/** How fresh a snapshot is, by the first day that it does not count and today's in UTC. */
export function freshness(asOf: string, now: number): { current: boolean; words: string } {
  const today = Date.parse(new Date(now).toISOString().slice(0, 10));
  const days = Math.round((today - Date.parse(asOf)) / DAY);
  if (days <= 0) return { current: true, words: "knows all days until yesterday" };
  return { current: days === 1, words: days === 1 ? "one day behind" : `${days} days behind` };
}
