import { describe, expect, test } from "bun:test";
import { Cancelled } from "../../../src/client/analysis.ts";
import { turn } from "../../support/turn.ts";
import { ACCEPTED, AWAY, CANCEL, ID, refusal, working } from "./scripted-way.ts";

describe("Analysis reports", () => {
  test("WRK-1: a status_update with everything that the wire asks for", async () => {
    const { analysis, way } = working({ taskId: "job-7", attemptId: "run-2" });
    analysis.report({ progress: 0.25, stage: "model_inference", message: "warm", gpu: 3n, loss: Number.NaN });
    await turn();
    expect(way.stored).toEqual([
      {
        event_type: "status_update",
        analysis_id: ID,
        task_id: "job-7",
        attempt_id: "run-2",
        progress: 0.25,
        current_stage: "model_inference",
        message: "warm",
        timestamp: "2026-11-24T00:00:00.000Z",
        gpu: 3,
        loss: null,
      },
    ]);
  });

  test("WRK-1: progress by its counts, and keeps stage and progress until others are given", async () => {
    const { analysis, way, pass } = working();
    analysis.report({ stage: "frame_extraction", current: 30, total: 120, unit: "frames" });
    await pass(100);
    analysis.report({ message: "still" });
    await turn();
    expect(way.stored).toMatchObject([
      { progress: 0.25, current: 30, total: 120, unit: "frames", message: "30 of 120 frames" },
      { progress: 0.25, current_stage: "frame_extraction", message: "still", task_id: ID },
    ]);
    expect(way.stored[1]).not.toHaveProperty("current");
  });

  test.each([
    [{ current: Number.NaN, total: 10 }, {}],
    [
      { current: 3, total: Number.NaN },
      { current: 3, message: "3" },
    ],
    [{ current: Number.POSITIVE_INFINITY, total: 10 }, {}],
    [{ current: -1, total: 10 }, {}],
    [{ progress: Number.NaN }, {}],
  ])("WRK-1: no progress by counts that are none: %p", async (report, given) => {
    const { analysis, way, pass } = working();
    analysis.report({ progress: 0.25 });
    await pass(100);
    analysis.report(report);
    await turn();
    expect(way.stored[1]).toMatchObject({ progress: 0.25, message: "initializing", ...given });
  });

  test("WRK-1: no progress of a report that was out of range, in those behind it and in the end", async () => {
    const { analysis, way, pass } = working();
    analysis.report({ progress: 0.25 });
    await pass(100);
    analysis.report({ progress: 42 });
    await pass(100);
    analysis.report({ message: "on" });
    analysis.fail(new Cancelled());
    await pass(100);
    expect(way.stored.map(({ progress }) => progress)).toEqual([0.25, 42, 0.25, 0.25]);
  });

  test("WRK-1: no report that is no JSON, which ends nothing and is logged once", async () => {
    const { analysis, way, log, pass } = working();
    const itself: Record<string, unknown> = {};
    itself.itself = itself;
    for (let each = 0; each < 3; each += 1) analysis.report({ progress: 0.5, itself });
    analysis.complete();
    await pass(100);
    expect(way.stored).toMatchObject([{ current_stage: "completed", progress: 1 }]);
    expect(log.filter((line) => line.includes("a report was left out"))).toHaveLength(1);
  });

  test("WRK-2: at most ten times a second, and always the last of each stage", async () => {
    const { analysis, way, clock, pass } = working();
    for (let each = 0; each < 1_000; each += 1) {
      analysis.report({ progress: each / 1_000, stage: "uploading", each });
      clock.advance(1);
    }
    await pass(200);
    const { length } = way.stored;
    expect(length).toBeGreaterThanOrEqual(10);
    expect(length).toBeLessThanOrEqual(11);
    expect(way.stored.at(-1)).toMatchObject({ each: 999 });
    analysis.report({ progress: 0.1, stage: "a" });
    analysis.report({ progress: 0.2, stage: "a" });
    analysis.report({ progress: 0.3, stage: "b" });
    await pass(200);
    expect(way.stored.slice(length).map((event) => [event.current_stage, event.progress])).toEqual([
      ["a", 0.1],
      ["a", 0.2],
      ["b", 0.3],
    ]);
  });

  test("WRK-2: at most twenty times a second if two stages take turns", async () => {
    const { analysis, way, clock, pass } = working();
    for (let each = 0; each < 2_000; each += 1) {
      analysis.report({ progress: 0.5, stage: each % 2 === 0 ? "read" : "write", each });
      clock.advance(1);
    }
    await pass(200);
    expect(way.stored.length).toBeLessThanOrEqual(52);
    expect(way.stored.at(-1)).toMatchObject({ each: 1_999 });
  });

  test("WRK-3: nothing after its end, which would open it again", async () => {
    const { analysis, way, pass } = working();
    analysis.report({ progress: 0.5 });
    analysis.report({ progress: 0.9 });
    analysis.result({ data: { words: 3 }, summary: "three words" });
    analysis.report({ progress: 1 });
    analysis.complete();
    await pass(200);
    expect(way.stored).toMatchObject([
      { progress: 0.5 },
      { progress: 0.9 },
      { event_type: "result", data: { words: 3 }, summary: "three words" },
    ]);
  });
});

