import { describe, expect, test } from "bun:test";
import { parseOrigins } from "../../../src/gateway/config/origins.ts";
import { isOriginAllowed, type OriginPolicy } from "../../../src/session/origin-policy.ts";

describe("WS-15: isOriginAllowed()", () => {
  const allowed = (
    origin: string | null,
    policy: Partial<OriginPolicy>,
    host: string | null = "telltale.example",
  ) => isOriginAllowed(origin, host, { allowedOrigins: undefined, mode: "production", ...policy });

  test("allows a client that sends no origin", () => {
    expect(allowed(null, { allowedOrigins: ["https://app.example"] })).toBe(true);
    expect(allowed(null, {})).toBe(true);
  });

  test("allows an origin of the list, with its whole host and port", () => {
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

  test("allows every origin for *, opaque ones included", () => {
    expect(allowed("null", { allowedOrigins: "*" })).toBe(true);
  });

  test("allows the gateway's own origin in production without a list", () => {
    expect(allowed("https://telltale.example", {})).toBe(true);
    expect(allowed("https://telltale.example", {}, "TellTale.Example")).toBe(true);
    expect(allowed("http://telltale.example:8000", {}, "telltale.example:8000")).toBe(true);
    expect(allowed("https://telltale.example", {}, "telltale.example:8000")).toBe(false);
    expect(allowed("https://other.example", {})).toBe(false);
    expect(allowed("null", {})).toBe(false);
    expect(allowed("https://telltale.example", {}, null)).toBe(false);
  });

  test("WEB-2: takes an origin for the gateway's own with or without its default port", () => {
    for (const [origin, host] of [
      ["https://app.example", "app.example:443"],
      ["http://app.example", "app.example:80"],
      ["https://app.example:443", "app.example"],
      ["http://app.example:80", "APP.example"],
      ["https://app.example", "app.example:0443"],
      ["HTTPS://App.Example", "app.EXAMPLE:443"],
      ["https://app.example.", "app.example:443"],
      ["https://app.example", "app.example.:443"],
      ["https://[::1]", "[::1]:443"],
      ["https://[::1]", "[0:0:0:0:0:0:0:1]"],
      ["http://[2001:db8::1]:8000", "[2001:DB8::1]:8000"],
      ["https://bücher.example", "xn--bcher-kva.example:443"],
      ["http://10.0.0.1", "10.0.0.1:80"],
    ] as const)
      expect([origin, host, allowed(origin, {}, host)]).toEqual([origin, host, true]);
  });

  test("WEB-2: refuses any other port, host or form of an origin", () => {
    for (const [origin, host] of [
      ["https://app.example", "app.example:80"],
      ["http://app.example", "app.example:443"],
      ["https://app.example", "app.example:8443"],
      ["https://app.example:8443", "app.example:443"],
      ["https://app.example", "app.example:443:443"],
      ["https://app.example", "app.example:443, app.example"],
      ["https://app.example", "app.example/x"],
      ["https://app.example", "evil.example@app.example"],
      ["https://app.example", "app.example#:443"],
      ["https://evil.example@app.example", "app.example"],
      ["https://app.example/x", "app.example"],
      ["https://app.example..", "app.example"],
      ["https://", ":443"],
      ["https://app.example", ""],
      ["https://app.example", ":443"],
    ] as const)
      expect([origin, host, allowed(origin, {}, host)]).toEqual([origin, host, false]);
  });

  test("WEB-2: allows an origin of the list however its default port, case and last dot are written", () => {
    const listed = parseOrigins("https://App.example:443, http://other.example.:80/, capacitor://localhost");
    if (listed === undefined) throw new Error("no list");
    for (const origin of [
      "https://app.example",
      "https://app.example:443",
      "https://APP.example.",
      "http://other.example",
      "capacitor://localhost",
    ])
      expect([origin, allowed(origin, { allowedOrigins: listed })]).toEqual([origin, true]);
    for (const origin of [
      "https://app.example:80",
      "https://other.example",
      "capacitor://localhost:1",
      "null",
    ])
      expect([origin, allowed(origin, { allowedOrigins: listed })]).toEqual([origin, false]);
  });

  test("allows every origin in development, unless a list is given", () => {
    expect(allowed("https://other.example", { mode: "development" })).toBe(true);
    const policy = { mode: "development", allowedOrigins: ["https://app.example"] } as const;
    expect(allowed("https://other.example", policy)).toBe(false);
  });

  test("allows no origin for an empty list", () => {
    expect(allowed("https://telltale.example", { allowedOrigins: [] })).toBe(false);
  });
});
