import { describe, expect, test } from "bun:test";
import { EventRefused } from "../../../src/client/publisher.ts";
import { turn } from "../../support/turn.ts";
import { ACCEPTED, AWAY, CANCEL, ID, refusal, working } from "./scripted-way.ts";

const RESULT_WITHOUT_DATA = refusal(422, "invalid_event", [{ path: [0, "data"], message: "is required" }]);

/** Something that refers to itself. */
function itself(): unknown {
  const value: Record<string, unknown> = {};
  value.value = value;
  return value;
}

/** An error that tells nothing of this part of itself. */
function errorWithout(part: string): Error {
  return Object.defineProperty(new RangeError("no face"), part, {
    get() {
      throw new Error("the getter threw");
    },
  });
}

describe("The first end counts", () => {
  test.each([
    ["one", { attemptId: "one" }],
    ["no attempt", {}],
  ])("WRK-3: an error after a result is not sent, and logged, with %s", async (_, options) => {
    const { analysis, way, log } = working(options);
    analysis.result({ data: 1 });
    analysis.fail(new Error("while it cleaned up"));
    analysis.publish({ event_type: "error", error_code: "late", error_message: "later still" });
    analysis.report({ stage: "failed" });
    await analysis.close();
    expect(way.stored.map(({ event_type }) => event_type)).toEqual(["result"]);
    expect(log.filter((line) => line.includes("was left out: the first one counts"))).toHaveLength(3);
  });

  test("WRK-3: the other half of an end is sent, once", async () => {
    const halves = [
      [{ event_type: "status_update", current_stage: "failed" }, { event_type: "error" }],
      [{ event_type: "error" }, { event_type: "status_update", current_stage: "failed" }],
      [
        { event_type: "result", data: 1 },
        { event_type: "status_update", current_stage: "completed" },
      ],
      [
        { event_type: "status_update", current_stage: "completed" },
        { event_type: "result", data: 1 },
      ],
    ];
    for (const [first = {}, second = {}] of halves) {
      const { analysis, way } = working();
      for (const event of [first, second, second, first]) analysis.publish(event);
      await analysis.close();
      expect(way.stored).toMatchObject([first, second]);
      expect(way.stored).toHaveLength(2);
    }
  });

  test("WRK-3: a report of stage completed, failed or cancelled is an end", async () => {
    for (const stage of ["completed", "failed", "cancelled"]) {
      const { analysis, way } = working();
      analysis.report({ stage, message: "so" });
      expect(analysis.hasEnded).toBe(true);
      await analysis.close();
      expect(way.stored).toMatchObject([{ current_stage: stage, message: "so" }]);
      expect(way.stored).toHaveLength(1);
    }
  });
});

