// Which snapshot a dashboard and its widgets read, among those that there are.
import { newestOf } from "../../api/sql.ts";
import type { Snapshot } from "../../api/types.ts";
import type { SnapshotName } from "../../spec/types.ts";

/** A snapshot to read: as queries name it, and what is known of it. */
export interface View {
  at: string | number | null;
  known: Snapshot | null;
}

/** The snapshot of that name: a number, a tag, `as-of:DATE` or `latest`. Names that are not known go to the server. */
export function viewOf(name: SnapshotName | null | undefined, snapshots: Snapshot[]): View {
  const newest = newestOf(snapshots);
  if (name === null || name === undefined || name === "" || name === "latest") return { at: newest?.number ?? null, known: newest };
  const text = String(name);
  const day = text.startsWith("as-of:") ? text.slice(6) : null;
  const known =
    snapshots.find((one) => String(one.number) === text || one.tags.includes(text)) ??
    snapshots.find((one) => day !== null && one.as_of === day && one.backfill === null) ??
    snapshots.find((one) => day !== null && one.as_of === day) ??
    null;
  return { at: known?.number ?? name, known };
}

/** The first choice that was made: for one widget in the address, in its document, for the page, in the dashboard's document. */
export function chosenName(...names: (SnapshotName | null | undefined)[]): SnapshotName | null {
  return names.find((name) => name !== null && name !== undefined && name !== "") ?? null;
}

/** The night before: what a change is counted from. That of a backfill goes by the days, as it was made later. */
export function before(view: View, snapshots: Snapshot[]): View | null {
  const { known } = view;
  if (known === null) return null;
  const earlier = (one: Snapshot) => (known.backfill === null ? one.number < known.number : one.as_of < known.as_of);
  const found = snapshots
    .filter((one) => one.backfill === null && earlier(one))
    .reduce<Snapshot | null>((best, one) => (best === null || one.number > best.number ? one : best), null);
  return found && { at: found.number, known: found };
}
