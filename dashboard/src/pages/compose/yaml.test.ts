// Documents as YAML. That YAML reads them back as they were is asked of the server, in the tests in a browser.

import { expect, it } from "vitest";
import type { DashboardDocument } from "../../spec/types.ts";
import { toYaml, written } from "./yaml.ts";

it("writes what people would write", () => {
  const document = {
    title: "Values: all",
    snapshot: undefined,
    widgets: [
      {
        name: "w",
        at: { x: 0, y: 1 },
        sql: "SELECT 1\n  AS a",
        query: { where: [{ column: "a", op: "=", values: ["no", null, 1, true, "a, b"] }], joins: [] },
        empty: {},
        describe: "It says \"yes\".\n\nAnd\tno.",
      },
    ],
  };
  expect(written(document)).toBe(`title: "Values: all"
widgets:
  - name: w
    at:
      x: 0
      y: 1
    sql: |-
      SELECT 1
        AS a
    query:
      where:
        - column: a
          op: "="
          values: ["no", null, 1, true, "a, b"]
      joins: []
    empty: {}
    describe: "It says \\"yes\\".\\n\\nAnd\\tno."
`);
});

it("quotes what YAML would read as something else", () => {
  for (const text of ["", " a", "a ", "1", "1.5", "-", "- a", "#a", "a: b", "a #b", "null", "True", "2026-01-01", "[a]", "{", "'", "&a", "*a", "!a", "|", ">", "%", "@", "`", "\u0085", "a:"]) {
    expect(written({ a: text })).toBe(`a: ${JSON.stringify(text)}\n`);
  }
});

it("keeps empty lines of SQL, and quotes what begins with a space", () => {
  expect(written({ sql: "SELECT 1\n\nAS a\n" })).toBe("sql: |\n  SELECT 1\n\n  AS a\n");
  expect(written({ sql: "  SELECT 1\nAS a" })).toBe(`sql: "  SELECT 1\\nAS a"\n`);
});

it("is the same for the same document, in whatever order its keys came", () => {
  const one: DashboardDocument = { title: "T", widgets: [{ name: "w", title: "W", at: { x: 0, y: 1, w: 2, h: 3 }, sql: "SELECT 1", mark: "table", encode: {}, describe: "D" }] };
  const other = { widgets: [{ describe: "D", mark: "table", at: { h: 3, w: 2, y: 1, x: 0 }, title: "W", sql: "SELECT 1", name: "w" }], title: "T" };
  expect(toYaml(one)).toBe(toYaml(other as unknown as DashboardDocument));
  expect(toYaml(one)).toBe(`title: T
widgets:
  - name: w
    title: W
    at:
      x: 0
      y: 1
      w: 2
      h: 3
    sql: SELECT 1
    mark: table
    describe: D
`);
});
