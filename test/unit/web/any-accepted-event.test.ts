import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as exampleFormat from "../../../examples/video-worker/web/page/format.ts";
import { isShownAt, regionsOf } from "../../../examples/video-worker/web/page/region.ts";
import type { AnalysisEvent, DataResult } from "../../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../../src/domain/analysis-state.ts";
import { type AnalysisChannel, parseAnalysisId } from "../../../src/domain/channel.ts";
import { decodeEvent } from "../../../src/domain/decode-event.ts";
import { eventRules } from "../../../src/domain/event-rules.ts";
import { STAGES } from "../../../src/domain/stages.ts";
import { remaining, shortHash } from "../../../src/web/demo/format.ts";
import { regionOf } from "../../../src/web/demo/regions.ts";
import { stageIndex, stageLabel, WORKING_STAGES } from "../../../src/web/demo/stage-labels.ts";
import { figuresIn } from "../../../src/web/element/element-figures.ts";
import { sayer } from "../../../src/web/element/element-texts.ts";
import { shownOf } from "../../../src/web/element/element-words.ts";
import { countWords } from "../../../src/web/words/count-words.ts";
import { dataDetails } from "../../../src/web/words/data-details.ts";
import { failureDetails, failureOf, words } from "../../../src/web/words/failure-details.ts";
import { percent } from "../../../src/web/words/percent.ts";
import { stepsOf } from "../../../src/web/words/stage-steps.ts";
import { timeElapsed, timeInStage } from "../../../src/web/words/stage-times.ts";
import { duration, durationSoFar, timeInSeconds } from "../../../src/web/words/times.ts";

const ID = parseAnalysisId("0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11") as string;
const CHANNEL: AnalysisChannel = `analysis:${ID}`;
const NOW = Date.UTC(2026, 10, 27);

const RULES = eventRules("*");

/** Values that JSON can hold, and that a program is likely to trip over. */
const anything = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom({}, [], { toString: null }, -1, 0, 1e-320, 1e308, "text", "__proto__", true, null),
);
/** Fields that the pages look at and the contract does not know, beside any others. */
const extras = fc.dictionary(
  fc.oneof(
    fc.constantFrom(
      "frame_rate",
      "end_frame",
      "start_time",
      "end_time",
      "timecode",
      "duration_seconds",
      "issues",
      "toString",
      "constructor",
      "needed_mb",
      "_mb",
    ),
    fc.string({ minLength: 1, maxLength: 20 }),
  ),
  anything,
  { maxKeys: 6 },
);
const share = fc.double({ min: 0, max: 1, noNaN: true });
const text = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("constructor", "__proto__", "…", "a_b"));
const time = fc.oneof(
  fc.constantFrom("2026-11-27T10:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", 0, 1e12),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((date) => date.toISOString()),
);
const region = fc.record({
  frame_number: fc.nat(),
  x: share,
  y: share,
  width: share,
  height: share,
  confidence: share,
  region_type: text,
});
const withExtras = (fields: fc.Arbitrary<object>) =>
  fc.tuple(extras, fields).map(([extra, known]) => ({ ...extra, ...known }));
const event = fc.oneof(
  withExtras(
    fc.record({
      event_type: fc.constant("status_update"),
      task_id: text,
      progress: share,
      current_stage: fc.constantFrom(...STAGES, "queued", "cancelled", "demux", "constructor", "__proto__"),
      current: anything,
      total: anything,
      unit: anything,
      message: text,
      estimated_completion: fc.option(time),
      error: fc.option(text),
      timestamp: time,
    }),
  ),
  withExtras(
    fc.record({
      event_type: fc.constant("result_update"),
      confidence_score: share,
      frames_processed: fc.constant(0),
      total_frames: fc.nat(),
      is_fake: fc.boolean(),
      processing_time_ms: fc.nat(),
      suspicious_regions: fc.array(withExtras(region), { maxLength: 4 }),
      blockchain_hash: fc.constantFrom(null, "", "0xab", "0".repeat(64)),
      timestamp: time,
    }),
  ),
  withExtras(
    fc.record({
      event_type: fc.constant("result"),
      data: anything,
      summary: fc.option(text),
      timestamp: time,
    }),
  ),
  withExtras(
    fc.record({
      event_type: fc.constant("error"),
      error_code: text,
      error_message: fc.oneof(text, fc.constant("")),
      error_details: fc.option(extras),
      timestamp: time,
    }),
  ),
);

/** As a client gets it; undefined if the gateway does not accept it. */
function accepted(sent: object, offset: number): AnalysisEvent | undefined {
  const decoded = decodeEvent(JSON.stringify(sent), { channel: CHANNEL, now: NOW, rules: RULES });
  if (!decoded.ok) return undefined;
  return JSON.parse(`{"event_id":"e-${offset}",${decoded.encoded.members}`) as AnalysisEvent;
}

