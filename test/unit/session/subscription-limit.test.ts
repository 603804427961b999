import { describe, expect, test } from "bun:test";
import { turn } from "../../support/turn.ts";
import { NOTHING, sessionBench } from "./session-bench.ts";

describe("the limit of subscriptions of one user over all sockets", () => {
  const subscribe = (analysis_id: string = crypto.randomUUID()) => ({ type: "subscribe", analysis_id });

  test("ADM-13: refuses a subscription over MAX_SUBSCRIPTIONS_PER_USER on any socket, and ends nothing else", async () => {
    const { open, registry } = sessionBench({ maxSubscriptionsPerUser: 5 });
    const [one, other, bob] = [await open(), await open(), await open("bob")];
    for (let sent = 0; sent < 3; sent++) one.say(subscribe());
    for (let sent = 0; sent < 3; sent++) other.say(subscribe());
    bob.say(subscribe());
    await turn();
    expect(one.wire.types.slice(1)).toEqual(["subscribed", "subscribed", "subscribed"]);
    expect(other.wire.types.slice(1).sort()).toEqual(["subscribed", "subscribed", "subscription_refused"]);
    expect(other.wire.messages.find((frame) => frame.event_type === "subscription_refused")).toMatchObject({
      code: "too_many_subscriptions",
    });
    expect(bob.wire.types.at(-1)).toBe("subscribed");
    expect(registry.subscriptionsOfUser("alice")).toBe(5);
  });

  test("ADM-13: allows another subscription for each that was unsubscribed, refused, or ended with its socket", async () => {
    const { open, registry, elsewhere, channel, analysisId } = sessionBench({ maxSubscriptionsPerUser: 2 });
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    const [one, other] = [await open(), await open()];
    for (let round = 0; round < 5; round++) {
      const id = crypto.randomUUID();
      one.say(subscribe(id));
      one.say(subscribe(id));
      one.say(subscribe(analysisId));
      await turn();
      one.say({ type: "unsubscribe", analysis_id: id });
      await turn();
      expect(registry.subscriptionsOfUser("alice")).toBe(0);
    }
    expect(one.wire.messages.filter((frame) => frame.code === "too_many_subscriptions")).toEqual([]);
    one.say(subscribe());
    one.say(subscribe());
    other.say(subscribe());
    await turn();
    expect(other.wire.messages.at(-1)).toMatchObject({ code: "too_many_subscriptions" });
    one.hangUp();
    other.say(subscribe());
    await turn();
    expect(other.wire.types.at(-1)).toBe("subscribed");
    other.hangUp();
    expect(registry.subscriptionsOfUser("alice")).toBe(0);
  });

  test("ADM-13: counts a socket of one analysis and does not refuse it", async () => {
    const { open, watch, registry, books } = sessionBench({ maxSubscriptionsPerUser: 1 });
    const [single, second, many] = [await watch(), await watch(), await open()];
    many.say(subscribe());
    await turn();
    expect([single.wire.closes, second.wire.closes]).toEqual([[], []]);
    expect(many.wire.messages.at(-1)).toMatchObject({ code: "too_many_subscriptions" });
    expect(registry.subscriptionsOfUser("alice")).toBe(2);
    for (const { hangUp } of [single, second, many]) hangUp();
    expect([registry.subscriptionsOfUser("alice"), books()]).toEqual([0, NOTHING]);
  });
});

describe("WebSocketSession for an analysis without declared viewers", () => {
  test("ADM-8: closes with 4003 and the reason not_declared, and without that reason once viewers are declared", async () => {
    const { watch, elsewhere, channel, analysisId, tokens, upgrade } = sessionBench({ watchDefault: "deny" });
    expect((await watch()).wire.closes).toEqual([{ code: 4003, reason: "not_declared" }]);
    const claims = { analyses: new Set([crypto.randomUUID()]) };
    const elsewhereOnly = upgrade(tokens.know("claims another", claims));
    await turn();
    expect(elsewhereOnly.wire.closes).toEqual([{ code: 4003, reason: "not allowed to watch this analysis" }]);
    const claimed = upgrade(tokens.know("claims it", { analyses: new Set([analysisId]) }));
    await turn();
    expect(claimed.wire.closes).toEqual([]);
    claimed.session.received(JSON.stringify({ type: "authenticate", token: tokens.know("claims nothing") }));
    await turn();
    expect(claimed.wire.closes).toEqual([{ code: 4003, reason: "not_declared" }]);
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    expect((await watch()).wire.closes).toEqual([
      { code: 4003, reason: "not allowed to watch this analysis" },
    ]);
    expect((await watch("bob")).wire.closes).toEqual([]);
  });

  test("ADM-8: answers subscribe on /ws with not_declared, and the client may ask again", async () => {
    const { open, elsewhere, channel, analysisId } = sessionBench({ watchDefault: "deny" });
    const { say, wire } = await open();
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    expect(wire.messages.at(-1)).toMatchObject({ event_type: "subscription_refused", code: "not_declared" });
    await elsewhere.declareViewers(channel, new Set(["alice"]));
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    expect(wire.types.at(-1)).toBe("subscribed");
  });
});
