import { describe, expect, test } from "bun:test";
import { ExpireStaleConnections } from "../../../src/application/expire-stale-connections.ts";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RecordedOpenConnection } from "../../support/open-connection.ts";

const TIMEOUT = 30_000;

describe("ExpireStaleConnections", () => {
  const opened = () => {
    const clock = new ManualClock();
    const registry = new ConnectionRegistry({ maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 });
    const connections = new OpenConnections(registry, clock);
    const expire = new ExpireStaleConnections(registry, connections, clock, TIMEOUT);
    const admit = (tokenLastsMs = 3_600_000) => {
      const connection = new RecordedOpenConnection(clock);
      connections.admit(connection, { userId: "alice", tokenExpiresAt: clock.now() + tokenLastsMs });
      return connection;
    };
    /** Time passes with sweeps in between, as in a process that is not frozen. */
    const pass = (milliseconds: number) => {
      const end = clock.now() + milliseconds;
      for (; clock.now() < end; expire.execute()) clock.advance(Math.min(1_000, end - clock.now()));
    };
    return { clock, registry, connections, expire, admit, pass };
  };

  test("WS-8: ends a silent connection with 4008 after the heartbeat timeout, and not a moment before", () => {
    const { admit, pass } = opened();
    const silent = admit();
    pass(TIMEOUT - 1);
    expect(silent.wire.closes).toEqual([]);
    pass(1);
    expect(silent.wire.closedWith).toBe(4008);
  });

  test("WS-8: keeps a connection that was heard meanwhile", () => {
    const { clock, registry, admit, pass } = opened();
    const [silent, heard] = [admit(), admit()];
    pass(TIMEOUT - 1);
    registry.heard(heard.id, clock.now());
    pass(1);
    expect([silent.wire.closedWith, heard.wire.closedWith]).toEqual([4008, undefined]);
  });

  test("WS-8: counts no silence during a freeze of the gateway itself, but the silence after it", () => {
    const { clock, registry, expire, admit, pass } = opened();
    const [dead, alive] = [admit(), admit()];
    clock.advance(10 * TIMEOUT);
    expire.execute();
    expect([dead, alive].map(({ wire }) => wire.closes)).toEqual([[], []]);
    pass(1_000);
    registry.heard(alive.id, clock.now());
    pass(TIMEOUT - 1_000);
    expect([dead.wire.closedWith, alive.wire.closedWith]).toEqual([4008, undefined]);
  });

  test("WS-18: ends a connection with 4001 when its token expires, however lively it is", () => {
    const { clock, registry, expire, admit } = opened();
    const [short, long] = [admit(10_000), admit(20_000)];
    clock.advance(9_999);
    for (const { id } of [short, long]) registry.heard(id, clock.now());
    expire.execute();
    expect(short.wire.closes).toEqual([]);
    clock.advance(1);
    expire.execute();
    expect(short.wire.closes).toEqual([{ code: 4001, reason: "token expired" }]);
    expect(long.wire.closes).toEqual([]);
  });

  test("WS-18: keeps a connection that gets a new token in time", () => {
    const { clock, registry, expire, admit } = opened();
    const connection = admit(10_000);
    registry.setTokenExpiry(connection.id, clock.now() + 25_000);
    clock.advance(20_000);
    expire.execute();
    expect(connection.wire.closes).toEqual([]);
    clock.advance(5_000);
    expire.execute();
    expect(connection.wire.closedWith).toBe(4001);
  });

  test("no longer counts a peer that never answers the close, and ends each once", () => {
    const { clock, registry, connections, expire, admit } = opened();
    const dead = Array.from({ length: 3 }, () => admit(TIMEOUT));
    clock.advance(TIMEOUT);
    expire.execute();
    expire.execute();
    expect(dead.map(({ wire }) => wire.closes.length)).toEqual([1, 1, 1]);
    expect([connections.size, registry.statistics().total_connections]).toEqual([0, 0]);
  });
});
