// Which snapshot the pages read: the newest, which goes on by itself, or one that stays. It is in the address (`at`).
import { useLoad } from "../api/load.ts";
import { listSnapshots, newestOf } from "../api/sql.ts";
import type { Snapshot } from "../api/types.ts";
import { at, setQuery } from "../location.ts";
import { time } from "./format.ts";

export function snapshotLabel(snapshot: Snapshot): string {
  const tags = snapshot.tags.length > 0 ? `, ${snapshot.tags.join(", ")}` : "";
  return `${snapshot.number}: as of ${snapshot.as_of}${tags}${snapshot.backfill === null ? "" : " (backfill)"}`;
}

export function SnapshotPicker() {
  const loaded = useLoad((signal) => listSnapshots(signal, true), []);
  const snapshots = loaded.data ?? [];
  const chosen = at.value;
  const newest = newestOf(snapshots);
  const known = snapshots.some((snapshot) => String(snapshot.number) === chosen);
  return (
    <label class="snapshot-picker">
      <span>Snapshot</span>
      <select
        value={chosen ?? ""}
        title={newest ? `newest: published ${time(newest.published_at)}` : ""}
        onFocus={loaded.reload}
        onChange={(event) => setQuery({ at: event.currentTarget.value })}
      >
        <option value="">{newest ? `newest (${snapshotLabel(newest)})` : "newest"}</option>
        {chosen !== null && !known && <option value={chosen}>{chosen}</option>}
        {snapshots.map((snapshot) => (
          <option key={snapshot.number} value={String(snapshot.number)}>
            {snapshotLabel(snapshot)}
          </option>
        ))}
      </select>
    </label>
  );
}
