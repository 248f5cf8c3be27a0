// What can be done to a widget in the composer, as changes of its document: put a column on an axis, take it off,
// aggregate it in another way, draw it with another mark. Each takes a widget and gives the changed one; a name that
// changes is changed wherever it is used.

import { outputName, toSql } from "../../spec/compile.ts";
import type { Aggregate, Condition, Drill, Encode, GuidedQuery, Mark, Place, QueryColumn, Widget } from "../../spec/types.ts";
import { MARK_INFO, type Role, roleOf } from "../../spec/marks.ts";
import { isNumeric } from "../../ui/format.ts";
import { tidied } from "./joins.ts";

export interface Source {
  table: string;
  /** Left out to count rows. */
  column?: string;
  /** Arrow's name of the type. */
  type?: string;
}

export function newWidget(name: string, at: Place): Widget {
  return { name, title: "", at, query: { table: "", columns: [] }, mark: "bar", encode: {}, describe: "" };
}

/** A name that no other has: `name`, or with a number behind it. */
export function freeName(name: string, taken: Iterable<string>): string {
  const names = new Set(taken);
  if (!names.has(name)) return name;
  const stem = name.replace(/_\d+$/, "");
  for (let i = 2; ; i += 1) if (!names.has(`${stem}_${i}`)) return `${stem}_${i}`;
}

/** The rows that a new query asks for at most: what a picture can show. */
const LIMIT = 1000;

/** Another table: what was chosen of the one before is gone. */
export function withTable(widget: Widget, table: string): Widget {
  const { format: _f, drill: _d, cross_filter: _c, options, ...rest } = widget;
  const { sort: _s, ...look } = options ?? {};
  return { ...rest, ...(Object.keys(look).length > 0 ? { options: look } : {}), query: { table, columns: [], limit: LIMIT }, encode: {} };
}

function withQuery(widget: Widget, change: (query: GuidedQuery) => GuidedQuery): Widget {
  return widget.query ? { ...widget, query: tidied(change(widget.query)) } : widget;
}

/** The columns of a role, as a list. */
export function shown(encode: Encode, role: Role): string[] {
  const value = encode[role];
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
}

function encoded(encode: Encode, role: Role, names: string[]): Encode {
  const { [role]: _, ...rest } = encode;
  if (names.length === 0) return rest;
  return { ...rest, [role]: names.length > 1 && (role === "y" || role === "line") ? names : names[0] };
}

/** The aggregate that a column begins with in a role. */
export function firstAggregate(mark: Mark, role: Role | null, source: Source): Aggregate | undefined {
  if (source.column === undefined) return "count";
  if (role === null || !roleOf(mark, role)?.measure) return undefined;
  if (!isNumeric(source.type ?? "")) return "count_distinct";
  return /^(p_|share|mean|avg|decile|quartile|rate|recency|age_|frequency)|_(share|rate|mean)$/.test(source.column) ? "avg" : "sum";
}

/**
 * Puts a column in a role, or with null only among the columns of the answer. A role of one column takes it in the
 * place of the one before.
 */
export function put(widget: Widget, role: Role | null, source: Source): Widget {
  const query = widget.query;
  if (!query) return widget;
  const aggregate = firstAggregate(widget.mark, role, source);
  const column: QueryColumn = {
    ...(source.column === undefined ? {} : { column: source.column, table: source.table }),
    ...(aggregate ? { aggregate } : {}),
  };
  const same = query.columns.find((one) => sameColumn(one, column, query.table));
  const added = same ?? named(column, query.columns);
  let changed = same ? widget : withQuery(widget, (now) => ({ ...now, columns: [...now.columns, added] }));
  if (role === null) return changed;
  const name = outputName(added);
  const before = shown(widget.encode, role);
  if (before.includes(name)) return changed;
  if (!roleOf(widget.mark, role)?.many) for (const old of before) changed = takenOff(changed, role, old);
  const put = { ...changed, encode: encoded(changed.encode, role, [...shown(changed.encode, role), name]) };
  return role === "x" && !added.aggregate ? inOrderOf(put, name) : put;
}

