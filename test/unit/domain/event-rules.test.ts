import { describe, expect, test } from "bun:test";
import { decodeEvent } from "../../../src/domain/decode-event.ts";
import { eventRules } from "../../../src/domain/event-rules.ts";
import { type AllowedStages, STAGES } from "../../../src/domain/stages.ts";
import {
  ANALYSIS,
  CHANNEL,
  decodeSample,
  decodeText,
  membersOf,
  NOW,
  NOW_TEXT,
  pathsOf,
  REGION,
  SAMPLES,
  type SampleName,
  sampleText,
  wireOf,
} from "./event-samples.ts";

const NO_TEXT = [null, 7, true, {}, [], "", " \t\n", "\u00a0\u2003"];
const NO_FRACTION = [null, "0.5", true, {}, [0.5], -0.0001, 1.0001, -0.0000011, 1.0000011, -1, 2];
const NO_COUNT = [null, "3", true, {}, [3], -1, -0.0000011, 0.5, 3.0001, 3.0000001];
const NO_TIME = [
  true,
  {},
  "",
  "now",
  "2026-11-24",
  "1795490842",
  "2026-02-30T00:00:00Z",
  "2026-11-24T24:00:00Z",
  `2026-11-24T03:00:00.${"1".repeat(44)}Z`,
  253_402_300_800_000,
  -62_135_596_801,
  { __type__: "date", __value__: "2026-11-24" },
  { __type__: "datetime", __value__: 1795490842 },
  { __type__: "datetime" },
];
/** Values that kombu writes in place of an id, and that are none. */
const NO_ID = [
  { __type__: "uuid", __value__: "nonsense" },
  { __type__: "uuid", __value__: { hex: 7 } },
  { __type__: "uuid", __value__: null },
  { __type__: "decimal", __value__: "7" },
  { __type__: "uuid" },
];
const NO_OBJECT = [7, true, "{}", [], [{}]];

/** Field by field: the values that it must not have. */
const REFUSED: [SampleName, string, unknown[]][] = [
  [
    "status_update",
    "event_type",
    [null, 7, "heartbeat", "connection_established", "notice", "STATUS_UPDATE", "constructor"],
  ],
  ["status_update", "task_id", [undefined, ...NO_TEXT, ...NO_ID]],
  [
    "status_update",
    "analysis_id",
    [null, 7, "", "nonsense", "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c1", `${ANALYSIS} `, ...NO_ID],
  ],
  ["status_update", "progress", [undefined, ...NO_FRACTION]],
  ["status_update", "current_stage", [undefined, null, 7, "", "Completed", "running", "toString", "*"]],
  ["status_update", "message", [undefined, ...NO_TEXT]],
  ["status_update", "estimated_completion", NO_TIME],
  ["status_update", "error", [7, true, {}, []]],
  ["status_update", "timestamp", [null, ...NO_TIME]],
  [
    "status_update",
    "attempt_id",
    [null, 7, {}, ...NO_ID, "", "a".repeat(65), "😀".repeat(65), "a".repeat(200)],
  ],
  ["result_update", "analysis_id", [null, 7, "nonsense", "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c1"]],
  ["result_update", "confidence_score", [undefined, ...NO_FRACTION]],
  ["result_update", "frames_processed", [undefined, ...NO_COUNT]],
  ["result_update", "total_frames", [undefined, ...NO_COUNT, 9, 0]],
  ["result_update", "is_fake", [undefined, null, 0, 1, "true"]],
  ["result_update", "processing_time_ms", NO_COUNT],
  ["result_update", "suspicious_regions", [null, 7, "[]", {}]],
  ["result_update", "blockchain_hash", [7, true, [], "xyz", "0x", "0xg1", "ab cd", " ab", "x12"]],
  ["result_update", "timestamp", [null, ...NO_TIME]],
  ["result_update", "attempt_id", [null, 7, ""]],
  ["result", "analysis_id", [null, "nonsense"]],
  ["result", "data", [undefined, null]],
  ["result", "summary", [7, true, {}, []]],
  ["result", "timestamp", [null, ...NO_TIME]],
  ["result", "attempt_id", [null, 7, ""]],
  ["error", "analysis_id", [null, "nonsense"]],
  ["error", "error_code", [undefined, ...NO_TEXT]],
  ["error", "error_message", [undefined, null, 7, true, {}, []]],
  ["error", "error_details", NO_OBJECT],
  ["error", "timestamp", [null, ...NO_TIME]],
  ["error", "attempt_id", [null, 7, ""]],
  ["notice", "event_type", [null, 7, "status_update", "heartbeat"]],
  ["notice", "level", [null, 7, "", "debug", "INFO"]],
  ["notice", "message", [undefined, ...NO_TEXT]],
  ["notice", "data", NO_OBJECT],
  ["notice", "timestamp", [null, ...NO_TIME]],
  ["notice", "attempt_id", [null, 7, ""]],
];

