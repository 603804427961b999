import { describe, expect, test } from "bun:test";
import { userChannel } from "../../../src/domain/channel.ts";
import { notice } from "../../../src/testing/encoded-events.ts";
import { turn } from "../../support/turn.ts";
import { INTERVAL, NOTHING, sessionBench, TIMEOUT } from "./session-bench.ts";

describe("ADM-12: a connection that throws", () => {
  const opened = async () => {
    const bench = sessionBench();
    const sockets = [await bench.watch(), await bench.watch(), await bench.watch()] as const;
    const [before, thrower, after] = sockets;
    const others = [before, after];
    return { ...bench, thrower, others };
  };

  test("is closed and logged, and costs no other watcher an event", async () => {
    const { thrower, others, publish, telemetry, books } = await opened();
    thrower.wire.throwOn("send");
    await publish();
    await publish();
    for (const { wire } of others) expect([wire.offsets, wire.closes]).toEqual([[1, 2], []]);
    expect(thrower.wire.closedWith).toBe(1013);
    expect(telemetry.logs.filter(({ level }) => level === "error")).toHaveLength(1);
    thrower.hangUp();
    expect(books()).toMatchObject({ total_connections: 2, open: 2 });
  });

  test("is no longer counted, though every call to it throws", async () => {
    const { thrower, others, publish, books } = await opened();
    thrower.wire.throwOn("everything");
    await publish();
    for (const { wire } of others) expect(wire.offsets).toEqual([1]);
    expect(books()).toMatchObject({ total_connections: 2, open: 2 });
  });

  test("keeps no change of viewers from the connections after it", async () => {
    const { thrower, others, elsewhere, channel, books } = await opened();
    thrower.wire.throwOn("everything");
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    await turn();
    for (const { wire, hangUp } of others) {
      expect(wire.closedWith).toBe(4003);
      hangUp();
    }
    thrower.hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("keeps no notice from the connections after it", async () => {
    const { thrower, others, elsewhere } = await opened();
    thrower.wire.throwOn("send");
    await elsewhere.append({ channel: userChannel("alice"), events: [notice()] });
    await turn();
    for (const { wire } of others) expect(wire.types.at(-1)).toBe("notice");
  });

  test("keeps no heartbeat and no expiry from the connections after it", async () => {
    const { thrower, others, pass } = await opened();
    thrower.wire.throwOn("everything");
    pass(INTERVAL + 500);
    for (const { wire } of others) expect([wire.pings, wire.types.at(-1)]).toEqual([1, "heartbeat"]);
    pass(TIMEOUT);
    for (const { wire } of others) expect(wire.closedWith).toBe(4008);
  });

  test("keeps no drain from the connections after it", async () => {
    const { thrower, others, drain } = await opened();
    thrower.wire.throwOn("everything");
    const drained = drain.execute(6_000);
    await turn();
    for (const { wire, hangUp } of others) {
      expect(wire.closedWith).toBe(1001);
      hangUp();
    }
    await drained;
  });

  test("ends alone if it throws while its socket drains", async () => {
    const { thrower, others, publish } = await opened();
    thrower.wire.takeOnly(0);
    await publish();
    await publish();
    thrower.wire.takeAll();
    thrower.wire.throwOn("send");
    thrower.session.drained();
    expect(thrower.wire.closedWith).toBe(1013);
    for (const { wire } of others) expect(wire.offsets).toEqual([1, 2]);
  });
});
