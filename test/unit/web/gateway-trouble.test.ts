import { describe, expect, test } from "bun:test";
import type { ConnectionStatus } from "../../../src/client/watcher.ts";
import { gatewayTrouble, hearingOfBroker } from "../../../src/web/words/gateway-trouble.ts";

const waiting = (code: number, reason = ""): ConnectionStatus => ({
  kind: "waiting",
  retryInMs: 1_000,
  code,
  reason,
});

async function toldAfter(answer: () => Promise<Response>, signal = new AbortController().signal) {
  const told: boolean[] = [];
  const fetch = hearingOfBroker(answer, (away) => told.push(away));
  const body = await fetch("http://gateway.example/", { signal }).then(
    (response) => response.text(),
    (error: Error) => error.message,
  );
  return { told, body };
}

const away = '{"status":503,"code":"broker_unavailable"}';

describe("the words of a page about the gateway", () => {
  test("PAGE-9: a live link to a gateway without its broker has no news", () => {
    expect(gatewayTrouble({ kind: "live" }, true)).toBe("broker_away");
    expect(gatewayTrouble({ kind: "live" }, false)).toBeUndefined();
  });

  test("PAGE-9: a gateway that answers is not called unreachable", () => {
    expect(gatewayTrouble(waiting(1013), true)).toBe("broker_away");
    expect(gatewayTrouble(waiting(1013, "broker_unavailable"), false)).toBe("broker_away");
    expect(gatewayTrouble(waiting(1013, "retry_after_ms=1000"), false)).toBe("busy");
    expect(gatewayTrouble(waiting(1006), false)).toBe("unreachable");
    expect(gatewayTrouble({ kind: "connecting" }, true)).toBeUndefined();
  });

  test("PAGE-9: a 503 with broker_unavailable is heard, and the caller gets it whole", async () => {
    const heard = await toldAfter(async () => new Response(away, { status: 503 }));
    expect(heard).toEqual({ told: [true], body: away });
  });

  for (const [what, status, body] of [
    ["a 503 of a proxy", 503, "<html>"],
    ["a 503 for another reason", 503, '{"code":"over_capacity"}'],
    ["a 503 that holds null", 503, "null"],
    ["a state", 200, away],
  ] as const) {
    test(`PAGE-9: ${what} says nothing of a broker`, async () => {
      const heard = await toldAfter(async () => new Response(body, { status }));
      expect(heard).toEqual({ told: [false], body });
    });
  }

  test("PAGE-9: a request that failed ends what was said; one that the page gave up says nothing", async () => {
    const fails = () => Promise.reject(new TypeError("Failed to fetch"));
    expect((await toldAfter(fails)).told).toEqual([false]);
    expect((await toldAfter(fails, AbortSignal.abort())).told).toEqual([]);
  });
});