/** Field by field: values at the bounds that it may have, and that are passed on as they are. */
const ACCEPTED: [SampleName, string, unknown[]][] = [
  ["status_update", "task_id", ["t", " padded ", "🎬", "0"]],
  ["status_update", "progress", [0, 1, 0.3333333333333333, 5e-324]],
  ["status_update", "current_stage", [...STAGES, "queued", "cancelled"]],
  ["status_update", "message", ["m", "line\nbreak", "</script>", "\u0000"]],
  ["status_update", "error", [null, "", " ", "no such frame"]],
  ["status_update", "attempt_id", ["a", " ", "a".repeat(64), "😀".repeat(64)]],
  ["result_update", "confidence_score", [0, 1]],
  ["result_update", "frames_processed", [0, 12]],
  ["result_update", "total_frames", [10, 2 ** 53, 1e21]],
  ["result_update", "is_fake", [true, false]],
  ["result_update", "processing_time_ms", [0, 86_400_000]],
  ["result_update", "suspicious_regions", [[], [REGION, { ...REGION, note: "extra" }]]],
  ["result_update", "blockchain_hash", [null, "0", "0xAbC", "deadbeef"]],
  ["result", "data", [0, false, "", [], {}, [null], { deep: { list: [1, null] } }]],
  ["result", "summary", [null, "", "812 words"]],
  ["error", "error_code", ["E", " E "]],
  ["error", "error_details", [null, {}, { deep: { list: [1, null] } }]],
  ["notice", "level", ["info", "warning", "error"]],
  ["notice", "data", [null, {}, { any: "thing" }]],
];

function cases(table: [SampleName, string, unknown[]][]): [string, string, string, SampleName, unknown][] {
  return table.flatMap(([name, field, values]) =>
    values.map((value): [string, string, string, SampleName, unknown] => {
      const shown = value === undefined ? "left out" : JSON.stringify(value).slice(0, 40);
      return [name, field, shown, name, value];
    }),
  );
}

describe("EV-2: a field that breaks its rule is refused with its path", () => {
  test.each(cases(REFUSED))("%s.%s: %s", (_, field, _shown, name, value) => {
    const result = decodeSample(name, { [field]: value });
    expect(result).toMatchObject({ ok: false, reason: "invalid" });
    expect(pathsOf(result)).toEqual([[field]]);
  });
});

describe("a field within its bounds is accepted and passed on as it is", () => {
  test.each(cases(ACCEPTED))("%s.%s: %s", (_, field, _shown, name, value) => {
    expect(wireOf(decodeSample(name, { [field]: value }))[field]).toEqual(value);
  });
});

describe("EV-2: a field of a region that breaks its rule is refused with its path", () => {
  const refused: Record<string, unknown[]> = {
    frame_number: [undefined, ...NO_COUNT],
    x: [undefined, ...NO_FRACTION],
    y: [undefined, ...NO_FRACTION],
    width: [undefined, ...NO_FRACTION],
    height: [undefined, ...NO_FRACTION],
    confidence: [undefined, ...NO_FRACTION],
    region_type: [undefined, ...NO_TEXT],
  };
  test.each(Object.entries(refused))("%s", (field, values) => {
    for (const value of values) {
      const suspicious_regions = [REGION, REGION, { ...REGION, [field]: value }];
      const result = decodeSample("result_update", { suspicious_regions });
      expect(pathsOf(result)).toEqual([["suspicious_regions", 2, field]]);
    }
  });

  test("a region that is no object is refused with its index", () => {
    for (const value of [null, 7, "region", []]) {
      const result = decodeSample("result_update", { suspicious_regions: [REGION, value] });
      expect(pathsOf(result)).toEqual([["suspicious_regions", 1]]);
    }
  });

  test("however many regions are at fault, a hundred faults are named at most", () => {
    const suspicious_regions = Array.from({ length: 5_000 }, () => ({}));
    expect(pathsOf(decodeSample("result_update", { suspicious_regions }))).toHaveLength(100);
  });
});

