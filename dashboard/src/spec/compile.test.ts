// What guided queries become, and that no name and no value of a document becomes a part of the text of a query.

import { describe, expect, it } from "vitest";
import { bindSql, CompileError, compileQuery, compileWidget, toSql } from "./compile.ts";
import { columnFiltersOf, parametersOf, scan } from "./scan.ts";
import type { Condition, GuidedQuery, Join, Operator, Scalar } from "./types.ts";

const BASE: GuidedQuery = { table: "customer_value", columns: [{ column: "customer" }] };
const where = (condition: Condition, filters = {}) => compileQuery({ ...BASE, where: [condition] }, filters);
const conditionText = (condition: Condition, filters = {}) =>
  where(condition, filters).sql.split("\n").slice(2).join("\n");

describe("guided queries", () => {
  it("groups by the columns without an aggregate", () => {
    const compiled = compileQuery(
      {
        table: "fact_value_by_decile",
        columns: [{ column: "decile" }, { column: "total", aggregate: "sum", as: "total" }, { aggregate: "count" }],
        where: [{ column: "measure", op: "=", value: "clv" }],
        order: [{ column: "total", descending: true }],
        limit: 10,
      },
      {},
    );
    expect(compiled.sql).toBe(
      `SELECT "fact_value_by_decile"."decile" AS "decile",
       sum("fact_value_by_decile"."total") AS "total",
       count(*) AS "rows"
FROM "fact_value_by_decile"
WHERE "fact_value_by_decile"."measure" = $p1
GROUP BY "fact_value_by_decile"."decile"
ORDER BY "total" DESC NULLS LAST
LIMIT $p2`,
    );
    expect(compiled.parameters).toEqual({ p1: "clv", p2: 10 });
  });

  it("does not group where nothing is aggregated", () => {
    expect(compileQuery(BASE, {}).sql).toBe(`SELECT "customer_value"."customer" AS "customer"\nFROM "customer_value"`);
  });

  it("joins so that rows without a partner stay, and counts distinct values", () => {
    const compiled = compileQuery(
      {
        table: "customer_value",
        joins: [{ table: "dim_customer", on: { customer: "customer" }, where: { is_current: true } }],
        columns: [
          { table: "dim_customer", column: "country" },
          { table: "customer_value", column: "customer", aggregate: "count_distinct", as: "n" },
          { column: "clv_12m", aggregate: "sum" },
        ],
      },
      {},
    );
    expect(compiled.sql).toContain(
      `LEFT JOIN "dim_customer" ON "dim_customer"."customer" = "customer_value"."customer" AND "dim_customer"."is_current" = $p1`,
    );
    expect(compiled.sql).toContain(`count(DISTINCT "customer_value"."customer") AS "n"`);
    expect(compiled.sql).toContain(`sum("clv_12m") AS "sum_clv_12m"`);
    expect(compiled.sql).toContain(`GROUP BY "dim_customer"."country"`);
    expect(compiled.parameters).toEqual({ p1: true });
  });

  it("joins over a table that was joined before, and refuses one that was not", () => {
    const joins: Join[] = [
      { table: "customer_value", on: { customer: "customer" } },
      { table: "dim_date", on: { "customer_value.first_purchase": "date" } },
    ];
    const query: GuidedQuery = { table: "customer_decile", joins, columns: [{ table: "dim_date", column: "year" }] };
    expect(compileQuery(query, {}).sql).toContain(`"dim_date"."date" = "customer_value"."first_purchase"`);
    expect(() => compileQuery({ ...query, joins: joins.slice(1) }, {})).toThrow(/has not been joined/);
    expect(() => compileQuery({ ...query, joins: [] }, {})).toThrow(/neither the table/);
  });

  it("says where a query is not complete", () => {
    const places = (query: GuidedQuery) => {
      try {
        compileQuery(query, {});
      } catch (error) {
        return (error as CompileError).place;
      }
      return "";
    };
    expect(places({ table: "", columns: [] })).toBe("query.table");
    expect(places({ table: "t", columns: [] })).toBe("query.columns");
    expect(places({ ...BASE, columns: [{ column: "a" }, { column: "a" }] })).toBe("query.columns[1]");
    expect(places({ ...BASE, columns: [{}] })).toBe("query.columns[0]");
    expect(places({ ...BASE, columns: [{ column: "" }] })).toBe("query");
    expect(places({ ...BASE, limit: 0 })).toBe("query.limit");
    expect(places({ ...BASE, where: [{ column: "a", op: "=" }] })).toBe("query.where[0]");
    expect(places({ ...BASE, where: [{ column: "a", op: "between", values: [1] }] })).toBe("query.where[0]");
  });
});

