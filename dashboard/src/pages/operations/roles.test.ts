import { beforeEach, describe, expect, it } from "vitest";
import { ApiError, token } from "../../api/api.ts";
import { lacking, learn } from "./roles.ts";

const refusal = new ApiError(403, { code: "E2402" });

describe("roles", () => {
  beforeEach(() => {
    token.value = `other than ${token.value}`;
  });

  it("are not missing before anything was refused", () => {
    learn("operator", new ApiError(409, { code: "E2202" }));
    expect([lacking("operator"), lacking("admin")]).toEqual([null, null]);
  });

  it("are missing after a refusal: who is no operator is no admin, and not the other way round", () => {
    learn("admin", refusal);
    expect([lacking("operator"), lacking("admin")]).toEqual([null, "your token has no role that may do this: it takes admin"]);
    learn("operator", refusal);
    expect(lacking("operator")).toBe("your token has no role that may do this: it takes operator");
  });

  it("are asked about anew with another token", () => {
    learn("operator", refusal);
    token.value = "another";
    expect([lacking("operator"), lacking("admin")]).toEqual([null, null]);
  });
});
