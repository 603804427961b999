import { describe, expect, test } from "bun:test";
import { userChannel } from "../../../src/domain/channel.ts";
import { notice } from "../../../src/testing/encoded-events.ts";
import { turn } from "../../support/turn.ts";
import { INTERVAL, NOTHING, sessionBench, TIMEOUT } from "./session-bench.ts";

describe("a connection that throws", () => {
  const opened = async () => {
    const bench = sessionBench();
    const sockets = [await bench.watch(), await bench.watch(), await bench.watch()] as const;
    const [before, thrower, after] = sockets;
    const others = [before, after];
    return { ...bench, thrower, others };
  };

  test("ADM-12: costs nobody else on the channel an event, is closed and logged", async () => {
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

  test("ADM-12: that fails throughout gives its place back all the same", async () => {
    const { thrower, others, publish, books } = await opened();
    thrower.wire.throwOn("everything");
    await publish();
    for (const { wire } of others) expect(wire.offsets).toEqual([1]);
    expect(books()).toMatchObject({ total_connections: 2, open: 2 });
  });

  test("ADM-12: does not keep a change of viewers from those after it", async () => {
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

  test("ADM-12: does not keep a notice from those after it", async () => {
    const { thrower, others, elsewhere } = await opened();
    thrower.wire.throwOn("send");
    await elsewhere.append({ channel: userChannel("alice"), events: [notice()] });
    await turn();
    for (const { wire } of others) expect(wire.types.at(-1)).toBe("notice");
  });

  test("ADM-12: does not keep heartbeats or expiry from those after it", async () => {
    const { thrower, others, pass } = await opened();
    thrower.wire.throwOn("everything");
    pass(INTERVAL + 500);
    for (const { wire } of others) expect([wire.pings, wire.types.at(-1)]).toEqual([1, "heartbeat"]);
    pass(TIMEOUT);
    for (const { wire } of others) expect(wire.closedWith).toBe(4008);
  });

  test("ADM-12: does not keep a drain from those after it", async () => {
    const { thrower, others, drain, clock } = await opened();
    thrower.wire.throwOn("everything");
    const drained = drain.execute();
    await turn();
    for (const { wire, hangUp } of others) {
      expect(wire.closedWith).toBe(1001);
      hangUp();
    }
    clock.advance(10_000);
    expect(["all_gone", "time_is_up"]).toContain(await drained);
  });

  test("ADM-12: as its socket drains ends alone", async () => {
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