describe("Nothing throws into the worker", () => {
  test.each(["message", "code", "name", "stack"])(
    "WRK-4: an error whose %s cannot be read is told all the same",
    async (part) => {
      const { analysis, way } = working();
      analysis.fail(errorWithout(part));
      await analysis.close();
      expect(way.stored).toMatchObject([
        {
          event_type: "error",
          error_code: part === "name" ? "error" : "RangeError",
          error_message: part === "message" ? "RangeError" : "no face",
        },
      ]);
    },
  );

  test("WRK-4: an error whose parts are larger than an event may be is told with its code, cut short", async () => {
    const fault = Object.assign(new RangeError("ü".repeat(3_000_000)), { code: "no_face" });
    fault.stack = `RangeError\n    at ${"deep".repeat(1_000_000)} (/a/b.ts:1:2)`;
    const { analysis, way } = working();
    analysis.fail(fault);
    await analysis.close();
    const [error] = way.stored;
    expect(error).toMatchObject({ event_type: "error", error_code: "no_face" });
    expect(error?.error_message).toMatch(/^ü{30000}ü+ … \(cut\)$/);
    expect(JSON.stringify(error).length).toBeLessThan(100_000);
  });

  test("WRK-10: a stage that the gateway refuses takes no later progress with it", async () => {
    const { analysis, way, log, pass } = working();
    const refused = refusal(422, "invalid_event", [{ path: [0, "current_stage"], message: "is none" }]);
    way.answers = (events) =>
      events.some(({ current_stage }) => `${current_stage}`.startsWith("bad")) ? refused : ACCEPTED;
    for (const [progress, stage] of [
      [0.1, "uploading"],
      [0.2, "bad1"],
      [0.3, "bad1"],
      [0.4, "bad2"],
      [0.5, undefined],
      [0.6, "bad2"],
      [0.7, "queued"],
      [0.8, "bad1"],
    ] as const) {
      analysis.report({ progress, ...(stage && { stage }) });
      await pass(200);
    }
    expect(way.stored.map(({ progress, current_stage }) => [progress, current_stage])).toEqual([
      [0.1, "uploading"],
      [0.3, "uploading"],
      [0.5, "uploading"],
      [0.6, "uploading"],
      [0.7, "queued"],
      [0.8, "queued"],
    ]);
    expect(log).toHaveLength(1);
  });

  test("WRK-4: something thrown that does not even say what it is", async () => {
    const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
    revoke();
    const { analysis, way } = working();
    analysis.fail(proxy);
    await analysis.close();
    expect(way.stored).toMatchObject([
      { event_type: "error", error_code: "error", error_message: "unknown" },
    ]);
  });

  test.each([
    ["null", null],
    ["nothing", undefined],
    ["a number", 5],
    ["a list", [1]],
  ])("WRK-6: a result that is %s ends the analysis as event_refused", async (_, result) => {
    const { analysis, way } = working();
    way.answers = ([event]) => (event?.event_type === "result" ? RESULT_WITHOUT_DATA : ACCEPTED);
    analysis.result(result as never);
    await analysis.close();
    expect(way.stored).toMatchObject([
      { event_type: "error", error_code: "event_refused", error_details: { event_type: "result" } },
    ]);
  });

  test.each([
    ["a result", { event_type: "result", data: itself() }],
    ["an error", { event_type: "error", error_code: "x", error_message: "x", error_details: itself() }],
    ["a last status", { event_type: "status_update", current_stage: "failed", more: itself() }],
  ])("WRK-6: %s that refers to itself ends the analysis as event_refused", async (_, event) => {
    const { analysis, way } = working();
    analysis.publish(event);
    await analysis.close();
    expect(way.stored).toMatchObject([
      { error_code: "event_refused", error_details: { event_type: event.event_type } },
    ]);
    expect(way.stored[0]?.error_message).toContain(
      `The worker's ${event.event_type} was refused: is no JSON`,
    );
  });

  test("WRK-7: the log says each cause for which events wait once, and that they are sent again", async () => {
    const { analysis, way, log, pass } = working();
    const causes = ["gone", "gone", "the token could not be had", "gone", "the token could not be had"];
    way.answers = () => {
      const cause = causes.shift();
      return cause === undefined ? ACCEPTED : { ...AWAY, cause: new Error(cause) };
    };
    analysis.report({ progress: 0.5 });
    await pass(12_000);
    expect(way.stored).toHaveLength(1);
    expect(log.map((line) => line.replace(/^.*?: events/, "events"))).toEqual([
      "events wait: gone",
      "events wait: the token could not be had",
      "events are sent again",
    ]);
  });

  test("WRK-1: a report that is none is left out, and logged", async () => {
    const { analysis, way, log } = working();
    analysis.report(null as never);
    analysis.publish({ event_type: "status_update", progress: 0.5, more: itself() });
    analysis.report({ progress: 0.75 });
    await turn();
    expect(way.stored).toMatchObject([{ progress: 0.75 }]);
    expect(log).toHaveLength(1);
  });

  test("WRK-1: an event that is none ends the analysis as event_refused", async () => {
    const { analysis, way } = working();
    way.answers = ([event]) => (event?.error_code === "event_refused" ? ACCEPTED : RESULT_WITHOUT_DATA);
    analysis.publish(null as never);
    await analysis.close();
    expect(way.stored).toMatchObject([{ error_code: "event_refused" }]);
  });

  test("a log and a question whether it lives that throw end nothing", async () => {
    const fails = () => {
      throw new Error("thrown by a test");
    };
    const { analysis, way, pass } = working({ log: fails, isAlive: fails });
    way.answers = () => AWAY;
    analysis.report({ progress: 0.5 });
    await pass(1_000);
    way.answers = () => ACCEPTED;
    await pass(30_000);
    expect(way.stored).toMatchObject([{ progress: 0.5 }]);
    expect(way.beatCount).toBeGreaterThan(0);
  });
});

describe("A report spoils no later one", () => {
  test.each([
    ["progress as text", { progress: "0.5" }, { progress: "0.5" }],
    ["progress beyond its range", { progress: 42 }, { progress: 42 }],
    ["progress that is a list", { progress: [] }, { progress: [] }],
    ["a stage that is a number", { stage: 5 }, { current_stage: 5 }],
    [
      "a stage that no gateway can know",
      { stage: "Frame extraction" },
      { current_stage: "Frame extraction" },
    ],
    ["a unit that is no text", { current: 3, total: 4, unit: 7 }, { unit: 7 }],
    ["a current that is text", { current: "3", total: 4 }, { current: "3" }],
  ])("WRK-1: by %s, which is sent as it is", async (_, report, sent) => {
    const { analysis, way, pass } = working();
    analysis.report({ progress: 0.25, stage: "uploading", current: 1, total: 4, unit: "files" });
    await pass(100);
    analysis.report(report as never);
    await pass(100);
    analysis.report({ current: 1, total: 4 });
    analysis.complete();
    await analysis.close();
    expect(way.stored).toMatchObject([
      { progress: 0.25 },
      sent,
      { progress: 0.25, current_stage: "uploading", unit: "files" },
      { progress: 1, current_stage: "completed" },
    ]);
  });

  test("WRK-1: progress that is no number is by its counts, and else as before", async () => {
    const { analysis, way, pass } = working();
    analysis.report({ progress: Number.NaN, current: 3, total: 4 });
    await pass(100);
    analysis.report({ progress: Number.NaN });
    await pass(100);
    expect(way.stored.map(({ progress }) => progress)).toEqual([0.75, 0.75]);
  });
});

