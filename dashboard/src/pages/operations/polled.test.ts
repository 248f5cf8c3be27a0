import { describe, expect, it } from "vitest";
import { patience } from "./polled.ts";

describe("a question that failed", () => {
  it("is not asked again where the answer cannot become another", () => {
    expect([401, 403, 404].map((status) => patience(status, 2))).toEqual([null, null, null]);
    expect(patience(502, null)).toBeNull();
  });

  it("leaves a server that has trouble alone for a while", () => {
    expect([patience(502, 1), patience(0, 1), patience(500, 60)]).toEqual([10, 10, 60]);
  });
});
