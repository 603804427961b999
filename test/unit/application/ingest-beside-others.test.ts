import { describe, expect, test } from "bun:test";
import { InMemoryWorkerChannels } from "../../../src/adapters/memory/in-memory-worker-channels.ts";
import { IngestBareMessage } from "../../../src/application/ingest-bare-message.ts";
import type { Listening } from "../../../src/application/ports/worker-channel-port.ts";
import { BareMessages } from "../../support/bare-messages.ts";
import { statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting } from "./ingesting.ts";

const texts = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);

describe("IngestBareMessage, beside other gateways", () => {
  /** Two gateways on one broker. Those that listen hear a worker's messages at once. */
  async function two() {
    const node = ingesting();
    const { broker, deadLetters, clock, telemetry, channel, elsewhere } = node;
    const elder = node.ingest;
    await node.workers.listen((message) => elder.execute(message));
    const workers = new InMemoryWorkerChannels({ broker, clock });
    const newcomer = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const join = () => workers.listen((message) => newcomer.execute(message));
    const publish = (message: string) =>
      broker.publishBare({ channel, payload: JSON.stringify(statusUpdate({ message })) });
    return { ...node, join, publish, theirs: workers };
  }

  /** A gateway that listens in the way given, and hears by hand what may be `lateMs` late. */
  function late(listening: () => Listening | undefined) {
    const node = ingesting();
    const { pubSub, deadLetters, clock, telemetry, channel, heard } = node;
    const ingest = new IngestBareMessage(pubSub, { listening }, deadLetters, clock, telemetry);
    const hear = (body: unknown, lateMs: number) =>
      ingest.execute(heard.next(channel, typeof body === "string" ? body : JSON.stringify(body), { lateMs }));
    return { ...node, ingest, hear };
  }

  test("PUB-16: a newcomer holds what it hears for 3 s, so that what it missed comes before", async () => {
    const { pubSub, join, publish, messages, count, pass, clock } = await two();
    // The append of the elder is on its way for a while.
    pubSub.holdsCalls = true;
    publish("1");
    await turn();
    await join();
    for (const message of texts(2, 40)) publish(message);
    clock.advance(2_900);
    await turn();
    expect(await messages()).toEqual([]);
    pubSub.holdsCalls = false;
    while ((await pubSub.proceed()) !== undefined);
    await pass(1_000);
    expect(await messages()).toEqual(texts(1, 40));
    expect([count("bare_events_adopted"), count("bare_events_seen")]).toEqual([40, 39]);
  });

  test("PUB-16: when the elder dies, the newcomer appends what it held, in order, and then holds no more", async () => {
    const { pubSub, workers, join, publish, messages, pass } = await two();
    await join();
    pubSub.goesAway();
    await workers.close();
    for (const message of texts(1, 300)) publish(message);
    await pass(1_000);
    for (const message of texts(301, 600)) publish(message);
    await pass(2_250);
    expect(await messages()).toEqual(texts(1, 600));
    publish("601");
    await turn();
    expect(await messages()).toHaveLength(601);
  });

  test("PUB-16: a gateway that listens alone holds nothing, from the first moment", async () => {
    const { ingest, workers, broker, channel, messages } = ingesting();
    await workers.listen((message) => ingest.execute(message));
    broker.publishBare({ channel, payload: JSON.stringify(statusUpdate({ message: "at once" })) });
    await turn();
    expect(await messages()).toEqual(["at once"]);
  });

  test("PUB-16: a later gateway makes no newcomer of one that was there", async () => {
    const { join, publish, messages, clock } = await two();
    clock.advance(1_000);
    await join();
    publish("at once");
    await turn();
    expect(await messages()).toEqual(["at once"]);
  });

  test("PUB-16: until the broker has said whether there are others, it is held; no longer than 3 s", async () => {
    const since = Date.UTC(2026, 10, 24);
    const first = { since, newcomer: undefined as boolean | undefined, others: undefined };
    let listening: Listening = first;
    const { hear, messages, pass } = late(() => listening);
    hear(statusUpdate({ message: "1" }), 0);
    await pass(1_000);
    expect(await messages()).toEqual([]);
    first.newcomer = false;
    await pass(250);
    expect(await messages()).toEqual(["1"]);
    listening = { since, newcomer: undefined, others: undefined };
    hear(statusUpdate({ message: "2" }), 0);
    await pass(1_500);
    expect(await messages()).toEqual(["1"]);
    await pass(500);
    expect(await messages()).toEqual(["1", "2"]);
  });

  test("PUB-17: read late, a message that others stored more than a minute ago is the same one", async () => {
    const { hear, elsewhere, workers, deadLetters, clock, telemetry, channel, messages, count, pass } = late(
      () => undefined,
    );
    const payload = JSON.stringify(statusUpdate({ message: "once" }));
    new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry).execute(
      new BareMessages().next(channel, payload),
    );
    await turn();
    await pass(100_000);
    hear(payload, 100_000);
    await turn();
    expect([await messages(), count("bare_events_seen")]).toEqual([["once"], 1]);
    // A message that is certainly new is another event.
    hear(payload, 2_000);
    await turn();
    expect(await messages()).toEqual(["once", "once"]);
  });

  test("PUB-17: read late, what a newcomer stored before it heard a mark is the same one, and the next is not", async () => {
    const { hear, elsewhere, workers, deadLetters, clock, telemetry, channel, messages, pass } = late(
      () => undefined,
    );
    const newcomer = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const payload = JSON.stringify(statusUpdate({ message: "a" }));
    const between = JSON.stringify(statusUpdate({ message: "b" }));
    const theirs = new BareMessages(false);
    for (const each of [payload, between]) newcomer.execute(theirs.next(channel, each));
    await turn();
    await pass(90_000);
    for (const each of [payload, between, payload]) hear(each, 90_000);
    await turn();
    expect(await messages()).toEqual(["a", "b", "a"]);
  });

  test("PUB-17: before its first mark a gateway looks back to where it began to listen, however quickly it appends", async () => {
    const { ingest, hear, workers, deadLetters, clock, telemetry, channel, elsewhere, messages, pass } =
      ingesting();
    hear(statusUpdate({ message: "a" }));
    hear(statusUpdate({ message: "b" }));
    await turn();
    await pass(30_000);
    const newcomer = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const listening = (since: number) => {
      const heard = new BareMessages(false).next(channel, JSON.stringify(statusUpdate({ message: "a" })));
      return { ...heard, occurrence: { ...heard.occurrence, since } };
    };
    newcomer.execute(listening(clock.now() - 30_000));
    await turn();
    expect(await messages()).toEqual(["a", "b"]);
    ingest.execute(listening(clock.now() - 20_000));
    await turn();
    expect(await messages()).toEqual(["a", "b", "a"]);
  });

  test("PUB-17: read late, a retry of what was stored more than a minute ago is still one", async () => {
    const { hear, messages, pass } = late(() => undefined);
    const payload = JSON.stringify(statusUpdate({ message: "once" }));
    hear(payload, 0);
    await turn();
    await pass(100_000);
    hear(payload, 41_000);
    await turn();
    expect(await messages()).toEqual(["once"]);
    hear(payload, 39_000);
    await turn();
    expect(await messages()).toEqual(["once", "once"]);
  });

  test("PUB-17: the window also grows while the broker is away", async () => {
    const { hear, pubSub, elsewhere, workers, deadLetters, clock, telemetry, channel, messages, pass } = late(
      () => undefined,
    );
    const payload = JSON.stringify(statusUpdate({ message: "once" }));
    new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry).execute(
      new BareMessages().next(channel, payload),
    );
    await turn();
    await pass(50_000);
    pubSub.goesAway();
    hear(payload, 50_000);
    await pass(60_000);
    pubSub.comesBack();
    await pass(500);
    expect(await messages()).toEqual(["once"]);
  });

  test("PUB-17: a message that may be more than two minutes late is left to the others, and counted", async () => {
    const { hear, pubSub, messages, count, pass } = late(() => ({ since: 0, newcomer: false, others: true }));
    hear(statusUpdate({ message: "too late" }), 121_000);
    hear("{oops", 121_000);
    hear(statusUpdate({ message: "in time" }), 119_000);
    await turn();
    expect([await messages(), count("bare_events_left_to_others")]).toEqual([["in time"], 2]);
    pubSub.goesAway();
    hear(statusUpdate({ message: "held too long" }), 100_000);
    await pass(21_000);
    pubSub.comesBack();
    await pass(500);
    expect([await messages(), count("bare_events_left_to_others")]).toEqual([["in time"], 3]);
    expect([count("bare_events_lost"), count("dead_letters")]).toEqual([0, 0]);
  });

  test("PUB-17: a gateway alone appends a late message all the same", async () => {
    const { hear, messages, count } = late(() => ({ since: 0, newcomer: false, others: false }));
    hear(statusUpdate({ message: "late" }), 600_000);
    await turn();
    expect([await messages(), count("bare_events_left_to_others")]).toEqual([["late"], 0]);
  });

  test("PUB-17: a dead letter that was read late is the one that the others kept", async () => {
    const { hear, broker, elsewhere, workers, deadLetters, clock, telemetry, channel, pass } = late(
      () => undefined,
    );
    new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry).execute(
      new BareMessages().next(channel, "{oops"),
    );
    await turn();
    await pass(100_000);
    hear("{oops", 100_000);
    await turn();
    expect(broker.deadLetters).toHaveLength(1);
    hear("{oops", 0);
    await turn();
    expect(broker.deadLetters).toHaveLength(2);
  });

  test("OPS-10: under a steady stream a gateway that stops listening is done at once, and the others go on", async () => {
    const { ingest, workers, join, publish, messages, clock, pass } = await two();
    await join();
    await pass(3_250);
    const stream = clock.every(100, () => publish(`${clock.now()}`));
    await pass(1_000);
    const before = (await messages()).length;
    const gone = workers.stopListening().then(() => ingest.settled());
    await turn();
    await gone;
    await pass(1_000);
    stream();
    expect(before).toBeGreaterThan(5);
    expect((await messages()).length).toBe(20);
  });
});
