// Where the page is: a path and named values, both behind the `#` of the address, so that every view can be linked
// to and the server needs to know none of them. `#/boards/overview?at=7&f.country=DE` has the path `/boards/overview`.
import { computed, signal } from "@preact/signals";

export interface Place {
  /** The address as it stands behind the `#`, and with it. */
  hash: string;
  path: string;
  query: URLSearchParams;
}

export function parsePlace(hash: string): Place {
  const text = hash.replace(/^#/, "");
  const cut = text.indexOf("?");
  const path = cut < 0 ? text : text.slice(0, cut);
  return { hash, path: path.startsWith("/") ? path : "/", query: new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1)) };
}

/** The address of a view; values that are null or empty are left out, and `at` goes along when it is not named. */
export function href(path: string, query: Record<string, string | null | undefined> = {}): string {
  const at = place.value.query.get("at");
  return "#" + path + written({ ...(at ? { at } : {}), ...query });
}

function written(query: Record<string, string | null | undefined>): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) values.set(name, value);
  const text = values.toString();
  return text ? "?" + text : "";
}

/** Whether a path is that of a page in a navigation or of one below it. */
export function within(path: string, page: string): boolean {
  return path === page || path.startsWith(`${page}/`);
}

const here = () => (typeof location === "undefined" ? "" : location.hash);

/** The place that is shown. */
export const place = signal<Place>(parsePlace(here()));

/** The snapshot that the pages read: what `at` of a query takes, or null for the newest. */
export const at = computed<string | null>(() => place.value.query.get("at"));

let guard: (() => boolean) | null = null;

/** While there is unsaved work: what says, before another page is shown, whether it may be. Null takes it away. */
export function guardLeaving(may: (() => boolean) | null): void {
  guard = may;
}

export function navigate(path: string, query: Record<string, string | null | undefined> = {}): void {
  location.hash = href(path, query);
}

/** Changes named values of the address. `replace` leaves no step to go back to, for what changes often. */
export function setQuery(changes: Record<string, string | null>, replace = false): void {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  const hash = "#" + place.value.path + (text ? "?" + text : "");
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, "", hash);
    place.value = parsePlace(hash);
  } else location.hash = hash;
}

/** Follows the address; called once. */
export function followLocation(): void {
  addEventListener("hashchange", () => {
    const next = parsePlace(location.hash);
    if (next.path !== place.value.path && guard !== null && !guard()) {
      const { path, query } = place.value;
      history.replaceState(null, "", `#${path}${written(Object.fromEntries(query))}`);
      return;
    }
    place.value = next;
  });
  addEventListener("beforeunload", (event) => {
    if (guard !== null) event.preventDefault();
  });
}
