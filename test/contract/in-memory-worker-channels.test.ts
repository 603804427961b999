import { describe, expect, test } from "bun:test";
import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryWorkerChannels } from "../../src/adapters/memory/in-memory-worker-channels.ts";
import type { BareMessage } from "../../src/application/ports/worker-channel-port.ts";
import { ManualClock } from "../support/manual-clock.ts";

describe("InMemoryWorkerChannels", () => {
  test("every node that listens hears what a worker publishes, until it is closed", async () => {
    const options = { broker: new InMemoryBroker(), clock: new ManualClock() };
    const [one, two] = [new InMemoryWorkerChannels(options), new InMemoryWorkerChannels(options)];
    const heard: [string, BareMessage][] = [];
    await one.listen((message) => heard.push(["one", message]));
    await two.listen((message) => heard.push(["two", message]));
    one.publish("analysis:x", "{}");
    await two.close();
    one.publish("user:alice", "hello");
    expect(heard).toEqual([
      ["one", { channel: "analysis:x", payload: "{}" }],
      ["two", { channel: "analysis:x", payload: "{}" }],
      ["one", { channel: "user:alice", payload: "hello" }],
    ]);
  });

  test("a dead letter that two nodes report within a minute is kept once", async () => {
    const clock = new ManualClock();
    const broker = new InMemoryBroker();
    const [one, two] = [
      new InMemoryWorkerChannels({ broker, clock }),
      new InMemoryWorkerChannels({ broker, clock }),
    ];
    const letter = { channel: "analysis:x", payload: "not JSON", reason: "not_json" };
    await one.keepDeadLetter(letter);
    await two.keepDeadLetter(letter);
    await two.keepDeadLetter({ ...letter, channel: "analysis:y" });
    expect(broker.deadLetters).toEqual([
      { ...letter, at: clock.now() },
      { ...letter, channel: "analysis:y", at: clock.now() },
    ]);
    clock.advance(61_000);
    await one.keepDeadLetter(letter);
    expect(broker.deadLetters).toHaveLength(3);
  });

  test("of a payload the first 64 KiB are kept, whole characters only", async () => {
    const broker = new InMemoryBroker();
    const channels = new InMemoryWorkerChannels({ broker, clock: new ManualClock() });
    await channels.keepDeadLetter({ channel: "c", payload: `a${"ü".repeat(40_000)}`, reason: "r" });
    expect(broker.deadLetters[0]?.payload).toBe(`a${"ü".repeat(32_767)}`);
  });

  test("at most 10,000 letters are kept, the newest", async () => {
    const broker = new InMemoryBroker();
    const channels = new InMemoryWorkerChannels({ broker, clock: new ManualClock() });
    for (let n = 0; n < 10_050; n++)
      await channels.keepDeadLetter({ channel: "c", payload: `${n}`, reason: "r" });
    expect(broker.deadLetters).toHaveLength(10_000);
    expect(broker.deadLetters[0]?.payload).toBe("50");
  });
});