describe("EV-3: a field that a publisher leaves out is filled in", () => {
  const filled: [SampleName, string, unknown][] = [
    ["status_update", "analysis_id", ANALYSIS],
    ["status_update", "estimated_completion", null],
    ["status_update", "error", null],
    ["status_update", "timestamp", NOW_TEXT],
    ["result_update", "analysis_id", ANALYSIS],
    ["result_update", "processing_time_ms", 0],
    ["result_update", "suspicious_regions", []],
    ["result_update", "blockchain_hash", null],
    ["result_update", "timestamp", NOW_TEXT],
    ["result", "analysis_id", ANALYSIS],
    ["result", "summary", null],
    ["result", "timestamp", NOW_TEXT],
    ["error", "analysis_id", ANALYSIS],
    ["error", "error_details", null],
    ["error", "timestamp", NOW_TEXT],
    ["notice", "event_type", "notice"],
    ["notice", "level", "info"],
    ["notice", "data", null],
    ["notice", "timestamp", NOW_TEXT],
  ];
  test.each(filled)("%s.%s", (name, field, value) => {
    const result = decodeSample(name, { [field]: undefined });
    expect(wireOf(result)[field]).toEqual(value);
    expect(result).toMatchObject({ event: { [field]: value } });
  });

  test("attempt_id stays out if it was not given", () => {
    expect(wireOf(decodeSample("status_update"))).not.toHaveProperty("attempt_id");
  });
});

describe("EV-19: the stages that a worker may name", () => {
  const stageTaken = (stages: AllowedStages, current_stage: string) => {
    const text = sampleText("status_update", { current_stage });
    return decodeEvent(text, { channel: CHANNEL, now: NOW, rules: eventRules(stages) });
  };

  test("are those of the setting, and the four that the gateway knows", () => {
    for (const stage of ["demux", "mux", "queued", "completed", "failed", "cancelled"])
      expect([stage, stageTaken(["demux", "mux"], stage).ok]).toEqual([stage, true]);
    for (const stage of ["uploading", "demu", "demux,mux", "*"])
      expect([stage, stageTaken(["demux", "mux"], stage).ok]).toEqual([stage, false]);
  });

  test("are listed in a refusal", () => {
    const refused = stageTaken(["failed", "demux"], "mux");
    expect(refused.ok ? [] : refused.issues).toEqual([
      { path: ["current_stage"], message: "must be one of queued, demux, completed, failed, cancelled" },
    ]);
  });

  test("are any of 1 to 64 characters with *", () => {
    for (const stage of ["a", "h.264_pass-2", "0".repeat(64), "uploading", "cancelled"])
      expect([stage, stageTaken("*", stage).ok]).toEqual([stage, true]);
    for (const stage of ["", "A", "two words", "a\nb", "a\n", "é", "a".repeat(65), "*", "a,b"])
      expect([stage, stageTaken("*", stage).ok]).toEqual([stage, false]);
  });
});

describe("EV-20: a result of any kind", () => {
  test("has data and a summary as they were written", () => {
    const text = '{"event_type":"result","data":{"7":1.0,"a":[12345678901234567890]},"summary":"","x":1e400}';
    expect(membersOf(decodeText(text)).slice(0, text.length - 2)).toBe(text.slice(1, -1));
  });

  test.each(["1e400", "-1e400"])(
    "is refused if its data is %s, a number that readers take for infinite",
    (data) => {
      const decoded = decodeText(`{"event_type":"result","data":${data}}`);
      expect(pathsOf(decoded)).toEqual([["data"]]);
    },
  );

  test("is taken on the channel of an analysis alone", () => {
    const decoded = decodeEvent(sampleText("result"), { channel: "system:updates", now: NOW });
    expect(pathsOf(decoded)).toEqual([["event_type"]]);
  });
});

