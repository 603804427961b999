import { describe, expect, test } from "bun:test";
import { ExpireStaleConnections } from "../../../src/application/expire-stale-connections.ts";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { SendHeartbeats } from "../../../src/application/send-heartbeats.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { controlFrame } from "../../support/control-frame.ts";
import { RecordedOpenConnection } from "../../support/open-connection.ts";

const INTERVAL = 15_000;
const TIMEOUT = 30_000;
const SWEEP = 250;

describe("SendHeartbeats", () => {
  const opened = (intervalMs = INTERVAL) => {
    const clock = new ManualClock();
    const heartbeats = new SendHeartbeats(clock, intervalMs);
    const begin = () => {
      const connection = new RecordedOpenConnection(clock);
      heartbeats.begin(connection);
      return connection;
    };
    /** Time passes in sweeps, as in a gateway, and `each` is called at every one. */
    const pass = (milliseconds: number, each: () => void = () => {}) => {
      for (let passed = 0; passed < milliseconds; passed += SWEEP) {
        clock.advance(SWEEP);
        each();
        heartbeats.execute();
      }
    };
    return { clock, heartbeats, begin, pass };
  };

  test("WS-19: pings every connection each interval, quiet or busy", () => {
    const { begin, pass } = opened();
    const [quiet, busy] = [begin(), begin()];
    pass(10 * INTERVAL, () => busy.writer.sendControl(controlFrame("event")));
    for (const { wire } of [quiet, busy]) {
      expect(wire.pings).toBeGreaterThanOrEqual(9);
      expect(wire.pings).toBeLessThanOrEqual(10);
    }
  });

  test("WS-20: sends a heartbeat event to a connection that was sent nothing for an interval, and to no other", () => {
    const { begin, pass } = opened();
    const [quiet, busy] = [begin(), begin()];
    pass(10 * INTERVAL, () => busy.writer.sendControl(controlFrame('{"event_type":"event"}')));
    expect(quiet.wire.frames.length).toBeGreaterThanOrEqual(9);
    expect(busy.wire.types).not.toContain("heartbeat");
  });

  test("WS-20: counts the silence from the last frame, whenever that was", () => {
    const { clock, begin, pass } = opened();
    const connection = begin();
    pass(10_000);
    connection.writer.sendControl(controlFrame('{"event_type":"event"}'));
    const sentAt = clock.now();
    let heartbeatAfter = 0;
    pass(2 * INTERVAL, () => {
      if (heartbeatAfter === 0 && connection.wire.frames.length > 1) heartbeatAfter = clock.now() - sentAt;
    });
    expect(heartbeatAfter).toBeGreaterThan(INTERVAL);
    expect(heartbeatAfter).toBeLessThanOrEqual(INTERVAL + 4 * SWEEP);
  });

  test("WS-20: sends the heartbeat to a blocked socket once it takes more", () => {
    const { begin, pass } = opened();
    const connection = begin();
    connection.wire.takeOnly(1);
    connection.writer.sendControl(controlFrame('{"event_type":"event"}'));
    pass(3 * INTERVAL);
    expect(connection.wire.types).toEqual(["event"]);
    connection.wire.takeAll();
    connection.writer.drained();
    pass(2 * SWEEP);
    expect(connection.wire.types).toEqual(["event", "heartbeat"]);
  });

  test("sends nothing to a connection that ended", () => {
    const { heartbeats, begin, pass } = opened();
    const connection = begin();
    heartbeats.end(connection);
    heartbeats.end(connection);
    pass(3 * INTERVAL);
    expect([connection.wire.pings, connection.wire.frames.length]).toEqual([0, 0]);
  });

  test("keeps time at intervals far below a second as well", () => {
    const { clock, heartbeats, begin } = opened(20);
    const connection = begin();
    for (let passed = 0; passed < 200; passed++) {
      clock.advance(1);
      heartbeats.execute();
    }
    expect(connection.wire.pings).toBeGreaterThanOrEqual(8);
    expect(connection.wire.pings).toBeLessThanOrEqual(10);
  });

  test("WS-8: never ends a client that pings every 30 s and answers pings, at a timeout of 30 s", () => {
    const { clock, heartbeats, pass } = opened();
    const registry = new ConnectionRegistry({ maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 });
    const connections = new OpenConnections(registry, clock);
    const expire = new ExpireStaleConnections(registry, connections, clock, TIMEOUT);
    const clients = Array.from({ length: 60 }, (_, index) => {
      pass(500 + index);
      const connection = new RecordedOpenConnection(clock);
      connections.admit(connection, { userId: "alice", tokenExpiresAt: clock.now() + 86_400_000 });
      heartbeats.begin(connection);
      return { connection, startedAt: clock.now(), answered: 0 };
    });
    pass(3_600_000, () => {
      for (const client of clients) {
        const { connection, startedAt, answered } = client;
        const sincePing = (clock.now() - startedAt) % 30_000;
        if (sincePing < SWEEP || connection.wire.pings > answered) registry.heard(connection.id, clock.now());
        client.answered = connection.wire.pings;
      }
      expire.execute();
    });
    expect(clients.flatMap(({ connection }) => connection.wire.closes)).toEqual([]);
  });
});
