import { describe, expect, test } from "bun:test";
import type { AnalysisEvent } from "../../../src/domain/analysis-event.ts";
import {
  type AnalysisState,
  emptyState,
  fold,
  markStalled,
  stateFromSnapshot,
} from "../../../src/domain/analysis-state.ts";
import {
  appendToRecord,
  type ChannelRecord,
  newRecord,
  type PublishedEvent,
} from "../../../src/domain/channel-record.ts";
import { STAGES, type Stage } from "../../../src/domain/stages.ts";
import { ANALYSIS, decodeSample, SAMPLES, type SampleName } from "./event-samples.ts";
import { Seeded } from "./seeded.ts";

/** Every way to end or to wait. */
const ENDS = ["queued", "completed", "failed", "cancelled", "result_update", "result", "error"];

type Step = [name: SampleName | Stage, fields?: Record<string, unknown>];

/** Runs a course of events through the record; each accepted event folds into the state. Minute n is the n-th step. */
function course(steps: readonly Step[]): { state: AnalysisState; record: ChannelRecord; refused: number } {
  const record = newRecord("e1");
  let state = emptyState(ANALYSIS);
  let refused = 0;
  for (const [minute, step] of steps.entries()) {
    const decoded = decodeStep(step, at(minute));
    const outcome = appendToRecord(record, [decoded.encoded]);
    if (outcome.type === "refused") refused += 1;
    else for (const event of outcome.events) state = fold(state, parsed(event));
  }
  return { state, record, refused };
}

function decodeStep([name, fields]: Step, timestamp: string) {
  const decoded = isSample(name)
    ? decodeSample(name, { timestamp, ...fields })
    : decodeSample("status_update", { current_stage: name, timestamp, ...fields });
  if (!decoded.ok) throw new Error(JSON.stringify(decoded));
  return decoded;
}

function isSample(name: string): name is SampleName {
  return name in SAMPLES;
}

function at(minute: number): string {
  return new Date(Date.UTC(2026, 10, 24, 0, minute)).toISOString();
}

function parsed(event: PublishedEvent): AnalysisEvent;
function parsed(event: PublishedEvent | undefined): AnalysisEvent | undefined;
function parsed(event: PublishedEvent | undefined): AnalysisEvent | undefined {
  return event && (JSON.parse(event.text) as AnalysisEvent);
}

function fromRecord(record: ChannelRecord): AnalysisState {
  const lastStatus = parsed(record.lastStatus);
  return stateFromSnapshot({
    analysisId: ANALYSIS,
    lastStatus: lastStatus?.event_type === "status_update" ? lastStatus : undefined,
    terminal: parsed(record.currentTerminal),
    stages: record.stages,
    lastEventId: record.offset === 0 ? "0" : `${record.epoch}-${record.offset}`,
    attemptId: record.attempts.current,
  });
}

function timeline(state: AnalysisState): [string, string, string | null][] {
  return state.stages.map(({ stage, started_at, ended_at }) => [stage, started_at, ended_at]);
}

