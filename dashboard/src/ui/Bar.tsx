// A bar in a cell of a table. The number stands beside it, so screen readers pass it over.

import { decileColor, paletteOf } from "../chart/palette.ts";
import "./cells.css";
import { dark } from "./theme.ts";

/** `share` of the cell's length; in the colour of a decile where the row is about one. */
export function Bar({ share, decile }: { share: number; decile?: number | null }) {
  const length = `${Math.max(0, Math.min(1, share)) * 100}%`;
  const palette = paletteOf({ dark: dark.value });
  const colour = decile === undefined ? {} : { background: decileColor(palette, decile) };
  return (
    <span class="cell-bar" aria-hidden="true">
      <span style={{ inlineSize: length, ...colour }} />
    </span>
  );
}
