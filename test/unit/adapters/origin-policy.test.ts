import { describe, expect, test } from "bun:test";
import { isOriginAllowed, type OriginPolicy } from "../../../src/adapters/origin-policy.ts";

describe("WS-15: a page's origin", () => {
  const allowed = (
    origin: string | null,
    policy: Partial<OriginPolicy>,
    host: string | null = "telltale.example",
  ) => isOriginAllowed(origin, host, { allowedOrigins: undefined, mode: "production", ...policy });

  test("is not asked of a client that sends none", () => {
    expect(allowed(null, { allowedOrigins: ["https://app.example"] })).toBe(true);
    expect(allowed(null, {})).toBe(true);
  });

  test("must be one of the list, whole and to the port", () => {
    const policy = { allowedOrigins: ["https://app.example", "http://localhost:5173"] };
    for (const origin of ["https://app.example", "HTTPS://App.Example", "http://localhost:5173"])
      expect(allowed(origin, policy)).toBe(true);
    for (const origin of [
      "http://app.example",
      "https://app.example:8443",
      "https://app.example.evil.example",
      "https://evil-app.example",
      "http://localhost",
      "null",
      "",
    ])
      expect([origin, allowed(origin, policy)]).toEqual([origin, false]);
  });

  test("may be any where everything is allowed, opaque ones included", () => {
    expect(allowed("null", { allowedOrigins: "*" })).toBe(true);
  });

  test("is the gateway's own in production, where no list is given", () => {
    expect(allowed("https://telltale.example", {})).toBe(true);
    expect(allowed("https://telltale.example", {}, "TellTale.Example")).toBe(true);
    expect(allowed("http://telltale.example:8000", {}, "telltale.example:8000")).toBe(true);
    expect(allowed("https://telltale.example", {}, "telltale.example:8000")).toBe(false);
    expect(allowed("https://other.example", {})).toBe(false);
    expect(allowed("null", {})).toBe(false);
    expect(allowed("https://telltale.example", {}, null)).toBe(false);
  });

  test("may be any in development, unless a list is given", () => {
    expect(allowed("https://other.example", { mode: "development" })).toBe(true);
    const policy = { mode: "development", allowedOrigins: ["https://app.example"] } as const;
    expect(allowed("https://other.example", policy)).toBe(false);
  });

  test("is never allowed by an empty list", () => {
    expect(allowed("https://telltale.example", { allowedOrigins: [] })).toBe(false);
  });
});
