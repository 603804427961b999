import { describe, expect, test } from "bun:test";
import { CHECK_POSITIONS_MS, CheckPositions } from "../../../src/application/check-positions.ts";
import { fault, result, status } from "../../../src/testing/encoded-events.ts";
import { turn } from "../../support/turn.ts";
import { STALL, sessionBench } from "./session-bench.ts";

function opened() {
  const bench = sessionBench();
  const { clock, feeds, pubSub, telemetry, elsewhere, channel, analysisId } = bench;
  const positions = new CheckPositions(feeds, pubSub, telemetry);
  /** Time passes as in a running gateway, which asks for the positions every so often. */
  const silence = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += CHECK_POSITIONS_MS) {
      clock.advance(Math.min(CHECK_POSITIONS_MS, milliseconds - passed));
      await positions.execute();
    }
    await turn();
  };
  const beat = () => elsewhere.signOfLife?.(channel);
  const stalled = (since: number) => ({
    event_type: "state_changed",
    analysis_id: analysisId,
    status: "stalled",
    silent_since: new Date(since).toISOString(),
  });
  const running = {
    event_type: "state_changed",
    analysis_id: analysisId,
    status: "running",
    silent_since: null,
  };
  return { ...bench, silence, beat, stalled, running };
}

describe("an analysis whose worker is silent", () => {
  test("STL-1: is told once to have stalled, within a check of the stall time, on /ws as well", async () => {
    const { watch, open, publish, silence, stalled, analysisId, clock } = opened();
    const { wire } = await watch();
    const many = await open();
    many.say({ type: "subscribe", analysis_id: analysisId });
    await publish();
    const since = clock.now();
    await silence(STALL - 1);
    expect(wire.types).not.toContain("state_changed");
    await silence(CHECK_POSITIONS_MS);
    await silence(STALL);
    for (const { messages } of [wire, many.wire])
      expect(messages.filter(({ event_type }) => event_type === "state_changed") as object[]).toEqual([
        stalled(since),
      ]);
  });

  test("STL-2: is told so at once after the replay to a client that joins later", async () => {
    const { watch, publish, silence, stalled, clock } = opened();
    await publish(status(), status());
    const since = clock.now();
    await silence(STALL);
    const { wire } = await watch("alice", { replay: { mode: "all", after: undefined } });
    expect(wire.types).toEqual(["connection_established", "status_update", "status_update", "state_changed"]);
    expect(wire.messages.at(-1) as object).toEqual(stalled(since));
  });

  test("STL-3: runs on with the next event, which comes first", async () => {
    const { watch, publish, silence, running } = opened();
    await publish();
    const { wire } = await watch();
    await silence(STALL + CHECK_POSITIONS_MS);
    await publish();
    expect(wire.types.slice(-3)).toEqual(["state_changed", "status_update", "state_changed"]);
    expect(wire.messages.at(-1) as object).toEqual(running);
    expect((await watch("later")).wire.types).toEqual(["connection_established", "status_update"]);
  });

  test("STL-3: runs on with a beat, and stalls again", async () => {
    const { watch, publish, silence, beat, running, stalled, clock } = opened();
    await publish();
    const { wire } = await watch();
    await silence(STALL + CHECK_POSITIONS_MS);
    await beat();
    const since = clock.now();
    await silence(CHECK_POSITIONS_MS);
    expect(wire.messages.at(-1) as object).toEqual(running);
    await silence(STALL);
    expect(wire.messages.at(-1) as object).toEqual(stalled(since));
  });

  test("STL-3: runs on and stalls again, if it is silent for the stall time before the next check", async () => {
    const { watch, publish, beat, clock, feeds, pubSub, telemetry, running, stalled } = opened();
    await publish();
    const { wire } = await watch();
    const positions = new CheckPositions(feeds, pubSub, telemetry);
    const look = async () => {
      clock.advance(STALL);
      await positions.execute();
      await turn();
    };
    await look();
    await beat();
    const since = clock.now();
    await look();
    await look();
    expect(wire.types.filter((type) => type === "state_changed")).toHaveLength(3);
    expect(wire.messages.slice(-2) as object[]).toEqual([running, stalled(since)]);
  });

  test("STL-3: is not said to run if the next event ends it", async () => {
    const { watch, publish, silence } = opened();
    await publish();
    const { wire } = await watch();
    await silence(STALL + CHECK_POSITIONS_MS);
    await publish(fault());
    await silence(2 * STALL);
    expect(wire.types.slice(-2)).toEqual(["state_changed", "error"]);
  });

  test.each([
    ["waits in a queue", [status({ stage: "queued" })]],
    ["has ended", [status(), result()]],
    ["is unknown", []],
  ])("STL-4: never stalls if it %s", async (_, events) => {
    const { watch, publish, silence } = opened();
    if (events.length > 0) await publish(...events);
    const { wire } = await watch();
    await silence(2 * STALL);
    expect(wire.types).not.toContain("state_changed");
  });
});