describe("conditions", () => {
  const own = `"customer_value"."c"`;
  it.each<[Operator, Scalar[], string]>([
    ["in", ["a"], `${own} = $p1`],
    ["in", ["a", "b"], `${own} IN ($p1, $p2)`],
    ["in", [null], `${own} IS NULL`],
    ["in", ["a", null], `(${own} = $p1 OR ${own} IS NULL)`],
    ["not_in", ["a"], `(${own} <> $p1 OR ${own} IS NULL)`],
    ["not_in", ["a", "b"], `(${own} NOT IN ($p1, $p2) OR ${own} IS NULL)`],
    ["not_in", ["a", null], `(${own} <> $p1 AND ${own} IS NOT NULL)`],
    ["not_in", [null], `${own} IS NOT NULL`],
    ["between", [1, 2], `${own} >= $p1 AND ${own} <= $p2`],
    [">=", [1], `${own} >= $p1`],
    ["contains", ["x"], `strpos(lower(CAST(${own} AS VARCHAR)), lower($p1)) > 0`],
  ])("%s %j", (op, values, text) => {
    expect(conditionText({ column: "c", op, values })).toBe(`WHERE ${text}`);
  });

  it("need no value for NULL and for the newest", () => {
    expect(conditionText({ column: "c", op: "is_null" })).toBe(`WHERE ${own} IS NULL`);
    expect(conditionText({ column: "c", op: "newest" })).toBe(`WHERE ${own} = (SELECT max("c") FROM "customer_value")`);
  });

  it("are left out while their filter has no choice", () => {
    for (const nothing of [undefined, null, "", []]) {
      expect(where({ column: "c", op: "in", parameter: "country" }, { country: nothing }).sql).not.toContain("WHERE");
    }
    expect(where({ column: "c", op: "between", parameter: "period" }).sql).not.toContain("WHERE");
  });

  it("take one value, several, or one end of a range from a filter", () => {
    const country: Condition = { column: "c", op: "=", parameter: "country" };
    expect(conditionText(country, { country: "DE" })).toBe(`WHERE ${own} = $p1`);
    expect(conditionText(country, { country: ["DE", "FR"] })).toBe(`WHERE ${own} IN ($p1, $p2)`);
    const period: Condition = { column: "c", op: "between", parameter: "period" };
    expect(conditionText(period, { period_from: "2026-01-01" })).toBe(`WHERE ${own} >= $p1`);
    expect(conditionText(period, { period_from: "2026-01-01", period_to: "2026-02-01" })).toBe(
      `WHERE ${own} >= $p1 AND ${own} <= $p2`,
    );
    expect(where({ column: "c", op: ">", parameter: "least" }, { least: 0 }).parameters).toEqual({ p1: 0 });
  });
});

describe("SQL of a person", () => {
  it("gets exactly the values it asks for, and NULL for a filter without one", () => {
    const compiled = bindSql("SELECT $a, $b FROM t WHERE c = $c", { a: 1 }, { a: 2, b: "x", d: "unused" });
    expect(compiled.parameters).toEqual({ a: 1, b: "x", c: null });
  });

  it("gets several values in a list", () => {
    const compiled = bindSql(
      "SELECT 1 WHERE $c IS NULL OR country NOT IN ( $c ) AND x = $c_1",
      {},
      { c: ["DE", "FR"], c_1: 5 },
    );
    expect(compiled.sql).toBe("SELECT 1 WHERE $c IS NULL OR country NOT IN ( $c_1_, $c_2 ) AND x = $c_1");
    expect(compiled.parameters).toEqual({ c: "DE", c_1_: "DE", c_2: "FR", c_1: 5 });
  });

  it("gets the same values whether NULL was chosen before them or after", () => {
    const sql = "SELECT 1 WHERE $c IS NULL OR country NOT IN ($c)";
    const expected = { sql: "SELECT 1 WHERE $c IS NULL OR country NOT IN ($c_1, $c_2)", parameters: { c: "DE", c_1: "DE", c_2: "FR" } };
    expect(bindSql(sql, {}, { c: [null, "DE", "FR"] })).toEqual(expected);
    expect(bindSql(sql, {}, { c: ["DE", "FR", null] })).toEqual(expected);
  });

  it("has no parameters in texts, names and comments", () => {
    const sql = `SELECT '$a ''$b', "$c""$d", $x /* $e /* $f */ $g */, $$ $h $$, $t$ $i $t$, E'\\' $j' -- $k\n, $y, a$z, $x`;
    expect(parametersOf(sql)).toEqual(["x", "y"]);
  });

  it("names the column that a filter chooses, as a quoted name", () => {
    const sql = `SELECT "$measure", '"$measure"' FROM t`;
    expect(columnFiltersOf(sql)).toEqual(["measure"]);
    expect(bindSql(sql, {}, {}, { measure: 'a"; --' })).toEqual({
      sql: `SELECT "a""; --", '"$measure"' FROM t`,
      parameters: {},
    });
    expect(bindSql(sql, {}, { measure: "a" }).sql).toBe(sql);
  });

  it("goes before a guided query", () => {
    expect(compileWidget({ sql: "SELECT 1", query: BASE }, {}).sql).toBe("SELECT 1");
    expect(() => compileWidget({}, {})).toThrow(CompileError);
  });
});

