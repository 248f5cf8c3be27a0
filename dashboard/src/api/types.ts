// What the server answers, as far as more than one page uses it.

export interface SnapshotStamp {
  number: number;
  as_of: string;
  published_at: string;
  hash: string;
}

export interface Snapshot extends SnapshotStamp {
  customers: number;
  tags: string[];
  pinned: boolean;
  backfill: string | null;
  rollback_of: number | null;
}

export interface Column {
  name: string;
  /** Arrow's name of the type: `Utf8`, `Int64`, `Float64`, `Date32`, `Decimal128(38, 2)`, … */
  type: string;
  nullable: boolean;
  about: string;
}

/** Columns that name a row of another table by its key; names of several stand in one text, with ", " between them. */
export interface Reference {
  column: string;
  table: string;
  key: string;
}

export interface Table {
  name: string;
  about: string;
  rows: number | null;
  key: string[];
  references: Reference[];
  columns: Column[];
}

/** A value of a row. Numbers with more digits than a float holds are texts. */
export type Cell = string | number | boolean | null | Cell[] | { [name: string]: Cell };
export type Row = Record<string, Cell>;

export interface ResultColumn {
  name: string;
  type: string;
}

export interface SqlAnswer {
  snapshot: SnapshotStamp;
  request_id: string;
  cached: boolean;
  columns: ResultColumn[];
  rows: Row[];
  row_count: number;
}

export type Value = string | number | boolean | null;
/** Values of `$1`, `$2`, … or of `$name`. */
export type Parameters = Value[] | Record<string, Value>;
