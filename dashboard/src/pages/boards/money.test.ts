import { expect, test } from "vitest";
import type { DashboardDocument } from "../../spec/types.ts";
import { withCurrency } from "./money.ts";

test("money without a currency gets that of the project", () => {
  const document = {
    title: "t",
    widgets: [{ name: "a", format: { m: { kind: "money" }, e: { kind: "money", currency: "EUR" }, n: { kind: "number" } } }, { name: "b" }],
  } as unknown as DashboardDocument;
  expect(withCurrency(document, "USD").widgets[0]?.format).toEqual({
    m: { kind: "money", currency: "USD" },
    e: { kind: "money", currency: "EUR" },
    n: { kind: "number" },
  });
  expect(withCurrency(document, null)).toBe(document);
});
