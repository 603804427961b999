import { describe, expect, test } from "bun:test";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RecordedOpenConnection } from "../../support/open-connection.ts";
import { turn } from "../../support/turn.ts";

describe("OpenConnections", () => {
  const opened = (limits = { maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 }) => {
    const clock = new ManualClock();
    const registry = new ConnectionRegistry(limits);
    const connections = new OpenConnections(registry, clock);
    const admit = (userId = "alice", tokenExpiresAt = clock.now() + 60_000) => {
      const connection = new RecordedOpenConnection(clock);
      return { connection, admission: connections.admit(connection, { userId, tokenExpiresAt }) };
    };
    return { clock, registry, connections, admit };
  };

  test("admit() counts a connection with its user and the expiry of its token", () => {
    const { clock, registry, connections, admit } = opened();
    const { connection, admission } = admit("alice", clock.now() + 5_000);
    expect(admission).toEqual({ admitted: true });
    expect(connections.find(connection.id)).toBe(connection);
    expect(registry.get(connection.id)).toMatchObject({ userId: "alice", connectedAt: clock.now() });
    expect([...registry.tokensExpiredBy(clock.now() + 5_000)]).toEqual([connection.id]);
    expect([...connections.all()]).toEqual([connection]);
  });

  test("admit() names the limit that refuses a connection, and leaves no trace", () => {
    const { registry, connections, admit } = opened({
      maxConnections: 2,
      maxPerUser: 1,
      maxSubscriptionsPerUser: 0,
    });
    admit("alice");
    const second = admit("alice");
    expect(second.admission).toEqual({ admitted: false, limit: "user" });
    expect(connections.find(second.connection.id)).toBeUndefined();
    admit("bob");
    expect(admit("carol").admission).toEqual({ admitted: false, limit: "total" });
    expect([connections.size, registry.statistics().total_connections]).toEqual([2, 2]);
  });

  test("remove() gives the place back once, however often it is called", () => {
    const { connections, admit } = opened({ maxConnections: 1, maxPerUser: 0, maxSubscriptionsPerUser: 0 });
    const { connection } = admit();
    connections.remove(connection.id);
    connections.remove(connection.id);
    expect(admit().admission.admitted).toBe(true);
    expect(admit().admission.admitted).toBe(false);
  });

  test("OPS-9: stopAdmitting() refuses new connections and keeps the open ones", () => {
    const { connections, admit } = opened();
    const { connection } = admit();
    connections.stopAdmitting();
    expect(admit().admission).toEqual({ admitted: false, limit: "draining" });
    expect([...connections.all()]).toEqual([connection]);
  });

  test("empty() resolves at once if no connection is open", async () => {
    await opened().connections.empty();
  });

  test("empty() resolves for all callers when the last connection leaves, and not before", async () => {
    const { connections, admit } = opened();
    const [one, two] = [admit().connection, admit().connection];
    let told = 0;
    for (let waiting = 0; waiting < 2; waiting++) void connections.empty().then(() => told++);
    connections.remove(one.id);
    await turn();
    expect(told).toBe(0);
    connections.remove(two.id);
    await turn();
    expect(told).toBe(2);
  });
});
