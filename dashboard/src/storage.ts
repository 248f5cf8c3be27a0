// What this browser keeps for the pages. Where it may keep nothing, as where data of sites is blocked, asking it throws:
// the pages work all the same, until they are left.

type Storage = "localStorage" | "sessionStorage";

export function kept(where: Storage, key: string): string | null {
  try {
    return globalThis[where].getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a text; null forgets it. Whether that was done: where it was not, it holds for as long as the page is open. */
export function keep(where: Storage, key: string, text: string | null): boolean {
  try {
    if (text === null) globalThis[where].removeItem(key);
    else globalThis[where].setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

/** The keys that begin so, without their beginning. */
export function keysAfter(where: Storage, beginning: string): string[] {
  try {
    const keys = Array.from(globalThis[where], (_, i) => globalThis[where].key(i) ?? "");
    return keys.filter((key) => key.startsWith(beginning)).map((key) => key.slice(beginning.length));
  } catch {
    return [];
  }
}
