// Light, dark, or as the system has it: kept in this browser, and written on the root for the style sheet.
import { computed, effect, signal } from "@preact/signals";
import { keep, kept } from "../storage.ts";

export type ThemeChoice = "system" | "light" | "dark";

const KEY = "tenfold-theme";
const asked = typeof matchMedia === "undefined" ? null : matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(asked?.matches ?? false);

function chosen(): ThemeChoice {
  const text = kept("localStorage", KEY);
  return text === "light" || text === "dark" ? text : "system";
}

export const themeChoice = signal<ThemeChoice>(chosen());

/** While the page is put on paper, which is light. */
export const onPaper = signal(false);

/** The theme that is shown: charts are drawn in its colours. */
export const dark = computed(
  () => !onPaper.value && (themeChoice.value === "system" ? systemDark.value : themeChoice.value === "dark"),
);

/** Keeps the root and the choice in step; called once. */
export function followTheme(): void {
  asked?.addEventListener("change", (event) => (systemDark.value = event.matches));
  addEventListener("beforeprint", () => (onPaper.value = true));
  addEventListener("afterprint", () => (onPaper.value = false));
  effect(() => {
    const choice = themeChoice.value;
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
    keep("localStorage", KEY, choice === "system" ? null : choice);
  });
}
