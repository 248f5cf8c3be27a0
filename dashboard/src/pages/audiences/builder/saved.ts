// The audience as it was saved last, or as the builder began.

import type { Draft } from "./document.ts";

export interface Saved {
  /** The name of the audience; empty for one that has none yet. */
  name: string;
  draft: Draft;
  /** The hash of the file; null while there is none. */
  base: string | null;
  /** Whether the file has comments, which are lost with the next one. */
  hasComments: boolean;
  /** Members that were published; null for none. */
  members: number | null;
}