describe("a guided query that becomes SQL", () => {
  const query: GuidedQuery = {
    table: "t",
    columns: [{ column: "a" }],
    where: [
      { column: "a", op: "=", value: "x" },
      { column: "a", op: "in", parameter: "p1" },
      { column: "b", op: "between", parameter: "period" },
      { column: "c", op: "not_in", parameter: "c" },
      { column: "d", op: "contains", parameter: "d" },
      { column: "e", op: "newest" },
    ],
  };

  it("asks for its filters by name, and keeps its fixed values", () => {
    const sql = toSql(query);
    expect(sql.parameters).toEqual({ p1_: "x" });
    expect(parametersOf(sql.sql)).toEqual(["p1_", "p1", "period_from", "period_to", "c", "d"]);
    expect(sql.sql).toContain(`AND ($p1 IS NULL OR "t"."a" IN ($p1))`);
  });

  it("gets the same values as before", () => {
    const filters = { p1: ["u", "v"], period_from: "2026-01-01", c: "w", d: "%" };
    const sql = toSql(query);
    const guided = compileQuery(query, filters);
    const written = bindSql(sql.sql, sql.parameters, filters);
    const values = (parameters: Record<string, Scalar>) => new Set(Object.values(parameters).filter((v) => v !== null));
    expect(values(written.parameters)).toEqual(values(guided.parameters));
  });

  it("has filters whose names are names", () => {
    expect(() => toSql({ ...query, where: [{ column: "a", op: "in", parameter: "x) OR 1=1" }] })).toThrow(/cannot be the name/);
  });
});

describe("names of an object's own machinery", () => {
  it("are no values", () => {
    expect(bindSql("SELECT $constructor", {}, {}).parameters).toEqual({ constructor: null });
    expect(conditionText({ column: "c", op: "in", parameter: "toString" })).toBe("");
  });
});

/** Numbers that look random and are the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const HOSTILE = [
  "'", '"', '""', "';--", "*/", "/*", "$1", "$p1", "$$", "\\", "\n", "\0", ")", "; DROP TABLE x", "a.b", "ü", "NULL", " OR 1=1", "e'",
];

describe("hostile documents", () => {
  it("have the same text whatever their values are", () => {
    const next = numbers(1);
    const operators: Operator[] = ["=", "!=", "<", ">=", "in", "not_in", "between", "contains"];
    for (let round = 0; round < 500; round += 1) {
      const text = () => Array.from({ length: 1 + next(4) }, () => HOSTILE[next(HOSTILE.length)]).join("");
      const op = operators[next(operators.length)] ?? "=";
      const count = op === "between" ? 2 : op === "in" || op === "not_in" ? 1 + next(4) : 1;
      const values = Array.from({ length: count }, text);
      const query = (list: Scalar[]): GuidedQuery => ({ ...BASE, where: [{ column: "c", op, values: list }] });
      const hostile = compileQuery(query(values), {});
      expect(hostile.sql).toBe(compileQuery(query(values.map(() => "harmless")), {}).sql);
      expect(Object.values(hostile.parameters)).toEqual(values);
      expect(parametersOf(hostile.sql)).toEqual(Object.keys(hostile.parameters));

      const filters = { f: values };
      const filtered = bindSql("SELECT * FROM t WHERE c IN ($f)", {}, filters);
      expect(filtered.sql).toBe(bindSql("SELECT * FROM t WHERE c IN ($f)", {}, { f: values.map(() => "harmless") }).sql);
      expect(Object.values(filtered.parameters)).toEqual(values);
    }
  });

  it("have names that end where they should", () => {
    const next = numbers(2);
    for (let round = 0; round < 500; round += 1) {
      const name = () => `x${Array.from({ length: 1 + next(4) }, () => HOSTILE[next(HOSTILE.length)]).join("")}`;
      const [table, column, alias, other] = [name(), name(), name(), name()];
      const { sql } = compileQuery(
        {
          table,
          columns: [{ column, as: alias }],
          where: [{ table, column, op: "is_null" }],
          order: [{ column: alias }],
          joins: round % 2 ? [{ table: `y${other}`, on: { [alias.replaceAll(".", "")]: column } }] : [],
        },
        {},
      );
      // Outside of quoted names there is nothing but what the compiler itself writes.
      const rest = scan(sql).filter((token) => !token.text.startsWith('"')).map((token) => token.text).join("");
      expect(rest.replace(/\s+/g, " ")).toMatch(/^SELECT (\. )?AS FROM (LEFT JOIN ON \. = \. )?WHERE \. IS NULL ORDER BY NULLS LAST$/);
    }
  });
});