/** Rows in the order of the x axis, unless there is an order: without one they come as they happen to. */
function inOrderOf(widget: Widget, name: string): Widget {
  return withQuery(widget, (query) => (query.order?.length ? query : { ...query, order: [{ column: name }] }));
}

function sameColumn(a: QueryColumn, b: QueryColumn, base: string): boolean {
  return a.column === b.column && (a.table ?? base) === (b.table ?? base) && a.aggregate === b.aggregate;
}

/** The column with a name that no other column of the answer has. */
function named(column: QueryColumn, others: QueryColumn[]): QueryColumn {
  const name = outputName(column);
  const free = freeName(name, others.map(outputName));
  return free === name ? column : { ...column, as: free };
}

/** Takes a column off a role, and out of the answer where nothing else shows it. */
export function takenOff(widget: Widget, role: Role, name: string): Widget {
  const encode = encoded(widget.encode, role, shown(widget.encode, role).filter((one) => one !== name));
  const still = MARK_INFO[widget.mark].roles.some((info) => shown(encode, info.role).includes(name));
  return still ? { ...widget, encode } : withoutColumn({ ...widget, encode }, name);
}

/** Takes a column out of the answer, and out of everything that names it. */
export function withoutColumn(widget: Widget, name: string): Widget {
  const encode = (Object.keys(widget.encode) as Role[]).reduce(
    (now, role) => encoded(now, role, shown(now, role).filter((one) => one !== name)),
    widget.encode,
  );
  const changed = withQuery({ ...widget, encode }, ({ order = [], ...query }) => {
    const left = order.filter((by) => by.column !== name);
    return {
      ...query,
      columns: query.columns.filter((column) => outputName(column) !== name),
      ...(left.length > 0 ? { order: left } : {}),
    };
  });
  return namesChanged(changed, (one) => (one === name ? null : one));
}

/** Changes a column of the answer: its aggregate, or its name. */
export function withColumn(widget: Widget, name: string, change: (column: QueryColumn) => QueryColumn): Widget {
  const query = widget.query;
  const before = query?.columns.find((column) => outputName(column) === name);
  if (!query || !before) return widget;
  const after = named(change(before), query.columns.filter((column) => column !== before));
  const now = outputName(after);
  const renamed = (one: string) => (one === name ? now : one);
  const encode = (Object.keys(widget.encode) as Role[]).reduce(
    (encode, role) => encoded(encode, role, shown(encode, role).map(renamed)),
    widget.encode,
  );
  const changed = withQuery({ ...widget, encode }, (old) => ({
    ...old,
    columns: old.columns.map((column) => (column === before ? after : column)),
    ...(old.order ? { order: old.order.map((by) => ({ ...by, column: renamed(by.column) })) } : {}),
  }));
  return namesChanged(changed, renamed);
}

/** The aggregate of a column; its name follows where nobody gave it one. */
export function withAggregate(widget: Widget, name: string, aggregate: Aggregate | undefined): Widget {
  return withColumn(widget, name, ({ aggregate: _, ...column }) => ({ ...column, ...(aggregate ? { aggregate } : {}) }));
}

/** Formats, sorting, drill and cross-filter with other names of columns; null takes out what names one. */
function namesChanged(widget: Widget, to: (name: string) => string | null): Widget {
  const { format, options, drill, cross_filter, ...rest } = widget;
  const formats = Object.entries(format ?? {}).flatMap(([name, value]) => {
    const now = to(name);
    return now === null ? [] : [[now, value] as const];
  });
  const map = (record: Record<string, string> | undefined) =>
    Object.fromEntries(
      Object.entries(record ?? {}).flatMap(([key, name]) => {
        const now = to(name);
        return now === null ? [] : [[key, now]];
      }),
    );
  const { sort, ...look } = options ?? {};
  const sorted = sort ? to(sort.column) : null;
  const looks = sort && sorted !== null ? { ...look, sort: { ...sort, column: sorted } } : look;
  const crossed = map(cross_filter);
  const drilled = drillChanged(drill, map, to);
  return {
    ...rest,
    ...(formats.length > 0 ? { format: Object.fromEntries(formats) } : {}),
    ...(Object.keys(looks).length > 0 ? { options: looks } : {}),
    ...(drilled ? { drill: drilled } : {}),
    ...(Object.keys(crossed).length > 0 ? { cross_filter: crossed } : {}),
  };
}

