import { describe, expect, test } from "bun:test";
import { BroadcastEvent } from "../../../src/application/broadcast-event.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../../src/application/errors.ts";
import { SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { CollectingSubscriber } from "../../../src/testing/collecting-subscriber.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";

describe("BroadcastEvent", () => {
  const opened = () => {
    const node = memoryNode();
    const channel = someAnalysis();
    const broadcast = new BroadcastEvent(node.pubSub, node.clock, node.telemetry);
    const publish = (body: unknown, key?: string) =>
      broadcast.execute(channel, typeof body === "string" ? body : JSON.stringify(body), key);
    const kept = async () => (await node.pubSub.history(channel, undefined, 1_000)).events;
    return { ...node, channel, broadcast, publish, kept };
  };

  test("stores one event under the event_id that it answers, and delivers it once", async () => {
    const { pubSub, channel, publish, kept, telemetry } = opened();
    const heard = new CollectingSubscriber();
    await pubSub.subscribe(channel, heard);
    const answer = await publish(statusUpdate());
    expect(answer).toMatchObject({ type: "stored", duplicate: false });
    const [event] = await kept();
    expect(answer).toMatchObject({ eventIds: [JSON.parse(event?.text ?? "").event_id] });
    expect(heard.offsets).toEqual([1]);
    expect(telemetry.counts.get("events_published")).toBe(1);
  });

  test("stores a batch in its order, with one event_id each", async () => {
    const { publish, kept } = opened();
    const answer = await publish([
      statusUpdate({ message: "a" }),
      errorEvent(),
      statusUpdate({ message: "b" }),
    ]);
    const events = (await kept()).map(({ text }) => JSON.parse(text));
    expect(answer).toMatchObject({ eventIds: events.map(({ event_id }) => event_id) });
    expect(events.map(({ event_type }) => event_type)).toEqual(["status_update", "error", "status_update"]);
  });

  test("stores nothing of a batch with one fault, and begins the path with the index of the event", async () => {
    const { publish, kept, pubSub } = opened();
    const answer = await publish([statusUpdate(), statusUpdate({ progress: 2 }), resultUpdate()]);
    expect(answer).toMatchObject({ type: "invalid", reason: "invalid", issues: [{ path: [1, "progress"] }] });
    expect(pubSub.countOf("append")).toBe(0);
    expect(await kept()).toEqual([]);
  });

  test.each([
    ["not_json", "{"],
    ["invalid", "[]"],
    ["invalid", JSON.stringify(Array.from({ length: 501 }, () => statusUpdate()))],
    ["invalid", "null"],
    ["too_large", JSON.stringify(statusUpdate({ padding: "x".repeat(1024 * 1024) }))],
  ])("refuses a body that cannot be an event: %s", async (reason, body) => {
    const { publish, pubSub } = opened();
    expect(await publish(body)).toMatchObject({ type: "invalid", reason });
    expect(pubSub.countOf("append")).toBe(0);
  });

  test("answers the first event_ids for a key that is used again, and stores nothing", async () => {
    const { publish, kept, telemetry } = opened();
    const first = await publish([statusUpdate(), statusUpdate()], "key-1");
    const again = await publish(statusUpdate({ message: "another body" }), "key-1");
    expect(again).toEqual({ ...first, duplicate: true } as typeof again);
    expect(await kept()).toHaveLength(2);
    expect(telemetry.counts.get("publishes_repeated")).toBe(1);
    expect(telemetry.counts.get("events_published")).toBe(2);
  });

  test("remembers a key for five minutes, and for its own analysis only", async () => {
    const { clock, broadcast, publish } = opened();
    await publish(statusUpdate(), "key-1");
    expect(await broadcast.execute(someAnalysis(), JSON.stringify(statusUpdate()), "key-1")).toMatchObject({
      duplicate: false,
    });
    clock.advance(299_000);
    expect(await publish(statusUpdate(), "key-1")).toMatchObject({ duplicate: true });
    clock.advance(2_000);
    expect(await publish(statusUpdate(), "key-1")).toMatchObject({ duplicate: false });
  });

  test("stores the same body again if there is no key", async () => {
    const { publish, kept } = opened();
    await publish(statusUpdate());
    await publish(statusUpdate());
    expect(await kept()).toHaveLength(2);
  });

  test("NOT-3: recognises a key of notices whichever user they are for", async () => {
    const { broadcast } = opened();
    const body = JSON.stringify({ message: "soon" });
    const first = await broadcast.execute(userChannel("alice"), body, "key-1");
    expect(await broadcast.execute(SYSTEM_CHANNEL, body, "key-1")).toEqual({
      ...first,
      duplicate: true,
    } as typeof first);
  });

  test("refuses an array of notices", async () => {
    const { broadcast } = opened();
    const answer = await broadcast.execute(SYSTEM_CHANNEL, JSON.stringify([{ message: "a" }]), undefined);
    expect(answer).toMatchObject({ type: "invalid", reason: "invalid", issues: [{ path: [] }] });
  });

  test("refuses an event of an attempt that has ended, with code and index", async () => {
    const { publish, kept } = opened();
    await publish(resultUpdate({ attempt_id: "a" }));
    const late = [statusUpdate({ attempt_id: "b" }), statusUpdate({ attempt_id: "a" })];
    expect(await publish(late)).toEqual({ type: "refused", code: "attempt_superseded", index: 1 });
    expect(await publish(statusUpdate({ attempt_id: "a" }))).toMatchObject({ code: "attempt_ended" });
    expect(await kept()).toHaveLength(1);
  });

  test.each([
    ["it is away", BrokerUnavailable],
    ["no answer came", OutcomeUnknown],
  ])("rejects with the error of a broker that did not store the event: %s", async (_, Fault) => {
    const { publish, pubSub, telemetry } = opened();
    pubSub.fault = () => new Fault("the broker");
    const outcome = await publish(statusUpdate()).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Fault);
    expect(telemetry.counts.get("events_published")).toBeUndefined();
  });
});
