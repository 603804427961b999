import { describe, expect, test } from "bun:test";
import { ConnectionWriter } from "../../../src/application/fan-out/connection-writer.ts";
import { DeliveryMeter } from "../../../src/application/fan-out/delivery-meter.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { completed, result, status } from "../../../src/testing/encoded-events.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RecordingConnection } from "../../../src/testing/recording-connection.ts";
import { RecordingOwner } from "../../support/recording-owner.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";
import { watchBench } from "./watch-bench.ts";

describe("RES-5: until=terminal", () => {
  test.each([
    ["sent by the replay of the latest state", [status(), result()], { mode: "latest" }, 1],
    ["sent by the replay of the whole", [status(), result()], { mode: "all" }, 1],
    ["not sent, since nothing was asked for", [status(), result()], { mode: "none" }, 0],
    ["at the position given", [status(), result()], { after: 2 }, 1],
    ["before the position given", [result(), completed()], { after: 2 }, 1],
    ["after the position given", [status(), result()], { after: 1 }, 1],
    ["reopened after the position given", [result(), status()], { after: 1 }, 0],
    ["reopened at the position given", [result(), status()], { after: 2 }, 0],
    [
      "superseded by another attempt",
      [result({ attemptId: "a" }), completed({ attemptId: "b" })],
      { mode: "all" },
      0,
    ],
    ["none", [status()], { mode: "all" }, 0],
  ] as const)(
    "a terminal event %s",
    async (_, events, {
      mode = "latest",
      after,
    }: { mode?: "latest" | "all" | "none"; after?: number }, finished) => {
      for (const watched of [false, true]) {
        const { publish, join, settle } = watchBench();
        const { epoch } = await publish(...events);
        if (watched) await join();
        const position = after === undefined ? undefined : { epoch, offset: after };
        const { owner } = await join({ untilTerminal: true, replay: { mode, after: position } });
        await settle();
        expect(owner.timesFinished).toBe(finished);
      }
    },
  );

  test("SSE-3: nothing is left for a client that has seen the end already, and for no other", async () => {
    const { publish, subscribe, channel, pubSub, join } = watchBench();
    const { epoch } = await publish(status(), result());
    const left = async (after: number, untilTerminal = true) => {
      const writer = new ConnectionWriter(new RecordingConnection(), new ManualClock(), new DeliveryMeter());
      const answer = await subscribe.execute({
        analysisId: analysisIdOf(channel),
        grant: someGrant(),
        writer,
        owner: new RecordingOwner(writer),
        replay: { mode: "latest", after: { epoch, offset: after } },
        untilTerminal,
        conflates: true,
      });
      if (answer.type !== "watching") throw new Error(answer.type);
      const { nothingLeft } = answer.watch;
      answer.watch.end();
      return nothingLeft;
    };
    expect([await left(2), await left(1), await left(2, false)]).toEqual([true, false, false]);
    // The broker says whether an end that this node has not heard of is current.
    await join();
    pubSub.holdsMail = true;
    await publish(status(), result());
    expect([await left(4), await left(3)]).toEqual([true, false]);
  });

  test("a terminal event that this node has not heard of yet ends it all the same", async () => {
    const { pubSub, publish, join } = watchBench();
    await publish();
    await join();
    pubSub.holdsMail = true;
    const position = await publish(result());
    const { owner } = await join({ untilTerminal: true, replay: { after: position } });
    expect(owner.timesFinished).toBe(1);
  });

  test("a terminal event whose reopening this node has not heard of yet ends nothing", async () => {
    const { pubSub, publish, join, settle } = watchBench();
    await publish(status(), result());
    await join();
    pubSub.holdsMail = true;
    const position = await publish(status());
    const { owner, wire } = await join({ untilTerminal: true, replay: { after: position } });
    await settle();
    expect(owner.timesFinished).toBe(0);
    await publish(result());
    await settle();
    expect([owner.timesFinished, wire.offsets]).toEqual([1, [4]]);
  });

  test("a terminal event that is published while the position is looked up is sent before the end", async () => {
    for (let instant = 0; instant <= 4; instant++) {
      const { pubSub, publish, join, settle } = watchBench();
      const position = await publish();
      await join();
      pubSub.holdsCalls = true;
      pubSub.holdsMail = true;
      const joining = join({ untilTerminal: true, replay: { after: position } });
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      await publish(result());
      for (let step = 0; step < 8; step++) {
        await turn();
        await pubSub.proceed();
      }
      const { owner, wire } = await joining;
      expect([instant, owner.timesFinished]).toEqual([instant, wire.frames.length]);
      await settle();
      expect([instant, wire.offsets]).toEqual([instant, [2]]);
      expect(owner.timesFinished).toBeGreaterThan(0);
    }
  });

  test("a terminal event that is reopened while the position is looked up ends nothing", async () => {
    for (let instant = 0; instant <= 3; instant++) {
      const { pubSub, publish, join, settle } = watchBench();
      await join();
      // This node has not heard of it, so the broker is asked.
      pubSub.holdsMail = true;
      const position = await publish(status(), result());
      pubSub.holdsCalls = true;
      const joining = join({ untilTerminal: true, replay: { after: position } });
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      await publish(status());
      await settle();
      const { owner, wire } = await joining;
      expect([instant, owner.timesFinished, wire.offsets]).toEqual([instant, 0, [3]]);
    }
  });

  test("a notice does not end it", async () => {
    const { join, elsewhere, settle } = watchBench();
    const { owner } = await join({ untilTerminal: true });
    const event = { ...result(), kind: "notice" as const };
    await elsewhere.append({ channel: "system:updates", events: [event] });
    await settle();
    expect(owner.timesFinished).toBe(0);
  });
});