describe("Analysis tracks", () => {
  test("WRK-1: the items of a loop, and counts those that were worked on", async () => {
    const { analysis, way, clock, pass } = working();
    const seen: string[] = [];
    for (const item of analysis.track(["a", "b", "c", "d"], { stage: "uploading", unit: "files" })) {
      seen.push(item);
      clock.advance(60);
    }
    await pass(200);
    expect(seen).toEqual(["a", "b", "c", "d"]);
    const counts = way.stored.map(({ current, total, progress }) => [current, total, progress]);
    expect(counts[0]).toEqual([0, 4, 0]);
    expect(counts.at(-1)).toEqual([4, 4, 1]);
    expect(way.stored.at(-1)).toMatchObject({ current_stage: "uploading", message: "4 of 4 files" });
  });

  test("WRK-1: items that come one by one, of which nobody knows how many", async () => {
    const { analysis, way, pass } = working();
    async function* lines() {
      yield* ["x", "y"];
    }
    let count = 0;
    for await (const _ of analysis.track(lines(), { unit: "lines" })) count += 1;
    await pass(200);
    expect(count).toBe(2);
    expect(way.stored.at(-1)).toMatchObject({ current: 2, progress: 0, message: "2 lines" });
    expect(way.stored.at(-1)).not.toHaveProperty("total");
  });

  test("WRK-1: how far it came if its loop is left", async () => {
    const { analysis, way, pass } = working();
    for (const item of analysis.track([1, 2, 3, 4])) if (item === 3) break;
    await pass(200);
    expect(way.stored.at(-1)).toMatchObject({ current: 2, total: 4 });
  });

  test("WRK-5: until somebody asks for the end of the analysis: then it throws Cancelled", async () => {
    const { analysis, way } = working();
    way.answers = () => CANCEL;
    const seen: number[] = [];
    const loop = async () => {
      for await (const item of analysis.track([1, 2, 3])) {
        seen.push(item);
        await turn();
      }
    };
    expect(await loop().catch((error: unknown) => error)).toBeInstanceOf(Cancelled);
    expect(seen).toEqual([1]);
    expect([analysis.cancelled, analysis.signal.aborted]).toEqual([true, true]);
  });
});

