import { describe, expect, test } from "bun:test";
import { SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { decodeEvent, NOT_UTF8 } from "../../../src/domain/decode-event.ts";
import { addressedEndInPlaceOf, endInPlaceOf } from "../../../src/domain/refused-end.ts";
import {
  ANALYSIS,
  CHANNEL,
  ERROR,
  NOW,
  NOW_TEXT,
  REGION,
  RESULT,
  STATUS,
  sampleText,
} from "./event-samples.ts";

const CONTEXT = { channel: CHANNEL, now: NOW };
const FAILED = { ...STATUS, current_stage: "failed" };

/** The event in place of a text that must have been refused; undefined if there is none. */
function inPlaceOf(text: string): Record<string, unknown> | undefined {
  const result = decodeEvent(text, CONTEXT);
  if (result.ok) throw new Error("was not refused");
  const end = endInPlaceOf({ text }, result, CONTEXT);
  return end && JSON.parse(`{${end.members}`);
}

const bad = (event: object, fields: object) => inPlaceOf(JSON.stringify({ ...event, ...fields }));

describe("EV-18: in place of a terminal event that breaks a rule an error is stored", () => {
  test("it names the type, the first fault in a sentence, and the faults with their paths", () => {
    expect(
      bad(RESULT, { confidence_score: 7, suspicious_regions: [REGION, { ...REGION, x: "left" }] }),
    ).toEqual({
      event_type: "error",
      error_code: "event_refused",
      error_message: "The worker's result_update was refused: confidence_score must be a number from 0 to 1.",
      error_details: {
        event_type: "result_update",
        issues: [
          { path: ["confidence_score"], message: "must be a number from 0 to 1" },
          { path: ["suspicious_regions", 1, "x"], message: "must be a number from 0 to 1" },
        ],
      },
      timestamp: NOW_TEXT,
      analysis_id: ANALYSIS,
    });
  });

  test.each<[string, object, object, string]>([
    ["a result", RESULT, { is_fake: null }, "result_update"],
    ["an error", ERROR, { error_code: "" }, "error"],
    ["stage failed", FAILED, { message: "" }, "status_update"],
    ["stage cancelled", STATUS, { current_stage: "cancelled", message: "" }, "status_update"],
    ["a result of any kind", { event_type: "result", data: null }, {}, "result"],
    ["another analysis", ERROR, { analysis_id: crypto.randomUUID() }, "error"],
    ["capitals", ERROR, { event_type: "ERROR" }, "error"],
    ["a stage in capitals", STATUS, { current_stage: " Failed" }, "status_update"],
  ])("%s", (_, event, fields, type) => {
    expect(bad(event, fields)).toMatchObject({
      error_code: "event_refused",
      error_details: { event_type: type },
    });
  });

  test.each<[string, object, object]>([
    ["a status", STATUS, { progress: 7 }],
    ["stage completed", STATUS, { current_stage: "completed", message: "" }],
    ["a stage that is none", STATUS, { current_stage: "failing" }],
    ["a type that is none", RESULT, { event_type: "failure" }],
    ["a notice", { event_type: "notice" }, {}],
    ["no type", { error_code: "E" }, {}],
    ["a type that is no text", ERROR, { event_type: ["error"] }],
    ["a type within another member", { data: { event_type: "error" } }, {}],
  ])("and none in place of %s", (_, event, fields) => {
    expect(bad(event, fields)).toBeUndefined();
  });

  test("ten faults are named at most", () => {
    const end = bad(RESULT, { suspicious_regions: Array.from({ length: 50 }, () => ({})) });
    expect(end?.error_details).toMatchObject({ issues: Array(10).fill({ message: "is required" }) });
  });

  test("a good attempt_id is carried over, and no other", () => {
    for (const attempt_id of ["run-1", "a".repeat(64)]) {
      expect(bad(RESULT, { attempt_id, is_fake: 1 })).toMatchObject({ attempt_id });
    }
    const uuid = { __type__: "uuid", __value__: { hex: ANALYSIS.replaceAll("-", "") } };
    expect(bad(RESULT, { attempt_id: uuid, is_fake: 1 })).toMatchObject({ attempt_id: ANALYSIS });
    for (const attempt_id of ["", "a".repeat(65), "a".repeat(5_000), 7, null, {}]) {
      expect(bad(RESULT, { attempt_id })).not.toHaveProperty("attempt_id");
    }
  });

  const result = JSON.stringify(RESULT);
  test.each<[string, string, (string | number)[], string]>([
    [
      "NaN",
      result.replace("0.93", "NaN"),
      ["confidence_score"],
      "must be a number, and in JSON NaN and Infinity are none",
    ],
    [
      "Infinity",
      result.replace("1500", "-Infinity"),
      ["processing_time_ms"],
      "must be a number, and in JSON NaN and Infinity are none",
    ],
    ["NaN deeper down", result.replace("0.25", "NaN"), ["suspicious_regions"], "must be JSON"],
    ["a cut", result.slice(0, -20), [], "must be JSON"],
    [
      "a line break in a text",
      JSON.stringify(ERROR).replace("cannot", "can\nnot"),
      ["error_message"],
      "must be JSON",
    ],
    ["Python's own way", `{'event_type': 'error', 'error_code': 'E'}`, ["event_type"], "must be JSON"],
    ["JSON encoded twice", JSON.stringify(result), [], "must be an object"],
    [
      "more than a mebibyte",
      JSON.stringify({ ...RESULT, pad: "x".repeat(1 << 20) }),
      [],
      "must be at most 1048576 bytes",
    ],
    [
      "more than is looked at, with its type at the end",
      JSON.stringify({ pad: "x".repeat(4_300_000), ...RESULT }),
      [],
      "must be at most 1048576 bytes",
    ],
    [
      "depth",
      result.replace("0.93", `${"[".repeat(90)}${"]".repeat(90)}`),
      ["confidence_score"],
      "must be nested at most 64 levels deep",
    ],
  ])("so is one that is spoilt as a whole: %s", (_, text, path, message) => {
    expect(inPlaceOf(text)).toMatchObject({
      error_message: expect.stringContaining(` was refused: ${path.join(".") || "the event"} ${message}.`),
      error_details: { issues: [{ path, message }] },
    });
  });

  test("a terminal event that is no UTF-8 is found by the part that can be read", () => {
    const text = JSON.stringify({ ...ERROR, error_message: "\ufffd" });
    const end = endInPlaceOf({ text }, NOT_UTF8, CONTEXT);
    expect(end?.members).toContain("the event must be UTF-8.");
  });

  test("nothing that was refused is repeated", () => {
    const secret = "s3cr3t";
    for (const text of [
      JSON.stringify({ ...RESULT, confidence_score: secret, is_fake: { [secret]: 1 }, [secret]: secret }),
      JSON.stringify({ ...ERROR, error_code: [secret], error_details: secret }),
      `{"event_type":"error","error_message":"${secret}\n","x":${secret}}`,
    ]) {
      expect(JSON.stringify(inPlaceOf(text))).not.toContain(secret);
    }
  });

  test("channels of notices have no end", () => {
    for (const channel of [SYSTEM_CHANNEL, userChannel("alice")] as const) {
      const failure = decodeEvent(sampleText("error"), { channel, now: NOW });
      if (failure.ok) throw new Error("was not refused");
      expect(endInPlaceOf({ text: sampleText("error") }, failure, { channel, now: NOW })).toBeUndefined();
    }
  });
});

describe("INB-8: an event that itself says which analysis it is of", () => {
  const addressed = (text: string) => addressedEndInPlaceOf({ text }, NOT_UTF8, NOW);

  test("is given an end only if the id can be read", () => {
    const uuid = { __type__: "uuid", __value__: { hex: ANALYSIS.replaceAll("-", "") } };
    for (const analysis_id of [ANALYSIS, ANALYSIS.toUpperCase(), uuid]) {
      const end = addressed(sampleText("error", { analysis_id }));
      expect(end).toMatchObject({ channel: CHANNEL, encoded: { kind: "error" } });
    }
    expect(addressed(sampleText("error").slice(0, -2))).toMatchObject({ channel: CHANNEL });
    for (const analysis_id of [undefined, null, "job-42", 7, {}]) {
      expect(addressed(sampleText("error", { analysis_id }))).toBeUndefined();
    }
    expect(addressed(sampleText("status_update"))).toBeUndefined();
  });

  test("is given an end also if the id comes behind a part that is out of sight", () => {
    const { event_type, ...rest } = ERROR;
    const whole = JSON.stringify({ event_type, pad: "x".repeat(300), ...rest, attempt_id: "run-1" });
    const text = whole.slice(0, 200);
    const tail = whole.slice(-200).replace(/}$/, `,"analysis_id":"${ANALYSIS}"}`);
    const end = addressedEndInPlaceOf({ text, tail }, NOT_UTF8, NOW);
    expect(end).toMatchObject({ channel: CHANNEL, encoded: { kind: "error" } });
    expect(end?.encoded.members).toContain('"attempt_id":"run-1"');
    expect(addressedEndInPlaceOf({ text }, NOT_UTF8, NOW)).toBeUndefined();
  });
});
