import { describe, expect, test } from "bun:test";
import {
  ANALYSIS,
  collect,
  live,
  OTHER,
  ScriptedGateway,
  sentBy,
  settled,
  status,
} from "./scripted-gateway.ts";

describe("a subscriber", () => {
  test("is not called any more once another one has taken it away", async () => {
    const { socket, watch } = await live(new ScriptedGateway());
    const called: string[] = [];
    watch.subscribe(() => {
      called.push("first");
      leave();
    });
    const leave = watch.subscribe(() => called.push("second"));
    socket.serverSends(status("e-2"));
    expect(called).toEqual(["first"]);
  });

  test("that comes during a change is told of the next one", async () => {
    const { socket, watch } = await live(new ScriptedGateway());
    const called: string[] = [];
    let leave = watch.subscribe(() => {
      leave();
      leave = watch.subscribe(() => called.push("again"));
    });
    socket.serverSends(status("e-2"));
    expect(called).toEqual([]);
    socket.serverSends(status("e-3"));
    expect(called).toEqual(["again"]);
  });

  test("may close its watch when it hears of a connection, and nothing is left behind", async () => {
    for (const when of ["connecting", "waiting"]) {
      const gateway = new ScriptedGateway();
      const { socket, watch } = await live(gateway);
      watch.subscribe(() => {
        if (watch.getSnapshot().connection.status === when) watch.close();
      });
      socket.serverCloses(1006);
      watch.retryNow();
      await settled();
      expect(watch.getSnapshot().connection).toEqual({ status: "closed" });
      expect(gateway.sockets).toHaveLength(1);
      expect(gateway.leftovers).toBe(0);
    }
  });

  test("that comes back at once from a broken link shows all watches that they are connecting", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    const other = gateway.watch({ analysisId: OTHER });
    watch.subscribe(watch.retryNow);
    socket.serverCloses(1006);
    expect(other.getSnapshot().connection).toEqual({ status: "connecting" });
    await gateway.socket(2);
    watch.close();
    other.close();
  });
});

describe("a loop", () => {
  test("that is left by return() does not wait for the event that it asked for, and ends its watch", async () => {
    const gateway = new ScriptedGateway();
    const { watch } = await live(gateway);
    const loop = watch[Symbol.asyncIterator]();
    expect(await loop.next()).toMatchObject({ value: { event_type: "analysis_state" } });
    const next = loop.next();
    expect(await loop.return?.()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
    // The loop of `live` goes on.
    expect(watch.getSnapshot().connection.status).toBe("live");
    watch.close();
  });

  test("that is left by return() as the last one closes its watch", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const loop = watch[Symbol.asyncIterator]();
    const next = loop.next();
    await gateway.socket();
    await loop.return?.();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(watch.getSnapshot().connection).toEqual({ status: "closed" });
    expect(gateway.leftovers).toBe(0);
  });
});

describe("the iterator of a watch", () => {
  test("closes the watch if it is left before its first event was asked for", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    await watch[Symbol.asyncIterator]().return?.();
    expect(watch.getSnapshot().connection).toEqual({ status: "closed" });
    expect(gateway.leftovers).toBe(0);
  });

  test("is one to loop over, from the event after those that were taken", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    const events = watch[Symbol.asyncIterator]();
    await events.next();
    socket.serverSends(status("e-2"));
    for await (const event of events) {
      expect(event).toMatchObject({ event_id: "e-2" });
      break;
    }
    watch.close();
  });
});

describe("a watch of an analysis that was refused for now", () => {
  test("shows that it is connecting from when it asks again until the answer comes", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    const refuse = () =>
      socket.serverSends({ event_type: "subscription_refused", analysis_id: ANALYSIS, code: "not_declared" });
    refuse();
    expect(watch.getSnapshot().connection).toMatchObject({ status: "waiting", reason: "not_declared" });
    gateway.waitOut(watch);
    expect(watch.getSnapshot().connection).toEqual({ status: "connecting" });
    refuse();
    expect(watch.getSnapshot().connection).toMatchObject({ status: "waiting", reason: "not_declared" });
    watch.close();
  });

  test("asks again at once by retryNow(), and its connection stays", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    const { over } = collect(watch);
    socket.serverSends({ event_type: "subscription_refused", analysis_id: ANALYSIS, code: "not_declared" });
    const before = sentBy(socket).length;
    watch.retryNow();
    watch.retryNow();
    expect(watch.getSnapshot().connection).toEqual({ status: "connecting" });
    expect(sentBy(socket).slice(before)).toMatchObject([{ type: "subscribe", analysis_id: ANALYSIS }]);
    socket.serverSends({ event_type: "subscribed", analysis_id: ANALYSIS, resumed: true });
    expect(watch.getSnapshot().connection).toEqual({ status: "live", transport: "websocket" });
    expect(gateway.sockets).toHaveLength(1);
    watch.close();
    await over;
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });
});
