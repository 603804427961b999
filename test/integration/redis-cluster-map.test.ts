import { describe, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { OutageLog } from "../../src/adapters/broker/outage-log.ts";
import { ClusterMap } from "../../src/adapters/redis/cluster-map.ts";
import { slotOf } from "../../src/adapters/redis/cluster-slots.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { startRedis } from "../support/redis-server.ts";
import { useRedis } from "../support/use-redis.ts";

describe.skipIf(!needs("redis-server"))("the slot map of a Redis Cluster", () => {
  const redis = useRedis({ cluster: true });

  function mapOf(...ports: readonly number[]): ClusterMap {
    const clock = new SystemClock();
    const servers = ports.map((port) => ({ host: redis.host, port }));
    const outages = new OutageLog(clock, new CollectingTelemetry());
    const map = new ClusterMap({ target: { db: 0, cluster: { servers } }, clock, outages });
    redis.afterTest(() => map.close());
    return map;
  }

  test("slots of keys are those that Redis gives them", async () => {
    const keys = ["telltale:inbox", "telltale:{analysis:x}:history", "{}a{b}", "a}b{c}", "{{a}}", "ü{ñ}", ""];
    for (const key of [...keys, ...Array.from({ length: 100 }, () => crypto.randomUUID())])
      expect([key, slotOf(key)]).toEqual([key, Number(await redis.client.call("CLUSTER", "KEYSLOT", key))]);
  });

  test("it asks another server if one is away, and knows the owner of each slot", async () => {
    const map = mapOf(await freePort(), redis.port);
    await map.started;
    expect(map.trouble).toBeUndefined();
    expect(map.primaries).toMatchObject([
      { name: `${redis.host}:${redis.port}`, target: { port: redis.port }, slots: [[0, 16_383]] },
    ]);
    expect(map.ownerOf("telltale:inbox")).toBe(map.primaries[0]!);
  });

  test("it does not wait for servers that take connections and never answer, one after the other", async () => {
    const seen: string[] = [];
    const [one, two] = [await silentServer("one", seen), await silentServer("two", seen)];
    const none = mapOf(one, two);
    await none.started;
    expect(none.trouble).toEqual({ cause: "silent" });
    expect(seen.slice(0, 2)).toEqual(["one asked", "two asked"]);
    const map = mapOf(await silentServer("three", seen), redis.port);
    await map.started;
    expect(map.trouble).toBeUndefined();
    await eventually("nobody waits for the silent one any more", async () => seen.includes("three left"));
  });

  test("it believes a server that is cut off from the others only if no other answers", async () => {
    const cutOff = await startRedis({ cluster: true });
    redis.afterTest(() => cutOff.stop());
    const client = patientClient(cutOff);
    redis.afterTest(() => client.disconnect());
    await client.call("CLUSTER", "DELSLOTSRANGE", "1", "16383");
    await eventually("it knows", async () =>
      String(await client.call("CLUSTER", "INFO")).includes("cluster_state:fail"),
    );
    const map = mapOf(cutOff.port, redis.port);
    await map.started;
    expect(map.primaries).toMatchObject([{ target: { port: redis.port }, slots: [[0, 16_383]] }]);
    const alone = mapOf(cutOff.port, await freePort());
    await alone.started;
    expect(alone.primaries).toMatchObject([{ target: { port: cutOff.port }, slots: [[0, 0]] }]);
  });

  /** It tells when a connection came that asks, and when that was given up. Resolves with its port. */
  async function silentServer(name: string, seen: string[]): Promise<number> {
    const server = createServer((socket) => {
      socket.once("data", () => seen.push(`${name} asked`));
      socket.on("close", () => seen.push(`${name} left`));
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    redis.afterTest(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  test("it says so if no server answers, and goes on asking", async () => {
    const map = mapOf(await freePort());
    await map.started;
    expect(map.trouble).toEqual({ cause: "unreachable" });
    expect(map.ownerOf("telltale:inbox")).toBeUndefined();
  });

  test("a slot that nobody owns is a trouble until it has an owner", async () => {
    const map = mapOf(redis.port);
    await map.started;
    const before = map.primaries[0];
    await redis.client.call("CLUSTER", "DELSLOTS", "7");
    map.lookAgain();
    await eventually("the map knows", async () => map.trouble?.cause === "cluster");
    expect(before?.slots).toEqual([
      [0, 6],
      [8, 16_383],
    ]);
    await redis.client.call("CLUSTER", "ADDSLOTS", "7");
    await eventually("each slot has an owner", async () => map.trouble === undefined);
    expect(map.primaries).toEqual([before!]);
  });

  test("a slot belongs at once to the server that another one names", async () => {
    const map = mapOf(redis.port);
    await map.started;
    const [asked] = map.primaries;
    const changes: number[] = [];
    map.onChange(() => changes.push(map.primaries.length));
    map.moved(slotOf("foo"), { host: "", port: 1 }, asked!);
    const named = map.ownerOf("foo");
    expect(named).toMatchObject({ name: `${redis.host}:1`, slots: [[12_182, 12_182]] });
    // Redis tells otherwise when it is asked again.
    await eventually("the map was read again", async () => map.ownerOf("foo") === asked);
    expect(changes).toEqual([2, 1]);
    // Connections to the one that owns nothing now are still there, and probe what it had.
    expect(named?.slots).toEqual([[12_182, 12_182]]);
  });
});
