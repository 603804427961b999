import { describe, expect, test } from "bun:test";
import { ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { BroadcastEvent } from "../../../src/application/broadcast-event.ts";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { FairQueue } from "../../../src/application/fair-queue.ts";
import { ReadAnalysis } from "../../../src/application/read-analysis.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";

const STALL = 60_000;

describe("ReadAnalysis", () => {
  const opened = (watchDefault: "allow" | "deny" = "allow") => {
    const node = memoryNode({ size: 10 });
    const channel = someAnalysis();
    const broadcast = new BroadcastEvent(node.elsewhere, node.clock, node.telemetry);
    const reads = new FairQueue(node.clock, { perUser: 3, total: 5, begun: 2 });
    const access = new ClaimsAndViewers(watchDefault);
    const reading = new ReadAnalysis(node.pubSub, reads, access, STALL);
    const publish = async (...events: unknown[]) => {
      const answer = await broadcast.execute(channel, JSON.stringify(events), undefined);
      return answer.type === "stored" ? answer.eventIds : [];
    };
    const read = (grant = someGrant(), abandoned = new AbortController().signal) =>
      reading.execute({ analysisId: analysisIdOf(channel), grant, abandoned });
    const state = async () => {
      const answer = await read();
      if (answer.type !== "state") throw new Error(answer.type);
      return answer.state;
    };
    return { ...node, channel, publish, read, state, reads, reading };
  };

  test("READ-1: answers unknown, before the first event, for an analysis without events", async () => {
    const { state, channel } = opened();
    expect(await state()).toMatchObject({
      analysis_id: analysisIdOf(channel),
      status: "unknown",
      last_event_id: "0",
      stages: [],
      updated_at: null,
    });
  });

  test("READ-1: folds all events, however many were trimmed, with one command for the rights and one for the state", async () => {
    const { publish, state, pubSub } = opened();
    await publish(statusUpdate({ current_stage: "uploading", progress: 0.1 }));
    for (let step = 1; step <= 60; step++) await publish(statusUpdate({ progress: step / 100 }));
    const [last] = await publish(statusUpdate({ progress: 0.7, message: "nearly" }));
    expect(await state()).toMatchObject({
      status: "running",
      progress: 0.7,
      message: "nearly",
      current_stage: "frame_extraction",
      stages: [{ stage: "uploading" }, { stage: "frame_extraction", ended_at: null }],
      last_event_id: last,
    });
    expect(pubSub.made.map(({ name }) => name)).toEqual(["viewers", "snapshot"]);
  });

  test("READ-1: holds the result or the error until a retry", async () => {
    const { publish, state } = opened();
    await publish(statusUpdate(), resultUpdate());
    expect(await state()).toMatchObject({ status: "completed", result: { is_fake: true }, error: null });
    await publish(errorEvent());
    expect(await state()).toMatchObject({
      status: "failed",
      result: null,
      error: { error_code: "decode_failed" },
    });
    await publish(statusUpdate({ message: "again" }));
    expect(await state()).toMatchObject({ status: "running", result: null, error: null, message: "again" });
  });

  test("READ-5: marks an analysis stalled after the stall time by the broker's clock, but never a finished one", async () => {
    const { publish, state, clock } = opened();
    await publish(statusUpdate({ timestamp: "2020-01-01T00:00:00Z" }));
    clock.advance(STALL - 1);
    expect((await state()).status).toBe("running");
    clock.advance(1);
    expect((await state()).status).toBe("stalled");
    await publish(resultUpdate());
    clock.advance(10 * STALL);
    expect((await state()).status).toBe("completed");
  });

  test("READ-2: refuses a user who may not watch", async () => {
    const { read, elsewhere, channel } = opened();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    expect(await read()).toEqual({ type: "not_allowed" });
    expect((await read(someGrant({ userId: "bob" }))).type).toBe("state");
    expect((await opened("deny").read()).type).toBe("not_declared");
  });

  test("rejects if the broker is away", async () => {
    const { read, pubSub } = opened();
    pubSub.goesAway();
    expect(await read().catch((error: unknown) => error)).toBeInstanceOf(BrokerUnavailable);
  });

  test("BUD-13: reads nothing for a user who may not watch", async () => {
    const { read, elsewhere, channel, pubSub } = opened();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    expect(await read()).toEqual({ type: "not_allowed" });
    expect(pubSub.countOf("snapshot")).toBe(0);
  });

  test("READ-2: refuses a user who loses the right at any instant before the state is read", async () => {
    for (let instant = 0; instant < 6; instant++) {
      const { read, pubSub, elsewhere, channel, publish } = opened();
      pubSub.holdsCalls = true;
      const answer = read();
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      await elsewhere.declareViewers(channel, new Set(["bob"]));
      await publish(statusUpdate({ message: "for bob" }));
      for (let step = 0; step < 6; step++) await pubSub.proceed();
      expect([instant, (await answer).type]).toEqual([instant, instant < 3 ? "not_allowed" : "state"]);
    }
  });

  test("BUD-13: shares two reads and one answer among a thousand requests for one analysis", async () => {
    const { read, publish, pubSub } = opened();
    await publish(statusUpdate());
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => read(someGrant({ userId: `user ${index % 3}` }))),
    );
    expect(pubSub.countOf("snapshot")).toBeLessThanOrEqual(2);
    expect(new Set(answers).size).toBeLessThanOrEqual(2);
  });

  test("BUD-13: answers a request that comes during a read from a later read", async () => {
    const { read, publish, pubSub } = opened();
    await publish(statusUpdate({ message: "first" }));
    pubSub.holdsCalls = true;
    const early = read();
    // The rights and the state are read, but the answer has not arrived.
    for (let step = 0; step < 3; step++) await pubSub.proceed();
    await publish(statusUpdate({ message: "second" }));
    const late = read();
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    expect(await early).toMatchObject({ state: { message: "first" } });
    expect(await late).toMatchObject({ state: { message: "second" } });
  });

  test("BUD-12: reads the state only for the client that still waits, not for those that have gone", async () => {
    const { read, pubSub, reads } = opened();
    const busy = reads.enter("somebody");
    const held = Promise.withResolvers<void>();
    const holding = busy.read(() => held.promise);
    const leave = new AbortController();
    const gone = [read(undefined, leave.signal), read(someGrant({ userId: "bob" }), leave.signal)];
    await turn();
    leave.abort();
    for (const end of await Promise.allSettled(gone)) expect(end.status).toBe("rejected");
    expect(reads.size).toBe(1);
    const leaveAgain = new AbortController();
    const [leaves, stays] = [read(undefined, leaveAgain.signal), read()];
    await turn();
    leaveAgain.abort();
    held.resolve();
    await Promise.all([holding, leaves, stays]);
    busy.leave();
    expect((await stays).type).toBe("state");
    expect(pubSub.countOf("snapshot")).toBe(1);
    expect(reads.size).toBe(0);
  });

  test("BUD-12: refuses a user who waits for the states of too many analyses", async () => {
    const { reads, reading } = opened();
    const answers = await Promise.allSettled(
      Array.from({ length: 4 }, () =>
        reading.execute({
          analysisId: analysisIdOf(someAnalysis()),
          grant: someGrant(),
          abandoned: new AbortController().signal,
        }),
      ),
    );
    expect(answers.map((end) => (end.status === "rejected" ? end.reason.code : "answered"))).toEqual([
      "answered",
      "answered",
      "answered",
      "too_many_connections",
    ]);
    expect(reads.size).toBe(0);
  });
});