describe("Analysis ends", () => {
  test("WRK-3: with a verdict, whose counts and time are those of the worker if they are left out", async () => {
    const { analysis, way, clock } = working();
    for (const _ of analysis.track([1, 2, 3])) clock.advance(40);
    analysis.result({ confidence_score: 0.9, is_fake: false });
    await analysis.close();
    expect(way.stored.at(-1)).toMatchObject({
      event_type: "result_update",
      frames_processed: 3,
      total_frames: 3,
      processing_time_ms: 120,
    });
  });

  test.each([
    [
      Object.assign(new RangeError("no face"), { code: "no_face" }),
      { error_code: "no_face", error_message: "no face", error_details: { type: "RangeError" } },
    ],
    [new TypeError(""), { error_code: "TypeError", error_message: "TypeError" }],
    ["plain", { error_code: "error", error_message: "plain" }],
  ])("WRK-4: with what was thrown as an error: its code or name, its message: %p", async (thrown, fields) => {
    const { analysis, way } = working();
    analysis.fail(thrown);
    await analysis.close();
    expect(way.stored).toMatchObject([{ event_type: "error", ...fields }]);
  });

  test("WRK-4: with the place where it was thrown, without folders, which no watcher needs to see", async () => {
    const { analysis, way } = working();
    analysis.fail(new RangeError("no face in /srv/a.mp4"));
    await analysis.close();
    const [error = {}] = way.stored;
    const { traceback } = error.error_details as { readonly traceback: readonly string[] };
    expect(traceback[0]).toMatch(/^at .*analysis\.test\.ts:\d+:\d+\)?$/);
    expect(traceback.join()).not.toContain("/");
  });

  test.each([
    ["as cancelled if that was asked for", CANCEL, { current_stage: "cancelled", progress: 0.5 }],
    ["as worker_ended else", ACCEPTED, { event_type: "error", error_code: "worker_ended" }],
  ])("WRK-4: when it is closed without an end, %s", async (_, answer, end) => {
    const { analysis, way } = working();
    way.answers = () => answer;
    analysis.report({ progress: 0.5 });
    await turn();
    await analysis[Symbol.asyncDispose]();
    expect(way.stored.at(-1)).toMatchObject(end);
  });

  test("WRK-4: as cancelled by the error of a call that its signal ended", async () => {
    const { analysis, way } = working();
    way.answers = () => CANCEL;
    analysis.report({ progress: 0.5 });
    await turn();
    analysis.fail(new DOMException("the call was aborted", "AbortError"));
    await analysis.close();
    expect(way.stored.at(-1)).toMatchObject({ event_type: "status_update", current_stage: "cancelled" });
  });

  test("WRK-6: as an error if the gateway refuses its result, and says the path to the log", async () => {
    const { analysis, way, log } = working();
    way.answers = ([first]) =>
      first?.event_type === "result_update"
        ? refusal(422, "invalid_event", [{ path: [0, "confidence_score"], message: "must be a number" }])
        : ACCEPTED;
    analysis.result({ confidence_score: 93, is_fake: true });
    await analysis.close();
    expect(way.stored).toMatchObject([
      {
        error_code: "event_refused",
        error_message: "The worker's result_update was refused: confidence_score must be a number",
        error_details: {
          event_type: "result_update",
          issues: [{ path: ["confidence_score"], message: "must be a number" }],
        },
      },
    ]);
    expect(log).toEqual([
      `telltale: analysis ${ID}: 1 event was refused (invalid_event): the gateway says no; confidence_score: must be a number`,
    ]);
  });

  test.each([
    ["an object without a prototype", Object.create(null), "unknown"],
    [
      "an error whose message is none",
      Object.assign(new Error(), { message: { of: "no text" } }),
      "[object Object]",
    ],
    ["nothing", undefined, "unknown"],
  ])("WRK-4: with %s, as an error", async (_, thrown, error_message) => {
    const { analysis, way, pass } = working();
    analysis.fail(thrown);
    await pass(100);
    expect(way.stored).toMatchObject([{ event_type: "error", error_message }]);
  });

  test("WRK-7: at most 30 s after it is closed, if the gateway is away", async () => {
    const { analysis, way, log, pass } = working();
    way.answers = () => AWAY;
    analysis.report({ progress: 0.5 });
    analysis.complete();
    let closed = false;
    const closing = analysis.close().then(() => {
      closed = true;
    });
    await pass(29_900);
    expect(closed).toBe(false);
    await pass(200);
    await closing;
    expect(log.at(-1)).toContain("2 events were left unsent");
    const { length } = way.tries;
    await pass(60_000);
    expect(way.tries.length).toBe(length);
  });
});

