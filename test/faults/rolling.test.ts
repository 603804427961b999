import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { rollGateways } from "./roll-gateways.ts";

/** `bench/rolling.ts` does the same under 2,000 clients, and looks at when they come back. */
describe.skipIf(!needs("redis-server"))("two gateways that are restarted one after the other", () => {
  let redis: RunningRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  test("OPS-8: each of 60 clients gets every event once, and is told when to come back", async () => {
    const report = await rollGateways({
      ...{ clients: 60, analyses: 10, eventsPerSecond: 50, drainSeconds: 3 },
      env: { REDIS_URL: redis.url },
    });
    expect(report).toMatchObject({ lost: 0, doubled: 0, exitCodes: [0, 0] });
    expect([...report.ends.keys()]).toEqual([1001]);
    // Each was sent away at least once, and came back as often.
    expect(report.returns).toBe(report.ends.get(1001)!);
    expect(report.returns).toBeGreaterThanOrEqual(60);
  }, 120_000);
});