describe("a page and any event that the gateway accepts", () => {
  test("PAGE-7: every text and every number that it shows is one, whatever the event holds beside", () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 6 }), (events) => {
        const kept = events
          .map((sent, index) => accepted(sent, index + 1))
          .filter((one) => one !== undefined);
        taken += kept.length;
        let state = emptyState(ID);
        for (const one of kept) {
          state = fold(state, one);
          judgeDemo(state);
          judgeExample(state);
          judgeElement(state);
        }
      }),
      { numRuns: 150 },
    );
    // The generator is worth something only if most of what it makes is accepted.
    expect(taken).toBeGreaterThan(200);
  });
});

function judgeDemo(state: AnalysisState): void {
  const { result, error } = state;
  const shown: unknown[] = [
    percent(state.progress ?? 0),
    stageLabel(state.current_stage),
    remaining(state.estimated_completion, NOW) ?? "",
    timeInSeconds(Date.parse(state.updated_at ?? "")),
    duration(timeElapsed(state, NOW) ?? 0),
    ...state.stages.map(({ stage }) => duration(timeInStage(state, stage, NOW) ?? 0)),
  ];
  const seen = state.stages.map(({ stage }) => stage);
  for (const expected of [WORKING_STAGES, []])
    shown.push(...stepsOf({ seen, status: state.status }, expected).map(({ stage }) => stageLabel(stage)));
  shown.push(countWords(state) ?? "");
  if (result?.event_type === "result") shown.push(...dataShown(result));
  const numbers: unknown[] = [stageIndex(state.current_stage)];
  if (result?.event_type === "result_update") {
    const { confidence_score, processing_time_ms, blockchain_hash } = result;
    shown.push(percent(confidence_score, 1), duration(processing_time_ms), shortHash(blockchain_hash ?? ""));
    for (const found of result.suspicious_regions.map(regionOf)) {
      const { region_type, timecode = "", x, y, width, height, confidence, frame_number } = found;
      shown.push(words(region_type), timecode);
      numbers.push(x, y, width, height, confidence, frame_number);
    }
  }
  if (error !== null) {
    const { code, message, details } = failureOf(error);
    const { said, issues, rest = "" } = failureDetails(details);
    shown.push(message, code ?? "", rest, ...issues, ...said.flatMap((one) => [one.label, one.value]));
  }
  judge(shown, numbers);
}

function judgeExample(state: AnalysisState): void {
  const shown: unknown[] = [
    exampleFormat.stageLabel(state.current_stage),
    exampleFormat.remaining(state.estimated_completion, NOW) ?? "",
    durationSoFar(timeElapsed(state, NOW) ?? 0),
  ];
  shown.push(countWords(state) ?? "");
  if (state.result?.event_type === "result") shown.push(...dataShown(state.result));
  const numbers: unknown[] = [];
  for (const found of state.result?.event_type === "result_update" ? regionsOf(state.result) : []) {
    isShownAt(found, 1);
    shown.push(found.label, found.key, exampleFormat.timecode(found.start, true), percent(found.confidence));
    numbers.push(found.start, found.end, found.frame, found.lastFrame, found.confidence);
  }
  judge(shown, numbers);
}

function judgeElement(analysis: AnalysisState): void {
  const connection = { status: "live", transport: "websocket" } as const;
  const snapshot = { connection, analysis, stalled: false, cancelRequested: analysis.cancel_requested };
  const shown = shownOf(snapshot, sayer({}), figuresIn("en"), NOW);
  const { look, status, details = "", stages = [], regions = [], data = [], progress } = shown;
  const others = [shown.message ?? "", shown.verdict ?? "", shown.failure ?? "", shown.announcement ?? ""];
  const durations = stages.flatMap(({ name, duration }) => [name, duration]);
  judge([look, status, details, ...others, ...durations, ...regions, ...data], [progress ?? 0]);
  // A line of figures stays short, whatever was counted.
  if (details.length > 250) throw new Error(`details: ${details}`);
}

function dataShown({ data, summary }: DataResult): string[] {
  const { said, rest = "" } = dataDetails(data);
  return [summary ?? "", rest, ...said.flatMap(({ label, value }) => [label, value])];
}

function judge(shown: readonly unknown[], numbers: readonly unknown[]): void {
  const odd = [
    ...shown.filter((text) => typeof text !== "string" || /\bNaN\b|undefined|\[object/.test(text)),
    ...numbers.filter((number) => !Number.isFinite(number)),
  ];
  if (odd.length > 0) throw new Error(`shown: ${JSON.stringify(odd.map(String))}`);
}
