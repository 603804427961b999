import { describe, expect, test } from "bun:test";
import { DrainConnections } from "../../../src/application/drain-connections.ts";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { retryAfterOf } from "../../../src/domain/close-code.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RecordedOpenConnection } from "../../support/open-connection.ts";
import { turn } from "../../support/turn.ts";

const DRAIN = 10_000;

describe("DrainConnections", () => {
  const opened = (count: number, drainMs = DRAIN) => {
    const clock = new ManualClock();
    const connections = new OpenConnections(
      new ConnectionRegistry({ maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 }),
      clock,
    );
    let drawn = 0;
    const drain = new DrainConnections(connections, clock, drainMs, () => (drawn++ % 100) / 100);
    const admitted = Array.from({ length: count }, () => {
      const connection = new RecordedOpenConnection(clock);
      connections.admit(connection, { userId: "alice", tokenExpiresAt: clock.now() + 3_600_000 });
      return connection;
    });
    const closed = () => admitted.filter(({ wire }) => wire.closedWith === 1001);
    return { clock, connections, drain, admitted, closed };
  };

  test("OPS-3: ends at once if nobody is connected", async () => {
    expect(await opened(0).drain.execute()).toBe("all_gone");
  });

  test("OPS-2: closes every connection with 1001 and a time of its own to come back", async () => {
    const { connections, drain, admitted } = opened(50);
    const drained = drain.execute();
    for (const { id } of admitted) connections.remove(id);
    expect(await drained).toBe("all_gone");
    const hints = admitted.map(({ wire }) => retryAfterOf(wire.closes[0]?.reason ?? ""));
    expect(admitted.map(({ wire }) => wire.closedWith)).toEqual(Array.from({ length: 50 }, () => 1001));
    expect(Math.min(...hints.map((hint) => hint ?? 0))).toBeGreaterThanOrEqual(500);
    expect(new Set(hints).size).toBe(50);
  });

  test("OPS-8: closes many connections in batches, all within half the drain time", async () => {
    const { clock, drain, closed } = opened(2_000);
    void drain.execute();
    expect(closed()).toHaveLength(500);
    const began = clock.now();
    while (closed().length < 2_000) {
      clock.advance(20);
      await turn();
    }
    expect(clock.now() - began).toBeLessThanOrEqual(DRAIN / 2);
  });

  test("OPS-8: keeps a short drain time, however many connections there are", async () => {
    const { clock, drain, closed } = opened(2_000, 40);
    void drain.execute();
    clock.advance(20);
    await turn();
    expect(closed()).toHaveLength(2_000);
  });

  test("OPS-8: waits for a client that does not answer the close no longer than the drain time", async () => {
    const { clock, connections, drain, admitted } = opened(3);
    let outcome: string | undefined;
    void drain.execute().then((ended) => {
      outcome = ended;
    });
    connections.remove(admitted[0]?.id ?? "");
    clock.advance(DRAIN - 1);
    await turn();
    expect(outcome).toBeUndefined();
    clock.advance(1);
    await turn();
    expect(outcome).toBe("time_is_up");
  });
});