describe("EV-21: counts", () => {
  const NO_NUMBERS = [null, "7", true, {}, [7], -1, -0.0000011];
  const counted = (fields: Record<string, unknown>) =>
    decodeSample("status_update", { progress: undefined, ...fields });

  test.each([
    [{ current: 340, total: 1000 }, 0.34],
    [{ current: 0, total: 7 }, 0],
    [{ current: 0.5, total: 2 }, 0.25],
    [{ current: 12, total: 7 }, 1],
    [{ current: -0.0000009, total: 7 }, 0],
    [{ current: 1e308, total: 1e-308 }, 1],
  ])("say the progress if it is left out: %j", (counts, progress) => {
    const decoded = counted(counts);
    expect(decoded).toMatchObject({ ok: true, event: { progress } });
    expect(wireOf(decoded)).toMatchObject({ progress });
  });

  test.each([
    [{}],
    [{ current: 7 }],
    [{ total: 7 }],
    [{ current: 7, total: 0 }],
    [{ current: 0, total: 0 }],
    ...NO_NUMBERS.flatMap((value) => [[{ current: value, total: 7 }], [{ current: 7, total: value }]]),
  ] as [Record<string, unknown>][])("leave it required otherwise: %j", (counts) => {
    expect(pathsOf(counted(counts))).toEqual([["progress"]]);
    expect(counted(counts)).toMatchObject({ issues: [{ message: "is required" }] });
  });

  test("say nothing of a progress that is given, right or wrong", () => {
    const counts = { current: 1, total: 2 };
    expect(wireOf(decodeSample("status_update", { ...counts, progress: 0.1 })).progress).toBe(0.1);
    for (const progress of [null, "0.1", 2])
      expect(pathsOf(decodeSample("status_update", { ...counts, progress }))).toEqual([["progress"]]);
  });

  test("are passed on as written, whatever they are", () => {
    const written = '"current":12345678901234567890,"total":1.0e3,"unit":{"of":"frames"}';
    const text = sampleText("status_update", { progress: undefined }).replace("{", `{${written},`);
    expect(membersOf(decodeText(text)).slice(0, written.length + 1)).toBe(`${written},`);
    for (const value of NO_NUMBERS) {
      const fields = { current: value, total: value, unit: value };
      expect(wireOf(decodeSample("status_update", fields))).toMatchObject(fields);
    }
  });

  test("EV-14: are 0 if rounding put them below", () => {
    const decoded = decodeSample("status_update", { current: -1e-7, total: -9e-7, progress: 0 });
    expect(wireOf(decoded)).toMatchObject({ current: 0, total: 0, progress: 0 });
  });

  test("are no counts of another event", () => {
    const fields = { current: -1e-7, total: 7 };
    for (const name of ["result_update", "result", "error"] as const)
      expect(wireOf(decodeSample(name, fields))).toMatchObject(fields);
  });
});

test("EV-11: all faults of one event are named at once", () => {
  const fields = { task_id: " ", progress: 2, message: undefined, analysis_id: "x", timestamp: "soon" };
  expect(pathsOf(decodeSample("status_update", fields)).flat().sort()).toEqual([
    "analysis_id",
    "message",
    "progress",
    "task_id",
    "timestamp",
  ]);
  const result = { is_fake: "no", frames_processed: 3, total_frames: 2 };
  expect(pathsOf(decodeSample("result_update", result))).toEqual([["is_fake"], ["total_frames"]]);
});

test("EV-11: no message echoes the value it refuses", () => {
  const secret = "s3cr3t-value";
  for (const [name, sample] of Object.entries(SAMPLES)) {
    for (const field of Object.keys(sample)) {
      for (const value of [secret, [secret], { [secret]: secret }]) {
        const result = decodeSample(name as SampleName, { [field]: value });
        expect(JSON.stringify(result.ok ? [] : result.issues)).not.toContain(secret);
      }
    }
  }
});

test("a region whose faults are named says what is wrong in plain words", () => {
  const result = decodeSample("result_update", { suspicious_regions: [{ ...REGION, x: 2, y: undefined }] });
  expect(result.ok ? [] : result.issues.map(({ message }) => message)).toEqual([
    "must be a number from 0 to 1",
    "is required",
  ]);
});
