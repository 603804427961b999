import { describe, expect, test } from "bun:test";
import { BrokerUnavailable, NewerFormat, OutcomeUnknown } from "../../../../src/application/errors.ts";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench, problemOf } from "./app-bench.ts";

const TEXT = "connect ECONNREFUSED 10.0.0.1:6379: WRONGPASS, says Redis";
const FULL = { cause: "full", reason: "the memory of the broker is full" } as const;

describe("a broker that is away or refuses, as strangers see it", () => {
  test.each([
    ["broker_unavailable", new BrokerUnavailable(TEXT, { trouble: { cause: "credentials" } })],
    ["broker_unavailable", new BrokerUnavailable(TEXT)],
    ["outcome_unknown", new OutcomeUnknown(TEXT)],
    ["newer_format", new NewerFormat(TEXT)],
  ])("RDY-2 a problem of code %s has words of its own, on every way", async (code, fault) => {
    const { publish, notify, declare, ask, analysisId, pubSub } = appBench();
    pubSub.fault = () => fault;
    for (const answer of [
      await publish(statusUpdate()),
      await notify({ message: "m" }),
      await declare({ viewers: "*" }),
      await ask(`/v1/analyses/${analysisId}`),
      await ask(`/v1/analyses/${analysisId}/events`),
    ]) {
      const problem = await problemOf(answer);
      expect([answer.status, problem.code]).toEqual([503, code]);
      expect(problem.detail).toEqual(expect.any(String));
      expect(JSON.stringify(problem)).not.toMatch(/10\.0\.0|6379|ECONN|WRONGPASS|Redis/);
    }
  });

  test("RDY-1 a broker that would refuse an append: /ready is 503 with the words, /ws/health degraded with the cause", async () => {
    const { ask, pubSub } = appBench();
    pubSub.health = () => ({ status: "up", refuses: FULL, warnings: [] });
    const answer = await ask("/ready", { token: null });
    expect([answer.status, await answer.json()]).toEqual([503, { ready: false, reason: FULL.reason }]);
    const health = await (await ask("/ws/health", { token: null })).json();
    expect(health).toMatchObject({ status: "degraded", broker: { status: "down", ...FULL, warnings: [] } });
  });

  test("RDY-1 a gateway that may not hear workers, or may not empty the inbox, is not ready", async () => {
    const { ask, workers, ingestInbox } = appBench();
    const ready = async () => {
      const answer = await ask("/ready", { token: null });
      return [answer.status, ((await answer.json()) as { reason?: string }).reason];
    };
    const denied = { cause: "permission", permission: "PSUBSCRIBE" } as const;
    const words = "the gateway's user at the broker lacks a permission: PSUBSCRIBE";
    workers.away = denied;
    expect(await ready()).toEqual([503, words]);
    workers.away = undefined;
    ingestInbox.trouble = denied;
    expect(await ready()).toEqual([503, `the inbox: ${words}`]);
    // This is a fault of the inbox alone, which no gateway can mend.
    ingestInbox.trouble = { cause: "no_stream" };
    expect(await ready()).toEqual([200, undefined]);
  });
});
