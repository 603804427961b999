import { describe, expect, test } from "bun:test";
import { AccessUndecided } from "../../../src/application/errors.ts";
import { RemotePolicy } from "../../support/remote-policy.ts";
import { turn } from "../../support/turn.ts";
import { NOTHING, sessionBench } from "./session-bench.ts";

const BOB = new Set(["bob"]);

describe("a policy of one's own, over WebSockets", () => {
  const opened = () => {
    const access = new RemotePolicy();
    return { ...sessionBench({ access }), access };
  };
  const settled = async () => {
    for (let turns = 0; turns < 5; turns++) await turn();
  };

  test("lets in those whom it allows, whatever viewers are declared", async () => {
    const { watch, open, elsewhere, channel, analysisId, access } = opened();
    await elsewhere.declareViewers(channel, BOB);
    const one = await watch("alice");
    const many = await open("alice");
    await settled();
    many.say({ type: "subscribe", analysis_id: analysisId });
    await settled();
    expect(one.wire.types).toEqual(["connection_established"]);
    expect(many.wire.types).toEqual(["connection_established", "subscribed"]);
    expect(access.asked).toEqual(["watch", "watch"]);
  });

  test.each([
    ["not_allowed", "not allowed to watch this analysis"],
    ["not_declared", "not_declared"],
  ] as const)("refuses with %s", async (verdict, reason) => {
    const { watch, open, analysisId, access, books } = opened();
    access.watch = verdict;
    const one = await watch("alice");
    const many = await open("alice");
    await settled();
    expect(one.wire.closes).toEqual([{ code: 4003, reason }]);
    many.say({ type: "subscribe", analysis_id: analysisId });
    await settled();
    expect(many.wire.messages.at(-1)).toMatchObject({ event_type: "subscription_refused", code: verdict });
    for (const { hangUp } of [one, many]) hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("that cannot decide now closes with 1013, and refuses a subscription for now", async () => {
    const { watch, open, analysisId, access, books } = opened();
    access.fault = new AccessUndecided("the backend does not answer");
    const one = await watch("alice");
    const many = await open("alice");
    await settled();
    expect(one.wire.closes).toEqual([{ code: 1013, reason: "retry_after_ms=1000" }]);
    many.say({ type: "subscribe", analysis_id: analysisId });
    await settled();
    expect(many.wire.messages.at(-1)).toMatchObject({
      event_type: "subscription_refused",
      code: "access_undecided",
    });
    expect(many.wire.closes).toEqual([]);
    for (const { hangUp } of [one, many]) hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("is asked again at once when viewers are declared, before the next event", async () => {
    const { watch, open, elsewhere, channel, analysisId, access, publish } = opened();
    const one = await watch("alice");
    const many = await open("alice");
    await settled();
    many.say({ type: "subscribe", analysis_id: analysisId });
    await settled();
    await elsewhere.declareViewers(channel, BOB);
    expect(one.wire.closes).toEqual([]);
    access.goOn = "not_allowed";
    await elsewhere.declareViewers(channel, BOB);
    await publish();
    expect([one.wire.closedWith, one.wire.offsets, many.wire.offsets]).toEqual([4003, [], []]);
    expect(many.wire.messages.at(-1)).toMatchObject({ event_type: "subscription_refused" });
  });
});
