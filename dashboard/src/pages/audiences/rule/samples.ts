// Rules for tests: random trees of every kind, and the trees without what does not matter.

import { AGGREGATES, COMPARISONS, digitsOf, newId, type Node, type Scalar, type Test, type Window } from "./model.ts";

/** Numbers from 0 up to 1 that are the same each time (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const TEXTS = ["north", "it's", "", "a, b)", "ä ß 漢 🙂", "last 3 days", "'", "true", "1", "- x: {y}", "a: b # c"];
const NUMBERS = ["0", "-3", "12.5", "0.000001", "123456789012345678", "99999999999999.9999"];
const NAMES = ["status", "p_alive", "dim_customer.events", "decile_clv_12m", "in", "audience", "all", "last"];

/** A random rule that the server could read, `depth` deep at most. */
export function anyRule(next: () => number, depth: number): Node {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const some = <T>(most: number, item: () => T): T[] => Array.from({ length: 1 + Math.floor(next() * most) }, item);
  const name = () => pick(NAMES);
  const plain = () => pick(["sales", "visits", "x1"]);
  const maybe = <T>(item: () => T): T | null => (next() < 0.5 ? null : item());
  const number = (): Scalar => digitsOf(pick(NUMBERS)) as Scalar;
  const scalar = (): Scalar => pick<() => Scalar>([() => next() < 0.5, () => pick(TEXTS), number])();
  const window = (): Window =>
    pick<() => Window>([
      () => ({ kind: "last_days", count: 1 + Math.floor(next() * 400) }),
      () => ({ kind: "last_months", count: 1 + Math.floor(next() * 24) }),
      () => ({ kind: "between", from: "2026-01-01", to: "2026-02-28" }),
    ])();
  const numberTest = (): Test =>
    next() < 0.7
      ? { kind: "value", op: pick(COMPARISONS), value: number() }
      : { kind: "values", op: "between", values: [number(), number()] };
  const test = (): Test =>
    pick<() => Test>([
      numberTest,
      () => ({ kind: "value", op: pick(COMPARISONS), value: scalar() }),
      () => ({ kind: "value", op: pick(["contains", "starts_with", "ends_with"] as const), value: pick(TEXTS) }),
      () => ({ kind: "values", op: pick(["in", "not_in"] as const), values: some(3, scalar) }),
      () => ({ kind: "list", op: pick(["in", "not_in"] as const), list: "lists/it's.txt" }),
      () => ({ kind: "none", op: pick(["is_null", "exists"] as const) }),
      () => ({ kind: "window", window: window() }),
    ])();
  const column = (): Node => ({
    id: newId(),
    kind: "column",
    column: name(),
    key: maybe(() => pick(TEXTS)),
    test: test(),
  });
  const where = (): Node =>
    depth > 2 && next() < 0.4
      ? { id: newId(), kind: pick(["all", "any", "none"] as const), rules: some(2, column) }
      : column();
  const added = () => {
    const aggregate = pick(AGGREGATES);
    const measure = aggregate === "count" ? null : pick(["revenue", "miles"]);
    return { aggregate, measure, where: maybe(where), test: numberTest() };
  };
  const leaves: (() => Node)[] = [
    column,
    () => ({ id: newId(), kind: "events", source: plain(), ...added(), window: maybe(window) }),
    () => ({ id: newId(), kind: "relation", table: plain(), ...added() }),
    () => ({
      id: newId(),
      kind: "sequence",
      steps: some(3, () => ({
        id: newId(),
        source: plain(),
        where: maybe(where),
        afterDays: next() < 0.5 ? 0 : 2,
        withinDays: maybe(() => 30),
      })),
      window: maybe(window),
    }),
    () => ({ id: newId(), kind: "audience", audience: plain() }),
    () => ({
      id: newId(),
      kind: "moved",
      column: name(),
      key: maybe(() => pick(TEXTS)),
      from: numberTest(),
      to: numberTest(),
    }),
  ];
  if (depth <= 1 || next() < 0.4) return pick(leaves)();
  if (next() < 0.3) {
    const steps = some(3, () => ({
      id: newId(),
      verb: pick(["include", "exclude"] as const),
      rule: anyRule(next, depth - 1),
    }));
    return { id: newId(), kind: "steps", steps };
  }
  return { id: newId(), kind: pick(["all", "any", "none"] as const), rules: some(3, () => anyRule(next, depth - 1)) };
}

/** The tree without ids: what two trees that mean the same have in common. */
export function meaning(node: Node): unknown {
  return JSON.parse(JSON.stringify(node, (name, value: unknown) => (name === "id" ? undefined : value)));
}
