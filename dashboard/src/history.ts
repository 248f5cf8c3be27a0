// What undo goes back to, in the composer and in the builder of audiences. States are kept whole, since they share
// what did not change between them.

export interface History<T> {
  past: T[];
  present: T;
  future: T[];
  /** What the last change was about: changes of one kind that follow each other are undone together. */
  kind: string | null;
}

const KEPT = 200;

export function begun<T>(present: T): History<T> {
  return { past: [], present, future: [], kind: null };
}

/** After a change. With a `kind`, such as the field that is typed in, it joins the change of that kind before it. */
export function changed<T>(history: History<T>, present: T, kind: string | null = null): History<T> {
  if (present === history.present) return history;
  if (kind !== null && kind === history.kind && history.past.length > 0) return { ...history, present, future: [] };
  return { past: [...history.past, history.present].slice(-KEPT), present, future: [], kind };
}

/** Whatever comes next is a change of its own. */
export function settled<T>(history: History<T>): History<T> {
  return history.kind === null ? history : { ...history, kind: null };
}

export function undone<T>(history: History<T>): History<T> {
  const present = history.past.at(-1);
  if (present === undefined) return history;
  return { past: history.past.slice(0, -1), present, future: [history.present, ...history.future], kind: null };
}

export function redone<T>(history: History<T>): History<T> {
  const [present, ...future] = history.future;
  if (present === undefined) return history;
  return { past: [...history.past, history.present], present, future, kind: null };
}