describe("EV-10: the state of an analysis", () => {
  test("is unknown before the first event", () => {
    expect(emptyState(ANALYSIS)).toEqual({
      analysis_id: ANALYSIS,
      status: "unknown",
      progress: null,
      current_stage: null,
      message: null,
      estimated_completion: null,
      current: null,
      total: null,
      unit: null,
      stages: [],
      result: null,
      error: null,
      updated_at: null,
      last_event_id: "0",
      attempt_id: null,
      cancel_requested: null,
      cancelled_by: null,
    });
    expect(fromRecord(newRecord("e1"))).toEqual(emptyState(ANALYSIS));
  });

  test("shows the last status and its position", () => {
    const { state } = course([
      ["initializing", { progress: 0 }],
      [
        "uploading",
        { progress: 0.25, message: "half way up", estimated_completion: at(90), attempt_id: "run-1" },
      ],
    ]);
    expect(state).toMatchObject({
      status: "running",
      progress: 0.25,
      current_stage: "uploading",
      message: "half way up",
      estimated_completion: at(90),
      updated_at: at(1),
      last_event_id: "e1-2",
      attempt_id: "run-1",
    });
  });

  test.each(["completed", "failed", "cancelled", "result_update", "result", "error"] as const)(
    "estimates no end of an analysis that has ended by %s, and one of a later run",
    (end) => {
      const estimate = { estimated_completion: at(90) };
      const steps: Step[] = [["uploading", estimate], isSample(end) ? [end] : [end, estimate]];
      for (const after of [steps, [...steps, ["completed", estimate]] as Step[]]) {
        const { state, record } = course(after);
        expect(state.estimated_completion).toBeNull();
        expect(fromRecord(record)).toEqual(state);
      }
      expect(course([...steps, ["uploading", estimate]]).state).toMatchObject(estimate);
    },
  );

  test("has one entry per change of stage, each ending where the next begins and the last at the terminal event", () => {
    const { state } = course([["uploading"], ["uploading"], ["frame_extraction"], ["result_update"]]);
    expect(timeline(state)).toEqual([
      ["uploading", at(0), at(2)],
      ["frame_extraction", at(2), at(3)],
    ]);
  });

  test("leaves the entry of the present stage open", () => {
    expect(timeline(course([["uploading"], ["frame_extraction"]]).state)).toEqual([
      ["uploading", at(0), at(1)],
      ["frame_extraction", at(1), null],
    ]);
  });

  test("ends a stage that is reported after the end as it begins", () => {
    expect(timeline(course([["uploading"], ["result_update"], ["completed"]]).state)).toEqual([
      ["uploading", at(0), at(2)],
      ["completed", at(2), at(2)],
    ]);
  });

  const ends: [string, Step[], AnalysisState["status"]][] = [
    ["a result", [["uploading"], ["result_update"]], "completed"],
    ["stage completed", [["uploading"], ["completed"]], "completed"],
    ["a result and stage completed", [["result_update"], ["completed"]], "completed"],
    ["stage completed and a result", [["completed"], ["result_update"]], "completed"],
    ["an error", [["uploading"], ["error"]], "failed"],
    ["stage failed", [["uploading"], ["failed"]], "failed"],
    ["an error after a result", [["result_update"], ["error"]], "failed"],
    ["a result after an error", [["error"], ["result_update"]], "completed"],
    ["stage completed after an error", [["error"], ["completed"]], "completed"],
    ["stage failed after stage completed", [["completed"], ["failed"]], "failed"],
    ["a general result", [["uploading"], ["result"]], "completed"],
    ["a general result and stage completed", [["result"], ["completed"]], "completed"],
    ["an error after a general result", [["result"], ["error"]], "failed"],
    ["stage cancelled", [["uploading"], ["cancelled"]], "cancelled"],
    ["stage cancelled at once", [["cancelled"]], "cancelled"],
    ["stage cancelled after a result", [["result_update"], ["cancelled"]], "cancelled"],
    ["stage cancelled after an error", [["error"], ["cancelled"]], "cancelled"],
    ["an error after stage cancelled", [["cancelled"], ["error"]], "failed"],
    ["stage completed after stage cancelled", [["cancelled"], ["completed"]], "completed"],
    ["a status after both", [["cancelled"], ["completed"], ["uploading"]], "running"],
    ["stage queued", [["queued"]], "queued"],
    ["stage queued after another", [["uploading"], ["queued"]], "queued"],
    ["stage queued after stage cancelled", [["cancelled"], ["queued"]], "queued"],
    ["stage queued after a result", [["result"], ["queued"]], "queued"],
    ["a status after stage queued", [["queued"], ["uploading"]], "running"],
    ["a status after a result", [["result_update"], ["uploading"]], "running"],
    ["a status after stage completed", [["completed"], ["uploading"]], "running"],
  ];
  test.each(ends)("after %s, whichever came last decides the status", (_, steps, status) => {
    const { state, record } = course(steps);
    expect(state.status).toBe(status);
    expect(fromRecord(record)).toEqual(state);
  });

  test("EV-17: ends a stage as it began if the next event is dated before it", () => {
    const early: Step[] = [["uploading"], ["frame_extraction", { timestamp: "2026-11-23T23:59:55Z" }]];
    expect(timeline(course(early).state)).toEqual([
      ["uploading", at(0), at(0)],
      ["frame_extraction", "2026-11-23T23:59:55Z", null],
    ]);
    const { state } = course([["uploading"], ["error", { timestamp: "2026-11-23T23:59:55Z" }]]);
    expect(timeline(state)).toEqual([["uploading", at(0), at(0)]]);
  });

  test("carries the current result, and none that was followed by a failure", () => {
    expect(course([["result_update"], ["completed"]]).state).toMatchObject({
      result: { event_type: "result_update", event_id: "e1-1", is_fake: true },
      error: null,
    });
    expect(course([["result_update"], ["error"]]).state).toMatchObject({
      result: null,
      error: { event_type: "error", error_code: "E_DECODE" },
    });
    expect(course([["failed", { error: "out of memory" }]]).state).toMatchObject({
      result: null,
      error: { event_type: "status_update", error: "out of memory" },
    });
  });

  test("carries the current general result, and no result or error of a cancelled analysis", () => {
    expect(course([["result"], ["completed"]]).state).toMatchObject({
      result: { event_type: "result", event_id: "e1-1", data: { words: 812, language: "en" } },
      error: null,
    });
    expect(course([["uploading"], ["error"], ["cancelled"]]).state).toMatchObject({
      status: "cancelled",
      result: null,
      error: null,
    });
  });

  test("ends its last stage when it is cancelled, and begins anew when it is reopened then", () => {
    expect(timeline(course([["uploading"], ["cancelled"]]).state)).toEqual([
      ["uploading", at(0), at(1)],
      ["cancelled", at(1), at(1)],
    ]);
    expect(timeline(course([["uploading"], ["cancelled"], ["queued"], ["uploading"]]).state)).toEqual([
      ["queued", at(2), at(3)],
      ["uploading", at(3), null],
    ]);
  });

  test("EV-21: has the counts of the last status, and none that are no counts", () => {
    const counts = { current: 340, total: 1000, unit: "frames" };
    const { state, record } = course([["uploading", counts], ["result"]]);
    expect(state).toMatchObject(counts);
    expect(fromRecord(record)).toEqual(state);
    const none = { current: null, total: null, unit: null };
    for (const [fields, folded] of [
      [{}, none],
      [{ current: 3 }, { ...none, current: 3 }],
      [
        { current: 0, total: 0.5, unit: "" },
        { current: 0, total: 0.5, unit: "" },
      ],
      [{ current: "3", total: -1, unit: 7 }, none],
      [{ current: null, total: [7], unit: null }, none],
      [{ unit: "f".repeat(32) }, { ...none, unit: "f".repeat(32) }],
      [{ unit: "🎬".repeat(32) }, { ...none, unit: "🎬".repeat(32) }],
      [{ unit: "f".repeat(33) }, none],
      [{ unit: "🎬".repeat(33) }, none],
    ] as const) {
      const after = course([
        ["uploading", counts],
        ["uploading", fields],
      ]);
      expect(after.state).toMatchObject(folded);
      expect(fromRecord(after.record)).toEqual(after.state);
    }
  });

  test("begins anew when a status reopens the analysis", () => {
    const { state } = course([["uploading"], ["error"], ["initializing"]]);
    expect(state).toMatchObject({ status: "running", result: null, error: null });
    expect(timeline(state)).toEqual([["initializing", at(2), null]]);
  });

  test("begins anew with a new attempt, whatever its first event", () => {
    const first: Step[] = [
      ["uploading", { attempt_id: "a" }],
      ["result_update", { attempt_id: "a" }],
    ];
    const failed = course([...first, ["error", { attempt_id: "b" }]]).state;
    expect(failed).toMatchObject({ status: "failed", result: null, stages: [], attempt_id: "b" });
    const completed = course([...first, ["completed", { attempt_id: "b" }]]).state;
    expect(completed).toMatchObject({ status: "completed", result: null });
    expect(timeline(completed)).toEqual([["completed", at(2), null]]);
  });

  test("stays in its attempt over events that name none", () => {
    const { state } = course([
      ["uploading", { attempt_id: "a" }],
      ["uploading"],
      ["uploading", { attempt_id: "a" }],
    ]);
    expect(timeline(state)).toEqual([["uploading", at(0), null]]);
  });

  test("is not changed by a notice, nor in place by anything", () => {
    const { state } = course([["uploading"]]);
    const copy = structuredClone(state);
    const notice = decodeSample("notice");
    if (!notice.ok) throw new Error("refused");
    expect(fold(state, notice.event)).toBe(state);
    fold(state, decodeStep(["result_update"], at(5)).event);
    expect(state).toEqual(copy);
  });
});

