// References between tables. One by several columns comes as one text for each side, with ", " between the names.
import type { Reference, Table } from "./types.ts";

/** The columns of a reference, each with the column of the key that has its value. */
export function pairsOf({ column, key }: Reference): [string, string][] {
  const keys = key.split(", ");
  return column.split(", ").map((own, i): [string, string] => [own, keys[i] ?? ""]);
}

/** The tables that a column leads to, alone or with others. */
export function leadsTo(table: Table, column: string): string[] {
  const by = table.references.filter((reference) => pairsOf(reference).some(([own]) => own === column));
  return [...new Set(by.map((reference) => reference.table))];
}
