import { describe, expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { analysisChannel, parseAnalysisId, SYSTEM_CHANNEL } from "../../../src/domain/channel.ts";
import { decodeEvent } from "../../../src/domain/decode-event.ts";
import { EVENT_RULES, eventRules } from "../../../src/domain/event-rules.ts";
import { eventSchema, PUBLISHED_TYPES, type PublishedType } from "../../../src/domain/event-schema.ts";
import { ANALYSIS, NOW, REGION, RESULT, STATUS } from "../domain/event-samples.ts";

const channel = analysisChannel(parseAnalysisId(ANALYSIS) ?? (ANALYSIS as never));

/** A whole event of each type. */
const EVENTS: Readonly<Record<PublishedType, Readonly<Record<string, unknown>>>> = {
  status_update: { ...STATUS, attempt_id: "run-1", current: 1, total: 2, unit: "frames" },
  result_update: { ...RESULT, attempt_id: "run-1" },
  result: {
    event_type: "result",
    analysis_id: ANALYSIS,
    data: { words: 3 },
    summary: "three",
    timestamp: 1e9,
  },
  error: {
    event_type: "error",
    analysis_id: ANALYSIS,
    error_code: "x",
    error_message: "y",
    error_details: {},
  },
  notice: { event_type: "notice", level: "info", message: "m", data: { a: 1 }, timestamp: STATUS.timestamp },
};

const LEFT_OUT = Symbol("left out");
const KOMBU = { __type__: "datetime", __value__: "2026-11-27T10:00:00" };
const VALUES = [
  LEFT_OUT,
  null,
  true,
  0,
  0.5,
  1,
  7,
  -1,
  1e12,
  "",
  " ",
  "x",
  "a".repeat(65),
  "🎬".repeat(64),
  "completed",
  "cancelled",
  "demux",
  "0xaf",
  "warning",
  ANALYSIS.toUpperCase(),
  STATUS.timestamp,
  "2026-11-24 03:00",
  [],
  [1],
  [REGION],
  [REGION, { ...REGION, x: 2 }],
  [{ ...REGION, region_type: undefined }],
  {},
  KOMBU,
];

/** Events that the rules refuse, and of which JSON Schema cannot say so. */
function isBeyondSchema(type: PublishedType, field: string, value: unknown): boolean {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return ["timestamp", "estimated_completion", "task_id", "attempt_id", "analysis_id"].includes(field);
  if (type === "result_update" && (field === "frames_processed" || field === "total_frames"))
    return Number.isInteger(value) && Number(value) >= 0;
  return false;
}

describe("eventSchema", () => {
  const ajv = new Ajv2020({ allowUnionTypes: true, strictRequired: false });

  test.each(PUBLISHED_TYPES)("refuses of %s what the rules refuse, and takes what they take", (type) => {
    const isTaken = ajv.compile(eventSchema(type, EVENT_RULES));
    const judged = (event: unknown) =>
      decodeEvent(JSON.stringify(event), { channel: type === "notice" ? SYSTEM_CHANNEL : channel, now: NOW })
        .ok;
    const whole = EVENTS[type];
    expect([isTaken(whole), judged(whole)]).toEqual([true, true]);
    let compared = 0;
    for (const field of Object.keys({ ...whole, estimated_completion: 0, error: 0, own: 0 })) {
      for (const value of VALUES) {
        const { [field]: _, ...rest } = whole;
        const event = JSON.parse(JSON.stringify(value === LEFT_OUT ? rest : { ...rest, [field]: value }));
        const byRules = judged(event);
        if (!byRules && isBeyondSchema(type, field, value)) continue;
        expect([field, event[field], isTaken(event)]).toEqual([field, event[field], byRules]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });

  test("asks a status_update for progress, or for counts that say it", () => {
    const isTaken = ajv.compile(eventSchema("status_update", EVENT_RULES));
    const { progress: _, ...rest } = STATUS;
    const verdicts = [{}, { current: 1 }, { current: 1, total: 0 }, { current: 1, total: 4 }].map(
      (counts) => {
        const event = { ...rest, ...counts };
        return [isTaken(event), decodeEvent(JSON.stringify(event), { channel, now: NOW }).ok];
      },
    );
    expect(verdicts).toEqual([false, false, false, true].map((is) => [is, is]));
  });

  test("has the stages of the setting", () => {
    const own = ajv.compile(eventSchema("status_update", eventRules(["demux"])));
    const any = ajv.compile(eventSchema("status_update", eventRules("*")));
    const verdictsOn = (stage: string) =>
      [own, any].map((isTaken) => isTaken({ ...STATUS, current_stage: stage }));
    expect(["demux", "queued", "uploading", "Bad"].map(verdictsOn)).toEqual([
      [true, true],
      [true, true],
      [false, true],
      [false, false],
    ]);
  });
});
