// What is drawn of the lines of a report.
import { describe, expect, it } from "vitest";
import type { Line } from "./api.ts";
import { byDecile, funnel, reach, verdict } from "./lines.ts";

const line = (changes: Partial<Line>) =>
  ({
    group: null,
    sent: 100,
    delivered: 95,
    opens: 40,
    machine_opens: 10,
    openers: 30,
    clickers: 5,
    purchasers: 2,
    rates: { delivery: null, open: { value: 0.3, low: 0.2, high: 0.4 }, click: null, conversion: null },
    ...changes,
  }) as Line;

describe("the funnel", () => {
  it("has the stages in their order", () => {
    expect(funnel(line({})).rows.map((row) => row.count)).toEqual([100, 95, 30, 5, 2]);
  });
  it("ends with clicks where nothing is known of purchases", () => {
    expect(funnel(line({ purchasers: null })).rows.map((row) => row.count)).toEqual([100, 95, 30, 5]);
  });
});

describe("opens by decile", () => {
  it("leave out sends that said no decile, and know of rates that are none", () => {
    const none = { delivery: null, open: null, click: null, conversion: null };
    const lines = [line({ group: null }), line({ group: 1 }), line({ group: 2, rates: none })];
    expect(byDecile(lines).rows).toEqual([
      { decile: 1, opens: 40, machine_opens: 10, open_rate: 0.3 },
      { decile: 2, opens: 40, machine_opens: 10, open_rate: null },
    ]);
  });
});

describe("intervals", () => {
  it("reach from the least to the greatest, zero among it", () => {
    expect(reach([{ low: 0.1, high: 0.2 }, null, { low: 0.05, high: 0.1 }])).toEqual([0, 0.2]);
    expect(reach([{ low: -3, high: -1 }])).toEqual([-3, 0]);
    expect(reach([null])).toEqual([-1, 1]);
  });
  it("say more, less, or chance", () => {
    expect(verdict({ low: 0.1, high: 0.2 })).toBe("more");
    expect(verdict({ low: -2, high: -1 })).toBe("less");
    expect(verdict({ low: -1, high: 0 })).toBe("chance");
  });
});
