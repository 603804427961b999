import { describe, expect, test } from "bun:test";
import { DrainConnections } from "../../../src/application/drain-connections.ts";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { retryAfterOf } from "../../../src/domain/close-code.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RecordedOpenConnection } from "../../support/open-connection.ts";
import { turn } from "../../support/turn.ts";

/** The time in which all are told. */
const TIME = 6_000;

describe("DrainConnections", () => {
  const opened = (count: number) => {
    const clock = new ManualClock();
    const connections = new OpenConnections(
      new ConnectionRegistry({ maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 }),
      clock,
    );
    let drawn = 0;
    const drain = new DrainConnections(connections, clock, () => (drawn++ % 100) / 100);
    const admitted = Array.from({ length: count }, () => {
      const connection = new RecordedOpenConnection(clock);
      connections.admit(connection, { userId: "alice", tokenExpiresAt: clock.now() + 3_600_000 });
      return connection;
    });
    const closed = () => admitted.filter(({ wire }) => wire.closedWith === 1001);
    const hints = () => admitted.map(({ wire }) => retryAfterOf(wire.closes[0]?.reason ?? "") ?? 0);
    /** Drains, and answers for each client the time from the begin until it comes back. */
    const returns = async (withinMs: number) => {
      const began = clock.now();
      const times: number[] = [];
      let ended = false;
      void drain.execute(withinMs).then(() => {
        ended = true;
      });
      const note = () => {
        for (let next = admitted[times.length]; next?.wire.closedWith === 1001; next = admitted[times.length])
          times.push(clock.now() - began + (retryAfterOf(next.wire.closes[0]?.reason ?? "") as number));
      };
      for (note(); !ended; note()) {
        await turn();
        if (!ended) clock.advance(10);
      }
      return { times, lastedMs: clock.now() - began };
    };
    return { clock, connections, drain, admitted, closed, hints, returns };
  };

  test("OPS-3: ends at once if nobody is connected", async () => {
    await opened(0).drain.execute(TIME);
  });

  test("OPS-2: closes every connection with 1001 and a time of its own to come back", async () => {
    const { drain, admitted, hints } = opened(25);
    await drain.execute(TIME);
    expect(admitted.map(({ wire }) => wire.closedWith)).toEqual(Array.from({ length: 25 }, () => 1001));
    expect(Math.min(...hints())).toBeGreaterThanOrEqual(500);
    expect(new Set(hints()).size).toBe(25);
  });

  test("OPS-8: tells many clients in batches, evenly over its time", async () => {
    const { clock, drain, closed } = opened(2_000);
    void drain.execute(TIME);
    const told = [closed().length];
    for (let passed = 0; passed < TIME; passed += TIME / 4) {
      for (let step = 0; step < TIME / 4; step += 10) {
        clock.advance(10);
        await turn();
      }
      told.push(closed().length);
    }
    expect(told).toEqual([25, 525, 1_025, 1_525, 2_000]);
  });

  test.each([
    ["2,000 clients in 6 s", 2_000, TIME],
    ["2,000 clients in no time", 2_000, 0],
    ["200 clients in 1 s", 200, 1_000],
    ["10,000 clients in 6 s", 10_000, TIME],
  ])("OPS-18: lets less than a third come back in any second: %s", async (_, count, withinMs) => {
    const { times, lastedMs } = await opened(count).returns(withinMs);
    expect(times).toHaveLength(count);
    expect(lastedMs).toBeLessThanOrEqual(withinMs);
    const sorted = times.toSorted((one, other) => one - other);
    let busiest = 0;
    for (let from = 0, to = 0; to < count; to++) {
      while ((sorted[to] as number) - (sorted[from] as number) >= 1_000) from++;
      busiest = Math.max(busiest, to - from + 1);
    }
    expect(busiest).toBeLessThan(count / 3);
    expect(busiest).toBeLessThan(2_000);
  });

  test("OPS-17: tells everybody who is left at once, each with a time of its own", async () => {
    const { drain, closed, hints } = opened(2_000);
    void drain.execute(TIME);
    expect(closed().length).toBeLessThan(100);
    drain.tellNow();
    expect(closed()).toHaveLength(2_000);
    expect(new Set(hints()).size).toBeGreaterThan(1_500);
  });
});
