import { describe, expect, test } from "bun:test";
import {
  ANALYSIS,
  collect,
  live,
  OTHER,
  ScriptedGateway,
  sendState,
  sentBy,
  settled,
  status,
} from "./scripted-gateway.ts";

describe("watches of one page", () => {
  test("SDK-14: share one socket if address and token are the same", async () => {
    const gateway = new ScriptedGateway();
    const token = () => "a.b.c";
    const one = gateway.watch({ token });
    const other = gateway.watch({ token, analysisId: OTHER.toUpperCase() });
    const socket = await gateway.socket();
    socket.establish();
    expect(sentBy(socket).map(({ analysis_id }) => analysis_id)).toEqual([ANALYSIS, OTHER]);
    socket.serverSends({ event_type: "subscribed", analysis_id: OTHER, resumed: null });
    sendState(socket, { analysis_id: OTHER, status: "running" });
    expect(one.getSnapshot().analysis).toBeNull();
    expect(other.getSnapshot().analysis).toMatchObject({ status: "running" });
    one.close();
    expect(sentBy(socket).at(-1)).toEqual({ type: "unsubscribe", analysis_id: ANALYSIS });
    expect(socket.closedWith).toBeUndefined();
    expect(gateway.sockets).toHaveLength(1);
  });

  test.each([4003, 1006])(
    "that come after the last one has left begin anew if the socket ended with %d meanwhile",
    async (code) => {
      const gateway = new ScriptedGateway();
      const { socket, watch } = await live(gateway);
      watch.close();
      socket.serverCloses(code);
      const next = gateway.watch();
      expect(next.getSnapshot().connection).toEqual({ status: "connecting" });
      (await gateway.socket(2)).establish();
      expect(next.getSnapshot().connection.status).toBe("live");
      next.close();
      gateway.clock.advance(1_000);
      expect(gateway.leftovers).toBe(0);
    },
  );

  test("that begin while the others hear of a refusal are refused as well, and leave nothing behind", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    const refused: unknown[] = [];
    watch.subscribe(() => refused.push(gateway.watch({ analysisId: OTHER }).getSnapshot().connection.status));
    gateway.watch({ analysisId: ANALYSIS.replace("11", "33") });
    socket.serverCloses(4003);
    expect(refused).toEqual(["refused"]);
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test("that follow one another at once use the same socket", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    watch.close();
    const next = gateway.watch({ analysisId: OTHER });
    gateway.clock.advance(1_000);
    expect(socket.closedWith).toBeUndefined();
    expect(sentBy(socket).at(-1)).toMatchObject({ type: "subscribe", analysis_id: OTHER });
    next.close();
    gateway.clock.advance(1_000);
    expect(socket.closedWith).toBe(1000);
    gateway.watch().close();
    expect(gateway.sockets).toHaveLength(1);
    expect(gateway.leftovers).toBe(0);
  });

  test("share the subscription to one analysis, and the second begins with the state at once", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    const second = gateway.watch();
    const { events } = collect(second);
    await settled();
    expect(events).toMatchObject([{ event_type: "analysis_state", last_event_id: "e-1" }]);
    watch.close();
    socket.serverSends(status("e-2"));
    await settled();
    expect(events.at(-1)).toMatchObject({ event_id: "e-2" });
    expect(sentBy(socket)).toHaveLength(1);
  });

  test("SDK-14: a refusal of one costs the others nothing; not_declared is tried again, not_allowed is final", async () => {
    const gateway = new ScriptedGateway();
    const one = gateway.watch();
    const other = gateway.watch({ analysisId: OTHER });
    const socket = await gateway.socket();
    socket.establish();
    const refuse = (analysis_id: string, code: string) =>
      socket.serverSends({ event_type: "subscription_refused", analysis_id, code });
    refuse(ANALYSIS, "not_declared");
    refuse(OTHER, "not_allowed");
    expect(one.getSnapshot().connection).toMatchObject({ status: "waiting", reason: "not_declared" });
    expect(other.getSnapshot().connection).toEqual({ status: "refused", code: 4003, reason: "not_allowed" });
    gateway.clock.advance(250);
    expect(sentBy(socket).filter(({ type }) => type === "subscribe")).toHaveLength(3);
    sendState(socket);
    expect(one.getSnapshot().connection.status).toBe("live");
  });

  test("takes nothing of an earlier subscription for one of the next", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    gateway.watch({ analysisId: OTHER });
    watch.close();
    const again = gateway.watch();
    socket.serverSends(status("e-2", { message: "of the first" }));
    socket.serverSends({ event_type: "unsubscribed", analysis_id: ANALYSIS });
    expect(again.getSnapshot().analysis).toBeNull();
    sendState(socket, { status: "running", last_event_id: "e-2" });
    expect(again.getSnapshot().analysis).toMatchObject({ last_event_id: "e-2" });
  });
});
