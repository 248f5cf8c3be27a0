// Two texts side by side: which lines they share, and which only one of them has.

export interface Line {
  whose: "both" | "theirs" | "mine";
  text: string;
}

/** How many equal lines stay around those that differ. */
const AROUND = 2;

/** The lines that differ with a few around them; what is left out between them is a line of its own. */
export function compareLines(theirs: string[], mine: string[]): Line[] {
  const all = aligned(theirs, mine);
  const near = all.map((_, i) => all.slice(Math.max(0, i - AROUND), i + AROUND + 1).some((line) => line.whose !== "both"));
  const shown: Line[] = [];
  for (const [i, line] of all.entries()) {
    if (near[i]) shown.push(line);
    else if (i === 0 || near[i - 1]) shown.push({ whose: "both", text: "…" });
  }
  return shown;
}

/** The longest sequence of lines that both have, with the others between them. */
export function aligned(theirs: string[], mine: string[]): Line[] {
  // What both begin and end with needs no comparing of each line with each, whose cost grows with both.
  const least = Math.min(theirs.length, mine.length);
  let head = 0;
  while (head < least && theirs[head] === mine[head]) head += 1;
  let tail = 0;
  while (tail < least - head && theirs.at(-1 - tail) === mine.at(-1 - tail)) tail += 1;
  const both = (text: string): Line => ({ whose: "both", text });
  return [
    ...mine.slice(0, head).map(both),
    ...between(theirs.slice(head, theirs.length - tail), mine.slice(head, mine.length - tail)),
    ...mine.slice(mine.length - tail).map(both),
  ];
}

function between(theirs: string[], mine: string[]): Line[] {
  const [n, m] = [theirs.length, mine.length];
  const width = m + 1;
  const longest = new Uint32Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        theirs[i] === mine[j]
          ? (longest[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(longest[(i + 1) * width + j] ?? 0, longest[i * width + j + 1] ?? 0);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < n || j < m) {
    if (i < n && j < m && theirs[i] === mine[j]) {
      lines.push({ whose: "both", text: mine[j] as string });
      i += 1;
      j += 1;
    } else if (j >= m || (i < n && (longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0))) {
      lines.push({ whose: "theirs", text: theirs[i] as string });
      i += 1;
    } else {
      lines.push({ whose: "mine", text: mine[j] as string });
      j += 1;
    }
  }
  return lines;
}
