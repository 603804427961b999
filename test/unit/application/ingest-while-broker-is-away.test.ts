import { describe, expect, test } from "bun:test";
import { BrokerUnavailable, OutcomeUnknown } from "../../../src/application/errors.ts";
import { IngestBareMessage } from "../../../src/application/ingest-bare-message.ts";
import type { DeadLetter, DeadLetterPort } from "../../../src/application/ports/dead-letter-port.ts";
import { statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting, RETRY } from "./ingesting.ts";

describe("IngestBareMessage, while the broker is away", () => {
  test("PUB-4: a dead letter that could not be kept at first is counted and logged once", async () => {
    const { pubSub, clock, telemetry, workers, channel, count, pass, heard } = ingesting();
    let away = true;
    const kept: DeadLetter[] = [];
    const shaky: Pick<DeadLetterPort, "keep"> = {
      keep: async (deadLetter) => {
        if (away) throw new BrokerUnavailable("away");
        kept.push(deadLetter);
      },
    };
    new IngestBareMessage(pubSub, workers, shaky, clock, telemetry).execute(heard.next(channel, "{oops"));
    await pass(5_000);
    away = false;
    await pass(500);
    expect(kept).toHaveLength(1);
    expect(count("dead_letters")).toBe(1);
    expect(telemetry.logs).toHaveLength(1);
  });

  test("PUB-4: a dead letter that cannot be kept holds up no event, and is kept when it can be", async () => {
    const { pubSub, clock, telemetry, workers, deadLetters, channel, messages, pass, broker, heard } =
      ingesting();
    let away = true;
    const shaky: Pick<DeadLetterPort, "keep"> = {
      keep: async (deadLetter) => {
        if (away) throw new BrokerUnavailable("away");
        await deadLetters.keep(deadLetter);
      },
    };
    const ingest = new IngestBareMessage(pubSub, workers, shaky, clock, telemetry);
    for (let step = 1; step <= 4; step++) {
      ingest.execute(heard.next(channel, "{oops"));
      ingest.execute(heard.next(channel, JSON.stringify(statusUpdate({ message: `${step}` }))));
      await turn();
    }
    expect(await messages()).toEqual(["1", "2", "3", "4"]);
    away = false;
    await pass(500);
    expect(broker.deadLetters).toHaveLength(1);
  });

  test.each([
    ["refuses", BrokerUnavailable],
    ["does not answer", OutcomeUnknown],
  ])(
    "PUB-15: while the broker %s, events wait; once it is back they are stored in order",
    async (_, Fault) => {
      const { hear, pubSub, messages, count, pass } = ingesting();
      pubSub.fault = () => new Fault("away");
      for (let step = 1; step <= 5; step++) hear(statusUpdate({ message: `${step}` }));
      await pass(30_000);
      for (let step = 6; step <= 300; step++) hear(statusUpdate({ message: `${step}` }));
      await pass(1_000);
      expect(await messages()).toEqual([]);
      pubSub.comesBack();
      await pass(RETRY);
      expect(await messages()).toEqual(Array.from({ length: 300 }, (_, index) => `${index + 1}`));
      expect(count("bare_events_lost")).toBe(0);
    },
  );

  test("PUB-15: between two attempts it pauses, so that the retries do not starve the link", async () => {
    const { hear, pubSub, clock } = ingesting();
    pubSub.goesAway();
    hear(statusUpdate());
    for (let passed = 0; passed < 3_000; passed += 10) {
      await turn();
      clock.advance(10);
    }
    expect(pubSub.countOf("append")).toBeLessThanOrEqual(13);
    expect(pubSub.countOf("append")).toBeGreaterThan(6);
  });

  test("PUB-15: an answer that got lost makes no second event, however long the broker was away after", async () => {
    const { hear, pubSub, messages, pass } = ingesting();
    pubSub.holdsCalls = true;
    hear(statusUpdate({ message: "once" }));
    await turn();
    await pubSub.proceed();
    expect(await messages()).toEqual(["once"]);
    pubSub.holdsCalls = false;
    pubSub.goesAway();
    pubSub.failWaiting(new OutcomeUnknown("no answer"));
    await turn();
    await pass(90_000);
    pubSub.comesBack();
    await pass(RETRY);
    expect(await messages()).toEqual(["once"]);
  });

  test("PUB-15: an event without a timestamp bears the time it was heard, not that of its last attempt", async () => {
    const { hear, clock, pubSub, kept, pass } = ingesting();
    const heardAt = new Date(clock.now()).toISOString();
    pubSub.goesAway();
    hear(statusUpdate());
    await pass(60_000);
    pubSub.comesBack();
    await pass(RETRY);
    expect((await kept())[0].timestamp).toBe(heardAt);
  });

  test("PUB-15: a message that could not be stored for two minutes is dropped and counted; a later one is not", async () => {
    const { hear, pubSub, messages, count, pass, telemetry } = ingesting();
    pubSub.goesAway();
    hear(statusUpdate({ message: "old" }));
    await pass(60_000);
    hear(statusUpdate({ message: "newer" }));
    await pass(61_000);
    expect(count("bare_events_lost")).toBe(1);
    expect(telemetry.logs.at(-1)).toMatchObject({ level: "error" });
    pubSub.comesBack();
    await pass(RETRY);
    expect(await messages()).toEqual(["newer"]);
  });

  test("PUB-15: at most 64 MiB wait, whatever their sizes; the oldest go first and are counted", async () => {
    const { hear, pubSub, messages, count, pass } = ingesting();
    pubSub.goesAway();
    hear(statusUpdate({ message: "first" }));
    await turn();
    for (let small = 0; small < 300; small++) hear(statusUpdate({ message: `small ${small}` }));
    const pad = "x".repeat(1_000_000);
    for (let large = 0; large < 80; large++) hear(statusUpdate({ message: `large ${large}`, pad }));
    await turn();
    const waiting = 381 - count("bare_events_lost");
    expect(waiting).toBeLessThanOrEqual(67);
    pubSub.comesBack();
    await pass(1_000);
    const stored = await messages();
    expect(stored).toHaveLength(waiting);
    expect(stored.at(-1)).toBe("large 79");
    expect(stored).toEqual(Array.from({ length: waiting }, (_, index) => `large ${80 - waiting + index}`));
  });

  test("PUB-15: memory that was given back can be used again", async () => {
    const { hear, pubSub, count, pass } = ingesting();
    const pad = "x".repeat(1_000_000);
    for (let round = 0; round < 2; round++) {
      pubSub.goesAway();
      for (let large = 0; large < 40; large++) hear(statusUpdate({ message: `${round} ${large}`, pad }));
      await pass(500);
      pubSub.comesBack();
      await pass(500);
    }
    expect(count("bare_events_lost")).toBe(0);
    expect(count("bare_events_adopted")).toBe(80);
  });

  test("OPS-10: settled() resolves when every message is stored, or given up after two minutes", async () => {
    const { ingest, hear, pubSub, messages, count, pass } = ingesting();
    await ingest.settled();
    hear(statusUpdate({ message: "heard" }));
    await ingest.settled();
    expect(await messages()).toEqual(["heard"]);
    pubSub.goesAway();
    hear(statusUpdate({ message: "late" }));
    let settled = false;
    void ingest.settled().then(() => {
      settled = true;
    });
    await pass(119_000);
    expect(settled).toBe(false);
    await pass(2_000);
    expect([settled, count("bare_events_lost")]).toEqual([true, 1]);
  });
});
