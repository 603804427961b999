import { describe, expect, test } from "bun:test";
import { BroadcastEvent } from "../../../src/application/broadcast-event.ts";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { ReadAnalysis } from "../../../src/application/read-analysis.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { someAnalysis } from "../../support/some-analysis.ts";
import { someGrant } from "../../support/some-grant.ts";

const STALL = 60_000;

describe("ReadAnalysis", () => {
  const opened = (watchDefault: "allow" | "deny" = "allow") => {
    const node = memoryNode({ size: 10 });
    const channel = someAnalysis();
    const broadcast = new BroadcastEvent(node.elsewhere, node.clock, node.telemetry);
    const reading = new ReadAnalysis(node.pubSub, watchDefault, STALL);
    const publish = async (...events: unknown[]) => {
      const answer = await broadcast.execute(channel, JSON.stringify(events), undefined);
      return answer.type === "stored" ? answer.eventIds : [];
    };
    const read = (grant = someGrant()) => reading.execute(analysisIdOf(channel), grant);
    const state = async () => {
      const answer = await read();
      if (answer.type !== "state") throw new Error(answer.type);
      return answer.state;
    };
    return { ...node, channel, publish, read, state };
  };

  test("READ-1: an analysis nobody has heard of has a state as well: unknown, before the first event", async () => {
    const { state, channel } = opened();
    expect(await state()).toMatchObject({
      analysis_id: analysisIdOf(channel),
      status: "unknown",
      last_event_id: "0",
      stages: [],
      updated_at: null,
    });
  });

  test("READ-1: the state is that of all events, in one command, however many were trimmed", async () => {
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
    expect(pubSub.made.map(({ name }) => name)).toEqual(["snapshot"]);
  });

  test("READ-1: the result stands in it, or the error, until a retry", async () => {
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

  test("READ-5: a worker silent for the stall time, by the broker's clock, is stalled; the finished never are", async () => {
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

  test("READ-2: who may not watch may not read", async () => {
    const { read, elsewhere, channel } = opened();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    expect(await read()).toEqual({ type: "not_allowed" });
    expect((await read(someGrant({ userId: "bob" }))).type).toBe("state");
    expect((await opened("deny").read()).type).toBe("not_declared");
  });

  test("without the broker it rejects", async () => {
    const { read, pubSub } = opened();
    pubSub.goesAway();
    expect(await read().catch((error: unknown) => error)).toBeInstanceOf(BrokerUnavailable);
  });
});
