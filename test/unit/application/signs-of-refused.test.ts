import { describe, expect, test } from "bun:test";
import { SignsOfRefused } from "../../../src/application/signs-of-refused.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting as bare } from "./ingesting.ts";
import { ingesting as inbox } from "./ingesting-inbox.ts";

describe("An event that breaks a rule", () => {
  test("STL-5: is a sign of life of its worker, if it came through the inbox", async () => {
    const { taker, addTo, channel, elsewhere, clock, deadLetters, pass } = inbox();
    await elsewhere.append({ channel, events: [status()] });
    taker().start();
    await pass(30_000);
    addTo(channel, "refused", { progress: 42 });
    await turn();
    expect(deadLetters()).toHaveLength(1);
    expect((await elsewhere.snapshot(channel)).heardAt).toBe(clock.now());
  });

  test("STL-5: is a sign of life of a worker that published it bare, and holds up no other", async () => {
    const { hear, channel, elsewhere, clock, messages, broker } = bare();
    await elsewhere.append({ channel, events: [status()] });
    const before = await messages();
    clock.advance(30_000);
    hear(statusUpdate({ progress: 42 }));
    await turn();
    expect(broker.deadLetters).toHaveLength(1);
    expect((await elsewhere.snapshot(channel)).heardAt).toBe(clock.now());
    hear(statusUpdate({ message: "good" }));
    await turn();
    expect(await messages()).toEqual([...before, "good"]);
  });
});

describe("SignsOfRefused", () => {
  async function working(attempts: readonly string[] = []) {
    const node = memoryNode();
    const { pubSub, clock, telemetry } = node;
    const channel = someAnalysis();
    const named = attempts.map((attemptId) => status({ attemptId }));
    await pubSub.append({ channel, events: attempts.length === 0 ? [status()] : named });
    const signs = new SignsOfRefused(pubSub, clock, telemetry);
    const silence = async () => clock.now() - ((await pubSub.snapshot(channel)).heardAt ?? 0);
    return { signs, channel, clock, silence, pubSub, telemetry };
  }

  test("STL-5: takes none for a sign of life that is no object, or of no analysis", async () => {
    const { signs, channel, clock, silence } = await working();
    clock.advance(5_000);
    for (const payload of ["{oops", "[]", "null", "7", '"alive"', ""]) await signs.heard(channel, payload);
    for (const name of ["analysis:7", "user:alice", "system:updates", "telltale:inbox"])
      await signs.heard(name, "{}");
    await signs.heard(`analysis:${crypto.randomUUID()}`, "{}");
    expect(await silence()).toBe(5_000);
    clock.advance(1_000);
    await signs.heard(`analysis:${analysisIdOf(channel)}`, '{"progress":"half"}');
    expect(await silence()).toBe(0);
  });

  test("STL-5: takes none of a run that another has replaced", async () => {
    const { signs, channel, clock, silence } = await working(["first", "second"]);
    clock.advance(5_000);
    await signs.heard(channel, '{"attempt_id":"first"}');
    expect(await silence()).toBe(5_000);
    clock.advance(1_000);
    await signs.heard(channel, '{"attempt_id":"second"}');
    expect(await silence()).toBe(0);
  });

  test("asks the broker once a second for each analysis at most, and survives one that is away", async () => {
    const { channel, clock, telemetry } = await working();
    let asked = 0;
    const pubSub = {
      signOfLife: async () => {
        asked += 1;
        throw new Error("the broker is away");
      },
    };
    const signs = new SignsOfRefused(pubSub, clock, telemetry);
    for (let each = 0; each < 100; each += 1) {
      await signs.heard(channel, "{}");
      clock.advance(50);
    }
    expect(asked).toBe(5);
  });
});
