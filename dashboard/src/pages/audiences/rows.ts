// From rows of answers to what the pages about audiences show.

import type { Row } from "../../api/types.ts";

/** The members of each audience, snapshot by snapshot, from rows in the order of their days. */
export function trends(rows: Row[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const row of rows) {
    const name = String(row.audience);
    const members = found.get(name) ?? [];
    members.push(Number(row.members));
    found.set(name, members);
  }
  return found;
}

/** How many of a tile are held back. */
export interface Held {
  tile: number | null;
  treated: number;
  control: number;
  share: number;
}

/** A line for each tile with both groups, in the order of tiles. */
export function heldBack(rows: Row[]): Held[] {
  const tileOf = (row: Row) => (row.tile === null ? null : Number(row.tile));
  const tiles = [...new Set(rows.map(tileOf))];
  tiles.sort((a, b) => (a ?? Infinity) - (b ?? Infinity));
  return tiles.map((tile) => {
    const of = (holdout: string) => {
      const found = rows.find((row) => tileOf(row) === tile && row.holdout === holdout);
      return Number(found?.members ?? 0);
    };
    const [treated, control] = [of("treated"), of("control")];
    return { tile, treated, control, share: control / Math.max(1, treated + control) };
  });
}
