// The colours of charts, for both themes. Deciles have one colour each, the same in every chart of a theme: a ramp
// that is as good for the colour-blind, since it goes by lightness. The highest decile stands out most.

export interface Look {
  dark: boolean;
  /** Patterns as well as colours, for people who asked their system for more contrast. */
  patterns: boolean;
  /** Changes may be shown as movement. */
  motion: boolean;
}

export interface Palette {
  card: string;
  text: string;
  quiet: string;
  line: string;
  series: string[];
  deciles: string[];
  /** What has no value of its own: no decile, the others. */
  none: string;
  /** From little to much. */
  ramp: string[];
  /** From far below zero over zero to far above. */
  diverging: string[];
}

const LIGHT_DECILES = [
  "#0b2a5b", "#123f7c", "#1a5796", "#216fa7", "#2b87af", "#3f9cb0", "#5cb0ac", "#7dc0a6", "#a0cfa4", "#bfdaa4",
];
const DARK_DECILES = [
  "#e2f3b4", "#c4e6ad", "#a0d7ab", "#7cc6ae", "#5db2b3", "#469db5", "#3887b1", "#3071a5", "#2f5d92", "#334d7a",
];

const LIGHT: Palette = {
  card: "#ffffff",
  text: "#1b1f26",
  quiet: "#565e6b",
  line: "#d5d9e0",
  series: ["#1c5a99", "#c2571a", "#2a7f62", "#8a4fa3", "#8f6c00", "#b8336a", "#2f8fa8", "#5d646e"],
  deciles: LIGHT_DECILES,
  none: "#9aa1ac",
  ramp: ["#eef4f3", "#bfdaa4", "#7dc0a6", "#3f9cb0", "#216fa7", "#123f7c"],
  diverging: ["#8c3a0b", "#d98a54", "#f3ece6", "#6f9fcb", "#123f7c"],
};

const DARK: Palette = {
  card: "#1a1e25",
  text: "#e6e9ee",
  quiet: "#a5aebb",
  line: "#353c48",
  series: ["#6fb1ee", "#f0925a", "#63c29c", "#c79be0", "#d6b24c", "#f08bb4", "#6cc8dd", "#a9b1bd"],
  deciles: DARK_DECILES,
  none: "#6b7482",
  ramp: ["#252c36", "#2f5d92", "#3887b1", "#5db2b3", "#a0d7ab", "#e2f3b4"],
  diverging: ["#f0a06e", "#9a5a34", "#2a2f38", "#3f6f9f", "#8fc4f5"],
};

export function paletteOf({ dark }: Pick<Look, "dark">): Palette {
  return dark ? DARK : LIGHT;
}

/** Whether a column holds deciles: by its name and by all its values. */
export function isDecile(column: string, values: Iterable<unknown>): boolean {
  if (!/(^|_)decile(_|$)/.test(column)) return false;
  for (const value of values) {
    if (value === null) continue;
    const number = Number(value);
    if (!Number.isInteger(number) || number < 1 || number > 10) return false;
  }
  return true;
}

export function decileColor(palette: Palette, value: unknown): string {
  if (value === null || value === undefined) return palette.none;
  return palette.deciles[Number(value) - 1] ?? palette.none;
}