describe("A worker whose events are all refused", () => {
  test("WRK-8: beats, and hears that somebody asked for its end", async () => {
    const { analysis, way, pass } = working();
    way.answers = () => refusal(422, "invalid_event");
    way.beats = () => CANCEL;
    for (let second = 0; second < 30; second += 1) {
      analysis.report({ progress: 42 });
      await pass(1_000);
    }
    expect(analysis.cancelled).toBe(true);
    expect(way.beatCount).toBe(3);
  });

  test("WRK-8: beats also if the gateway never has nothing to answer", async () => {
    const { analysis, way, clock, pass } = working();
    way.answers = () =>
      new Promise((resolve) => clock.after(300, () => resolve(refusal(409, "attempt_superseded"))));
    for (let each = 0; each < 200; each += 1) {
      analysis.report({ progress: 0.5 });
      await pass(100);
    }
    expect(way.beatCount).toBeGreaterThan(0);
    expect(way.beatCount).toBeLessThanOrEqual(2);
  });

  test("WRK-8: does not send an event while a beat is under way", async () => {
    const { analysis, way, clock, pass } = working();
    let isBeating = false;
    const overlaps: boolean[] = [];
    way.beats = () => {
      isBeating = true;
      return new Promise((resolve) =>
        clock.after(2_000, () => {
          isBeating = false;
          resolve(ACCEPTED);
        }),
      );
    };
    way.answers = () => {
      overlaps.push(isBeating);
      return ACCEPTED;
    };
    await pass(10_100);
    expect(isBeating).toBe(true);
    analysis.report({ progress: 0.5 });
    analysis.complete();
    const closing = analysis.close();
    await pass(3_000);
    await closing;
    expect(way.stored).toHaveLength(2);
    expect(overlaps).not.toContain(true);
  });
});

describe("An analysis that somebody else tells of", () => {
  test("sends no report any more, also none that waits, and an end all the same", async () => {
    const { analysis, way, pass } = working();
    way.answers = () => AWAY;
    analysis.report({ progress: 0.1 });
    await pass(200);
    analysis.report({ progress: 0.2 });
    await pass(200);
    analysis.withdraw();
    way.answers = () => ACCEPTED;
    analysis.report({ progress: 0.3 });
    await pass(5_000);
    expect(way.stored).toEqual([]);
    await pass(10_000);
    expect(way.beatCount).toBeGreaterThan(0);
    analysis.fail(new Error("killed"));
    await analysis.close();
    expect(way.stored).toMatchObject([{ event_type: "error" }]);
  });
});

describe("An analysis that checks", () => {
  test("WRK-9: throws at what a gateway would refuse, names the fields, and sends nothing of it", async () => {
    const { analysis, way, pass } = working({ check: true });
    const refused = (call: () => void) => {
      try {
        call();
      } catch (error) {
        if (error instanceof EventRefused) return error.issues.map(({ path }) => path.join("."));
        throw error;
      }
      return "taken";
    };
    expect(refused(() => analysis.report({ stage: "nonsense" }))).toEqual(["current_stage"]);
    expect(refused(() => analysis.report({ progress: 42 }))).toEqual(["progress"]);
    expect(refused(() => analysis.result({ confidence_score: 93, is_fake: true }))).toEqual([
      "confidence_score",
    ]);
    expect(refused(() => analysis.result({ data: itself() }))).toEqual([""]);
    expect(refused(() => analysis.publish({ event_type: "nonsense" }))).toEqual(["event_type"]);
    expect(analysis.hasEnded).toBe(false);
    expect(refused(() => analysis.report({ progress: 0.5 }))).toBe("taken");
    await pass(100);
    analysis.fail(new EventRefused("result", []));
    await analysis.close();
    expect(way.stored).toMatchObject([
      { progress: 0.5, current_stage: "initializing" },
      { error_code: "event_refused", analysis_id: ID },
    ]);
  });

  test("WRK-9: by the stages of the environment", async () => {
    const before = process.env.STAGES;
    process.env.STAGES = "baking, cooling";
    try {
      const { analysis } = working({ check: true });
      analysis.report({ stage: "baking" });
      expect(() => analysis.report({ stage: "uploading" })).toThrow("baking, cooling");
    } finally {
      if (before === undefined) delete process.env.STAGES;
      else process.env.STAGES = before;
    }
  });
});