type Renaming = (record: Record<string, string> | undefined) => Record<string, string>;

function drillChanged(drill: Drill | undefined, map: Renaming, to: (name: string) => string | null): Drill | undefined {
  if (!drill) return undefined;
  if (!("customer" in drill)) return { ...drill, ...(drill.pass ? { pass: map(drill.pass) } : {}) };
  const customer = to(drill.customer);
  return customer === null ? undefined : { customer };
}

/** x and y change places; what is there more than once on y stays there, but for the first. */
export function swapped(widget: Widget): Widget {
  const [x] = shown(widget.encode, "x");
  const [y, ...others] = shown(widget.encode, "y");
  let encode = encoded(widget.encode, "x", y === undefined ? [] : [y]);
  encode = encoded(encode, "y", [...(x === undefined ? [] : [x]), ...others]);
  return { ...widget, encode };
}

/**
 * Another mark: columns go to the roles that mean the same there. What rows were grouped by and has no place any more
 * goes out of the answer, or else a big number would be that of one group. Amounts stay.
 */
export function withMark(widget: Widget, mark: Mark): Widget {
  if (mark === widget.mark) return widget;
  const from = MARK_INFO[widget.mark].roles;
  const to = MARK_INFO[mark].roles;
  const left = from.flatMap((info) => shown(widget.encode, info.role).map((name) => ({ ...info, name })));
  let encode: Encode = {};
  const seats = (role: (typeof to)[number]) => (role.many ? Infinity : 1) - shown(encode, role.role).length;
  const seat = (fits: (old: (typeof left)[number], now: (typeof to)[number]) => boolean) => {
    for (const now of to) {
      for (const old of [...left]) {
        if (seats(now) < 1 || !fits(old, now)) continue;
        encode = encoded(encode, now.role, [...shown(encode, now.role), old.name]);
        left.splice(left.indexOf(old), 1);
      }
    }
  };
  // First the same role for the same purpose, then any role for the purpose.
  seat((old, now) => old.role === now.role && old.measure === now.measure);
  seat((old, now) => old.measure === now.measure);
  const { compare, ...rest } = widget;
  const changed: Widget = { ...rest, mark, encode, ...(compare && mark === "number" ? { compare } : {}) };
  const columns = widget.query?.columns ?? [];
  if (!columns.some((column) => column.aggregate)) return changed;
  const groups = columns.filter((column) => !column.aggregate).map(outputName);
  return left.reduce((now, { name }) => {
    const shows = to.some((info) => shown(now.encode, info.role).includes(name));
    return groups.includes(name) && !shows ? withoutColumn(now, name) : now;
  }, changed);
}

export function withCondition(widget: Widget, condition: Condition): Widget {
  return withQuery(widget, (query) => ({ ...query, where: [...(query.where ?? []), condition] }));
}

/** Changes a condition, or takes it away. */
export function conditionChanged(widget: Widget, index: number, condition: Condition | null): Widget {
  return withQuery(widget, ({ where = [], ...query }) => {
    const now = where.flatMap((one, i) => (i !== index ? [one] : condition ? [condition] : []));
    return { ...query, ...(now.length > 0 ? { where: now } : {}) };
  });
}

/** The same question as SQL, for somebody who goes on writing it. There is no way back. */
export function asSql(widget: Widget): Widget {
  if (!widget.query) return widget;
  const { query, ...rest } = widget;
  const { sql, parameters } = toSql(query);
  return { ...rest, sql, ...(Object.keys(parameters).length > 0 ? { parameters } : {}) };
}

/** Shows a column of the answer in a role, where the answer itself stays as it is: of SQL, which says it itself. */
export function pointed(widget: Widget, role: Role, name: string): Widget {
  const before = roleOf(widget.mark, role)?.many ? shown(widget.encode, role).filter((one) => one !== name) : [];
  return { ...widget, encode: encoded(widget.encode, role, [...before, name]) };
}

export function unpointed(widget: Widget, role: Role, name: string): Widget {
  return { ...widget, encode: encoded(widget.encode, role, shown(widget.encode, role).filter((one) => one !== name)) };
}