describe("Analysis keeps events while the gateway is away", () => {
  test("WRK-7: in order, the same ones under the same key, and tells it once", async () => {
    const { analysis, way, log, pass } = working();
    way.answers = () => AWAY;
    analysis.report({ progress: 0.1 });
    await pass(30_000);
    analysis.report({ progress: 0.2 });
    await pass(100);
    analysis.report({ progress: 0.3 });
    expect(new Set(way.tries.map(({ key }) => key)).size).toBe(1);
    expect(way.tries.length).toBeGreaterThan(10);
    way.answers = () => ACCEPTED;
    await pass(2_100);
    expect(way.stored.map(({ progress }) => progress)).toEqual([0.1, 0.2, 0.3]);
    expect(log.map((line) => line.slice(line.indexOf(ID) + 38))).toEqual([
      "events wait: connection refused",
      "events are sent again",
    ]);
  });

  test("WRK-7: at most 1,000, without the oldest reports and with every end, and says how many it dropped", async () => {
    const { analysis, way, log, pass, clock } = working();
    way.answers = () => AWAY;
    for (let each = 0; each < 1_500; each += 1) {
      analysis.report({ stage: `s${each}`, each });
      clock.advance(100);
    }
    analysis.complete();
    way.answers = () => ACCEPTED;
    await pass(300);
    await analysis.close();
    expect(way.stored.length).toBe(1_000 + 1);
    expect(way.stored.at(-1)).toMatchObject({ current_stage: "completed" });
    expect(way.stored.at(-2)).toMatchObject({ each: 1_499 });
    expect(
      log.filter((line) => line.endsWith("500 events were dropped: more than 1000 waited")),
    ).toHaveLength(1);
  });

  test.each([
    ["a token that is not taken", refusal(401, "unauthenticated")],
    ["a token that is not for this analysis", refusal(403, "not_allowed")],
    ["a proxy that finds no gateway", refusal(404, "http_404")],
    ["a gateway at fault", refusal(501, "http_501")],
  ])("WRK-7: while there is %s, and says so once", async (_, no) => {
    const { analysis, way, log, pass } = working();
    way.answers = () => no;
    analysis.report({ progress: 0.5 });
    analysis.complete();
    await pass(5_000);
    way.answers = () => ACCEPTED;
    await pass(2_000);
    expect(way.stored).toMatchObject([{ progress: 0.5 }, { current_stage: "completed" }]);
    expect(log).toHaveLength(2);
  });

  test("WRK-7: and does not wait long after it is closed if its token is not taken", async () => {
    const { analysis, way, log, pass } = working();
    way.answers = () => refusal(401, "unauthenticated");
    let isClosed = false;
    const closing = analysis.close().then(() => {
      isClosed = true;
    });
    await pass(4_000);
    expect(isClosed).toBe(false);
    await pass(4_000);
    expect(isClosed).toBe(true);
    await closing;
    expect(log.at(-1)).toContain("1 event was left unsent");
  });

  test("WRK-6: and those beside one that is refused", async () => {
    const { analysis, way, pass } = working();
    way.answers = () => AWAY;
    for (const stage of ["a", "b", "bad", "c"]) analysis.report({ stage });
    await turn();
    way.answers = (events) =>
      events.some(({ current_stage }) => current_stage === "bad") ? refusal(422, "invalid_event") : ACCEPTED;
    await pass(500);
    expect(way.stored.map(({ current_stage }) => current_stage)).toEqual(["a", "b", "c"]);
  });
});

describe("Analysis beats", () => {
  test("WRK-8: every ten seconds in which it has no event to send, until it is closed", async () => {
    const { analysis, way, pass } = working();
    await pass(9_900);
    expect(way.beatCount).toBe(0);
    await pass(20_200);
    expect(way.beatCount).toBe(3);
    analysis.report({ progress: 0.5 });
    await pass(9_800);
    expect(way.beatCount).toBe(3);
    await pass(200);
    expect(way.beatCount).toBe(4);
    analysis.complete();
    await analysis.close();
    await pass(30_000);
    expect(way.beatCount).toBe(4);
  });

  test("WRK-5: and hears in the answer that somebody asked for its end; a 404 of a former gateway is no fault", async () => {
    const { analysis, way, log, pass } = working();
    way.beats = () => refusal(404, "http_404");
    await pass(10_100);
    expect([analysis.cancelled, log]).toEqual([false, []]);
    way.beats = () => CANCEL;
    await pass(10_100);
    expect(analysis.cancelled).toBe(true);
  });
});
