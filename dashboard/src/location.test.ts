import { expect, test } from "vitest";
import { parsePlace } from "./location.ts";
import { findRoute, type Route } from "./routes.ts";

const load = () => Promise.reject(new Error("not loaded here"));
const routes: Route[] = [
  { path: "/runs", title: "Runs", load },
  { path: "/runs/new", title: "New run", load },
  { path: "/runs/:run", title: "Run", load },
];

test("a place has a path and values", () => {
  const found = parsePlace("#/boards/overview?at=7&f.country=a%26b");
  expect(found.path).toBe("/boards/overview");
  expect(found.query.get("at")).toBe("7");
  expect(found.query.get("f.country")).toBe("a&b");
});

test("an address that is none leads to the beginning", () => {
  expect(parsePlace("").path).toBe("/");
  expect(parsePlace("#content").path).toBe("/");
});

test("the first route that fits is taken, and parts are decoded", () => {
  expect(findRoute("/runs", routes)?.route.title).toBe("Runs");
  expect(findRoute("/runs/new", routes)?.route.title).toBe("New run");
  expect(findRoute("/runs/a%2Fb", routes)?.parts).toEqual({ run: "a/b" });
  expect(findRoute("/runs/%E0%A4%A", routes)?.parts).toEqual({ run: "%E0%A4%A" });
  expect(findRoute("/runs/1/2", routes)).toBeNull();
});
