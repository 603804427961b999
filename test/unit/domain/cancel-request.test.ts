import { describe, expect, test } from "bun:test";
import type { AnalysisEvent } from "../../../src/domain/analysis-event.ts";
import { emptyState, fold } from "../../../src/domain/analysis-state.ts";
import { cancelInForce, cancelOfText, cancelToText } from "../../../src/domain/cancel-request.ts";
import { appendToRecord, newRecord } from "../../../src/domain/channel-record.ts";
import { type CurrentRun, isOver, runKept } from "../../../src/domain/current-run.ts";
import { STAGE_MARKS_KEPT, type StageMark } from "../../../src/domain/stages.ts";
import { ANALYSIS, decodeSample } from "./event-samples.ts";
import { Seeded } from "./seeded.ts";

const STEPS = ["queued", "queued", "uploading", "frame_extraction", "completed", "failed", "error", "result"];
const at = (minute: number) => new Date(Date.UTC(2026, 10, 24, 0, minute)).toISOString();
const marks = (first: number, count: number): StageMark[] =>
  Array.from({ length: count }, (_, n) => ({ stage: `${n % 2}`, at: at(0), offset: first + n }));

describe("CAN-9: the run that a request to cancel is for", () => {
  test("a state that folds events keeps a request as long as the channel does, and takes none after the end", () => {
    const random = new Seeded(9);
    for (let round = 0; round < 300; round++) {
      const record = newRecord("e1");
      let state = emptyState(ANALYSIS);
      let kept: ReturnType<typeof cancelOfText> | undefined;
      for (let step = 0; step < 20; step++) {
        const name = random.pick(STEPS);
        const attempt = random.pick([undefined, undefined, `a${round}${Math.floor(step / 5)}`, `b${step}`]);
        const fields = { timestamp: at(2 * step), ...(attempt !== undefined && { attempt_id: attempt }) };
        const decoded =
          name === "error" || name === "result"
            ? decodeSample(name, fields)
            : decodeSample("status_update", { current_stage: name, ...fields });
        if (!decoded.ok) throw new Error("refused");
        const outcome = appendToRecord(record, [decoded.encoded]);
        if (outcome.type === "refused") continue;
        for (const { text } of outcome.events) state = fold(state, JSON.parse(text) as AnalysisEvent);
        expect(state.cancel_requested).toEqual(cancelInForce(kept, record) ?? null);
        expect(isOver(record)).toBe(["completed", "failed", "cancelled"].includes(state.status));
        if (isOver(record) || state.cancel_requested !== null || random.pick([false, true])) continue;
        const request = { requested_at: at(2 * step + 1), user_id: null, reason: null };
        kept = { request, after: record.offset };
        state = { ...state, cancel_requested: request };
      }
    }
  });

  const run = (since: number, begunAt: number): CurrentRun => ({ since, begunAt });
  const cases: [string, CurrentRun | undefined, StageMark[], CurrentRun][] = [
    ["a channel without events", undefined, [], run(0, 0)],
    ["one that a former release began", undefined, marks(1, 3), run(0, 1)],
    ["one that a former release reopened", undefined, marks(7, 3), run(7, 7)],
    ["one whose run is kept", run(3, 7), marks(7, 3), run(3, 7)],
    ["one that a former release reopened later", run(3, 7), marks(9, 3), run(9, 9)],
    ["one that has lost its first marks", run(3, 7), marks(40, STAGE_MARKS_KEPT), run(3, 7)],
  ];
  test.each(cases)("is known of %s", (_, kept, stages, expected) => {
    expect(runKept(kept, stages)).toEqual(expected);
  });

  test("a request is read with and without what later releases write beside it", () => {
    const request = { requested_at: at(0), user_id: "u", reason: null };
    expect(cancelOfText(`7 ${JSON.stringify(request)}`)).toEqual({ request, after: 7, birth: undefined });
    const text = cancelToText({ request, after: 7, birth: "b" }, { ...request, attempt_id: "a" });
    expect(cancelOfText(text)).toEqual({ request, after: 7, birth: "b" });
    expect(JSON.parse(text.slice(2))).toMatchObject({ ...request, attempt_id: "a" });
  });

  test("a request is over on another life of the counter, however many events that has", () => {
    const request = { requested_at: at(0), user_id: null, reason: null };
    const channel = { offset: 9, currentTerminal: undefined, stages: marks(1, 2), birth: "later" };
    expect(cancelInForce({ request, after: 2, birth: "later" }, channel)).toEqual(request);
    expect(cancelInForce({ request, after: 2, birth: "earlier" }, channel)).toBeUndefined();
  });
});