describe("READ-5: a silent worker", () => {
  test("makes a running analysis stalled once it was silent long enough", () => {
    const { state } = course([["uploading"]]);
    expect(markStalled(state, 59_999, 60_000)).toBe(state);
    expect(markStalled(state, 60_000, 60_000)).toEqual({ ...state, status: "stalled" });
  });

  test("makes no other analysis stalled", () => {
    const ends: Step[] = [["completed"], ["error"], ["cancelled"], ["result"], ["queued"]];
    const others = [emptyState(ANALYSIS), ...ends.map((step) => course([step]).state)];
    for (const state of others) expect(markStalled(state, 1e9, 60_000)).toBe(state);
  });

  test("that is heard again makes it run on", () => {
    const stalled = markStalled(course([["uploading"]]).state, 60_000, 60_000);
    expect(fold(stalled, decodeStep(["uploading"], at(9)).event).status).toBe("running");
  });
});

describe("the state from what is kept beside the counter", () => {
  test("is that of folding every event, over random courses", () => {
    let refusals = 0;
    let reopened = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Seeded(seed);
      const attempts = random.pick([[undefined], [undefined, "a", "b", "c"], ["a", "b", "c", "d"]]);
      const names = [...STAGES.slice(0, 3), ...ENDS];
      const steps = Array.from({ length: 1 + random.below(30) }, (): Step => {
        const counts = random.pick([{}, { current: 1 }, { current: 2, total: 4, unit: "frames" }]);
        return [
          random.pick(names),
          { attempt_id: random.pick(attempts), progress: random.below(100) / 100, ...counts },
        ];
      });
      for (const length of [Math.ceil(steps.length / 2), steps.length]) {
        const { state, record, refused } = course(steps.slice(0, length));
        expect({ seed, length, ...fromRecord(record) }).toEqual({ seed, length, ...state });
        refusals += refused;
        reopened += record.lastStatus?.reopens ? 1 : 0;
      }
    }
    expect(refusals).toBeGreaterThan(100);
    expect(reopened).toBeGreaterThan(20);
  });

  test("EV-17: is that of folding, and no stage ends before it started, whatever the order of the timestamps", () => {
    let unordered = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Seeded(seed);
      const names = [...STAGES.slice(0, 3), ...ENDS];
      const steps = Array.from({ length: 1 + random.below(20) }, (): Step => {
        const fraction = random.pick(["", ".5", ".25", ".250"]);
        return [random.pick(names), { timestamp: `2026-11-24T00:00:0${random.below(4)}${fraction}Z` }];
      });
      const { state, record } = course(steps);
      expect({ seed, ...fromRecord(record) }).toEqual({ seed, ...state });
      for (const { started_at, ended_at } of state.stages) {
        if (ended_at === null) continue;
        expect(Date.parse(ended_at)).toBeGreaterThanOrEqual(Date.parse(started_at));
      }
      unordered += state.stages.filter(({ started_at, ended_at }) => started_at === ended_at).length;
    }
    expect(unordered).toBeGreaterThan(50);
  });

  test("is the same when a worker changed its stage more often than marks are kept", () => {
    const steps = Array.from(
      { length: 450 },
      (_, n): Step => [n % 2 === 0 ? "uploading" : "frame_extraction"],
    );
    const { state, record } = course([...steps, ["error"]]);
    expect(state.stages).toHaveLength(200);
    expect(fromRecord(record)).toEqual(state);
  });

  const request = { requested_at: "2026-11-24T00:00:09Z", user_id: "alice", reason: null };
  test.each<[string, Step[], boolean]>([
    ["its own end", [["cancelled"]], true],
    ["a second end", [["uploading"], ["cancelled"], ["cancelled"]], true],
    ["an end of the attempt that was asked", [["cancelled", { attempt_id: "a" }]], true],
    ["the end of another attempt", [["cancelled", { attempt_id: "b" }]], false],
    ["an end after another attempt began", [["uploading", { attempt_id: "b" }], ["cancelled"]], false],
    ["an end that is none of a cancel", [["completed"]], false],
    ["another run after the end", [["cancelled"], ["uploading"]], false],
    ["the end of another run", [["cancelled"], ["uploading"], ["cancelled"]], false],
  ])("CAN-13: says who asked for the end at %s: %j", (_, steps, isSaid) => {
    const before = course([["uploading", { attempt_id: "a" }]]);
    const asked = { ...before.state, cancel_requested: request };
    const record = before.record;
    let state: AnalysisState = asked;
    for (const [minute, step] of steps.entries()) {
      const outcome = appendToRecord(record, [decodeStep(step, at(minute + 10)).encoded]);
      if (outcome.type === "accepted") for (const event of outcome.events) state = fold(state, parsed(event));
    }
    expect(state.cancelled_by).toEqual(isSaid ? request : null);
  });

  test("takes the attempt of the last event if the record names none", () => {
    const { record, state } = course([["uploading", { attempt_id: "a" }]]);
    record.attempts = { ...record.attempts, current: undefined };
    expect(fromRecord(record)).toEqual(state);
  });
});
