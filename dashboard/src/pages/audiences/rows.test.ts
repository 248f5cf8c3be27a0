// Rows of answers as the pages show them.
import { describe, expect, it } from "vitest";
import type { Table } from "../../api/types.ts";
import { exportSql, membersSql } from "./queries.ts";
import { heldBack, trends } from "./rows.ts";
import type { RuleColumn } from "./rule/vocabulary.ts";

describe("groups", () => {
  it("have a line for each tile, those without one last", () => {
    const rows = [
      { tile: null, holdout: "treated", members: 5 },
      { tile: 2, holdout: "control", members: 1 },
      { tile: 2, holdout: "treated", members: 3 },
      { tile: 1, holdout: "treated", members: 4 },
    ];
    expect(heldBack(rows)).toEqual([
      { tile: 1, treated: 4, control: 0, share: 0 },
      { tile: 2, treated: 3, control: 1, share: 0.25 },
      { tile: null, treated: 5, control: 0, share: 0 },
    ]);
  });
});

describe("trends", () => {
  it("are told apart by audience", () => {
    const row = (audience: string, members: number) => ({ audience, members });
    expect([...trends([row("a", 1), row("a", 3), row("b", 2)])]).toEqual([
      ["a", [1, 3]],
      ["b", [2]],
    ]);
  });
});

describe("members", () => {
  const column = (name: string, table: string, plain = name): RuleColumn => ({
    name,
    kind: "number",
    isTile: false,
    namesPeople: false,
    about: "",
    table,
    column: plain,
  });
  it("are exported with the columns of both tables, each under a name of its own", () => {
    const sql = exportSql([
      column("customer_value.events", "customer_value", "events"),
      column("dim_customer.events", "dim_customer", "events"),
      column('we"ird', "dim_customer"),
    ]);
    expect(sql).toContain('v."events" AS "events", d."events" AS "dim_customer_events", d."we""ird" AS "we""ird"');
    expect(sql).toContain("LEFT JOIN dim_customer AS d ON d.customer = m.customer AND d.is_current");
    expect(exportSql([])).not.toContain("JOIN");
    expect(exportSql([column("priority", "dim_customer")])).toContain('d."priority" AS "dim_customer_priority"');
  });
  it("are shown with what the snapshot has", () => {
    const tables = [
      {
        name: "customer_value",
        columns: [{ name: "customer" }, { name: "clv_3m" }, { name: "clv_12m" }, { name: "p_alive" }],
      },
    ] as unknown as Table[];
    expect(membersSql(tables)).toMatch(/m\.holdout, v\."clv_3m", v\."p_alive"\n/);
    expect(membersSql([])).toContain("SELECT m.customer, m.holdout\n");
  });
});
