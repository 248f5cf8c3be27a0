import { describe, expect, it } from "vitest";
import { ahead, firingWords, freshness, secondsBetween, since, took } from "./times.ts";

const NOW = Date.parse("2026-11-26T14:00:00Z");

describe("instants", () => {
  it("that were are said from now, and never lie ahead", () => {
    expect(since("2026-11-26T14:00:03Z", NOW)).toBe("just now");
    expect(since("2026-11-26T13:59:58.5Z", NOW)).toBe("just now");
    expect(since("2026-11-26T13:55:00Z", NOW)).toBe("5 min ago");
    expect(since("2026-11-24T13:00:00Z", NOW)).toBe("2 days ago");
    expect(since("", NOW)).toBe("–");
  });

  it("that come are said in one unit", () => {
    const said = ["2026-11-26T13:59:59Z", "2026-11-26T14:00:30Z", "2026-11-26T14:59:59Z", "2026-11-27T01:30:00Z", "2026-11-30T06:00:00Z"];
    expect(said.map((at) => ahead(at, NOW))).toEqual(["due", "in 30 s", "in 59 min", "in 11 h", "in 3 days"]);
  });

  it("of a firing are those of its zone", () => {
    const firing = { local: "2026-11-27T02:30:00", offset: "+01:00", utc: "2026-11-27T01:30:00Z" };
    expect(firingWords(firing, NOW)).toBe("2026-11-27 02:30 +01:00 (in 11 h)");
    expect(firingWords(null, NOW)).toBe("no further firing");
  });
});

describe("lengths of time", () => {
  it("are null, and a dash, where an end is missing", () => {
    expect(secondsBetween("2026-11-26T14:00:00Z", "2026-11-26T14:00:02.5Z")).toBe(2.5);
    expect(secondsBetween("2026-11-26T14:00:00Z", "")).toBeNull();
    expect([took(2.5), took(null)]).toEqual(["2.5 s", "–"]);
  });
});

describe("freshness", () => {
  it("counts the days that a snapshot does not know", () => {
    expect(freshness("2026-11-26", NOW)).toEqual({ current: true, words: "knows all days until yesterday" });
    expect(freshness("2026-11-25", NOW)).toEqual({ current: true, words: "one day behind" });
    expect(freshness("2026-03-08", NOW)).toEqual({ current: false, words: "263 days behind" });
  });
});
