import { expect, test } from "vitest";
import { toDeclare } from "./needs.ts";

test("what is lacking is told by what to declare", () => {
  expect(toDeclare("fact_campaign.purchasers")).toBe("a source of kind responses and clv");
  expect(toDeclare("fact_campaign")).toBe("a source of kind responses");
  expect(toDeclare("customer_value.decile_*")).toBe("deciles in tenfold.yaml");
  expect(toDeclare("customer_value.p_alive")).toMatch(/^clv/);
  expect(toDeclare("fact_cohort.clv_*")).toMatch(/^clv in tenfold.yaml, and a refresh/);
  expect(toDeclare("fact_cohort_retention")).toMatch(/^clv in tenfold.yaml, and a refresh/);
  expect(toDeclare("audience_member")).toMatch(/^audiences/);
  expect(toDeclare("halves.half")).toMatch(/^a table of that name/);
});
