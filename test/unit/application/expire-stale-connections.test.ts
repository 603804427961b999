import { describe, expect, test } from "bun:test";
import { ExpireStaleConnections } from "../../../src/application/expire-stale-connections.ts";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { RecordedOpenConnection } from "../../support/open-connection.ts";

const TIMEOUT = 30_000;

describe("ExpireStaleConnections", () => {
  const opened = () => {
    const clock = new ManualClock();
    const registry = new ConnectionRegistry({ maxConnections: 0, maxPerUser: 0 });
    const connections = new OpenConnections(registry, clock);
    const expire = new ExpireStaleConnections(registry, connections, clock, TIMEOUT);
    const admit = (tokenLastsMs = 3_600_000) => {
      const connection = new RecordedOpenConnection(clock);
      connections.admit(connection, { userId: "alice", tokenExpiresAt: clock.now() + tokenLastsMs });
      return connection;
    };
    return { clock, registry, connections, expire, admit };
  };

  test("WS-8: ends with 4008 whoever was not heard for the heartbeat timeout, and not a moment before", () => {
    const { clock, expire, admit } = opened();
    const silent = admit();
    clock.advance(TIMEOUT - 1);
    expire.execute();
    expect(silent.wire.closes).toEqual([]);
    clock.advance(1);
    expire.execute();
    expect(silent.wire.closedWith).toBe(4008);
  });

  test("WS-8: whoever was heard meanwhile stays", () => {
    const { clock, registry, expire, admit } = opened();
    const [silent, heard] = [admit(), admit()];
    clock.advance(TIMEOUT - 1);
    registry.heard(heard.id, clock.now());
    clock.advance(1);
    expire.execute();
    expect([silent.wire.closedWith, heard.wire.closedWith]).toEqual([4008, undefined]);
  });

  test("WS-18: ends with 4001 whose token ran out, however lively", () => {
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

  test("WS-18: a new token in time keeps the connection", () => {
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

  test("gives the place of a peer back though it never answers the goodbye, and ends each once", () => {
    const { clock, registry, connections, expire, admit } = opened();
    const dead = Array.from({ length: 3 }, () => admit(TIMEOUT));
    clock.advance(TIMEOUT);
    expire.execute();
    expire.execute();
    expect(dead.map(({ wire }) => wire.closes.length)).toEqual([1, 1, 1]);
    expect([connections.size, registry.statistics().total_connections]).toEqual([0, 0]);
  });
});
