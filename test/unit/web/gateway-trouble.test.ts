import { describe, expect, test } from "bun:test";
import type { ConnectionStatus } from "../../../src/client/sdk.ts";
import { cancelFault } from "../../../src/web/words/cancel-fault.ts";
import { gatewayTrouble } from "../../../src/web/words/gateway-trouble.ts";

const waiting = (code: number, reason = ""): ConnectionStatus => ({
  status: "waiting",
  retryAt: 1_000,
  code,
  reason,
});

describe("the words of a page about the gateway", () => {
  test.each([
    [1013, "broker_unavailable", "broker_away"],
    [4003, "broker_unavailable", "broker_away"],
    [1013, "retry_after_ms=1000", "busy"],
    [4003, "not_declared", "undeclared"],
    [1006, "", "unreachable"],
  ] as const)("PAGE-9: a connection that ended with %i %j means %s", (code, reason, trouble) => {
    expect(gatewayTrouble(waiting(code, reason))).toBe(trouble);
  });

  test("PAGE-9: there is no trouble before and while there is a connection", () => {
    expect(gatewayTrouble({ status: "connecting" })).toBeUndefined();
    expect(gatewayTrouble({ status: "live", transport: "sse" })).toBeUndefined();
  });

  test("PAGE-2: a request to cancel that came to nothing is told in a sentence", () => {
    const unreachable = "The gateway cannot be reached. Check that it is running, and try again.";
    expect(cancelFault({ code: "scope_missing", message: "scope_missing" })).toBe(
      "The gateway says: scope_missing.",
    );
    expect(cancelFault({ code: "unreachable", message: "Failed to fetch" })).toBe(unreachable);
    expect(cancelFault({ code: "unreachable", message: "no token: no answer in time" })).toBe(unreachable);
    expect(cancelFault({ code: "unreachable", message: "no token: The web application is away." })).toBe(
      "The web application is away.",
    );
  });
});
