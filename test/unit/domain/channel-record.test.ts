import { describe, expect, test } from "bun:test";
import type { EncodedEvent } from "../../../src/domain/analysis-event.ts";
import { PAST_ATTEMPTS_KEPT } from "../../../src/domain/attempts.ts";
import { appendToRecord, type ChannelRecord, newRecord } from "../../../src/domain/channel-record.ts";
import { decodeSample } from "./event-samples.ts";

const KINDS = {
  status: () => decodeSample("status_update"),
  status_completed: () => decodeSample("status_update", { current_stage: "completed" }),
  status_failed: () => decodeSample("status_update", { current_stage: "failed" }),
  status_cancelled: () => decodeSample("status_update", { current_stage: "cancelled" }),
  result: () => decodeSample("result_update"),
  data_result: () => decodeSample("result"),
  error: () => decodeSample("error"),
};
type Kind = keyof typeof KINDS;

function event(kind: Kind, attemptId?: string, stage?: string): EncodedEvent {
  const decoded = KINDS[kind]();
  if (!decoded.ok) throw new Error("refused");
  return { ...decoded.encoded, attemptId, ...(stage === undefined ? {} : { stage }) };
}

/** `"status@a"` is a status of attempt a. */
function eventOf(spelled: string): EncodedEvent {
  const [kind, attempt] = spelled.split("@");
  return event(kind as Kind, attempt);
}

function answers(record: ChannelRecord, spelled: readonly string[]): string[] {
  return spelled.map((text) => {
    const outcome = appendToRecord(record, [eventOf(text)]);
    if (outcome.type === "refused") return outcome.code;
    return outcome.events[0]?.reopens ? "reopened" : "kept";
  });
}

describe("ID-1: events are numbered", () => {
  test("1, 2, 3 without holes, also over a refusal, each text beginning with its event_id", () => {
    const record = newRecord("e1");
    const first = appendToRecord(record, [event("status", "a"), event("result", "a")]);
    expect(appendToRecord(record, [event("status", "a")])).toEqual({
      type: "refused",
      code: "attempt_ended",
      index: 0,
    });
    const second = appendToRecord(record, [event("status", "b")]);
    const stored = [first, second].flatMap((outcome) => (outcome.type === "accepted" ? outcome.events : []));
    expect(stored.map(({ position }) => position)).toEqual([
      { epoch: "e1", offset: 1 },
      { epoch: "e1", offset: 2 },
      { epoch: "e1", offset: 3 },
    ]);
    expect(stored.map(({ text }) => text.slice(0, 20))).toEqual([
      '{"event_id":"e1-1","',
      '{"event_id":"e1-2","',
      '{"event_id":"e1-3","',
    ]);
    for (const { text } of stored) expect(Object.keys(JSON.parse(text))[0]).toBe("event_id");
  });

  test("a batch with one event that is refused changes nothing and says which", () => {
    const record = newRecord("e1");
    appendToRecord(record, [event("status", "a")]);
    const before = structuredClone(record);
    const batch = [event("status", "b"), event("result", "b"), event("status", "a")];
    expect(appendToRecord(record, batch)).toEqual({ type: "refused", code: "attempt_superseded", index: 2 });
    expect(record).toEqual(before);
  });
});

describe("EV-9: attempts", () => {
  const courses: [string, string[], string[]][] = [
    ["the first attempt of an analysis reopens nothing", ["status@a"], ["kept"]],
    ["a new one reopens, with or without an end before", ["status@a", "status@b"], ["kept", "reopened"]],
    ["a new one may begin with its end", ["result@a", "error@b"], ["kept", "reopened"]],
    ["one after unnamed events is new", ["status", "status@a"], ["kept", "reopened"]],
    [
      "an earlier one is refused for good",
      ["status@a", "status@b", "status@a", "result@a", "status@c", "status@b", "status@a", "status@c"],
      [
        "kept",
        "reopened",
        "attempt_superseded",
        "attempt_superseded",
        "reopened",
        "attempt_superseded",
        "attempt_superseded",
        "kept",
      ],
    ],
    [
      "unnamed events do not end the current one",
      ["status@a", "status", "status@a", "error", "status@a"],
      ["kept", "kept", "kept", "kept", "reopened"],
    ],
    [
      "an ended one stays ended when an unnamed status reopens the analysis",
      ["result@a", "status", "status@a", "status_completed@a"],
      ["kept", "reopened", "attempt_ended", "kept"],
    ],
    [
      "the last end decides what may follow",
      ["status_failed@a", "error@a", "error@a", "status_failed@a", "result@a"],
      ["kept", "kept", "attempt_ended", "kept", "attempt_ended"],
    ],
    [
      "a new one forgets how the last ended",
      ["result@a", "status@b", "status@b"],
      ["kept", "reopened", "kept"],
    ],
  ];
  test.each(courses)("%s", (_, events, expected) => {
    expect(answers(newRecord("e1"), events)).toEqual(expected);
  });

  const followers: [Kind, Kind[]][] = [
    ["status", Object.keys(KINDS) as Kind[]],
    ["status_completed", Object.keys(KINDS) as Kind[]],
    ["status_cancelled", []],
    ["result", ["status_completed"]],
    ["data_result", ["status_completed"]],
    ["error", ["status_failed"]],
    ["status_failed", ["error"]],
  ];
  test.each(followers)(
    "after %s an attempt goes on with what may follow and nothing else",
    (kind, allowed) => {
      for (const next of Object.keys(KINDS) as Kind[]) {
        const [, answer] = answers(newRecord("e1"), [`${kind}@a`, `${next}@a`]);
        expect([next, answer]).toEqual([next, allowed.includes(next) ? "kept" : "attempt_ended"]);
      }
    },
  );

  test("without an attempt_id nothing is ever refused, and a status after an end reopens", () => {
    const events = [
      "result",
      "status_completed",
      "status",
      "error",
      "result",
      "status_failed",
      "status",
      "status",
      "data_result",
      "status_cancelled",
      "status_completed",
      "status",
    ];
    expect(answers(newRecord("e1"), events)).toEqual([
      "kept",
      "kept",
      "reopened",
      "kept",
      "kept",
      "kept",
      "reopened",
      "kept",
      "kept",
      "kept",
      "kept",
      "reopened",
    ]);
  });

  test("past ones are remembered up to a bound, the oldest forgotten first", () => {
    const record = newRecord("e1");
    for (let n = 0; n <= PAST_ATTEMPTS_KEPT + 1; n++) appendToRecord(record, [event("status", `run-${n}`)]);
    expect(record.attempts.past).toHaveLength(PAST_ATTEMPTS_KEPT);
    expect(answers(record, ["status@run-1", "status@run-0"])).toEqual(["attempt_superseded", "reopened"]);
  });
});

describe("the record beside the history", () => {
  test("EV-8: is the last status and the current terminal event", () => {
    const record = newRecord("e1");
    answers(record, ["status", "result", "status_completed"]);
    expect(record.lastStatus?.position.offset).toBe(3);
    expect(record.currentTerminal?.position.offset).toBe(2);
    answers(record, ["status_failed"]);
    expect(record.lastStatus).toBe(record.currentTerminal);
    answers(record, ["status"]);
    expect(record.currentTerminal).toBeUndefined();
    answers(record, ["result", "error@a"]);
    expect(record.currentTerminal?.kind).toBe("error");
  });

  test("is one mark per change of stage, with the time and offset of its first event", () => {
    const record = newRecord("e1");
    const stages = ["uploading", "uploading", "frame_extraction", "uploading"];
    for (const stage of stages) appendToRecord(record, [event("status", undefined, stage)]);
    answers(record, ["result", "status_completed"]);
    const at = "2026-11-24T03:00:00Z";
    expect(record.stages).toEqual([
      { stage: "uploading", at, offset: 1 },
      { stage: "frame_extraction", at, offset: 3 },
      { stage: "uploading", at, offset: 4 },
      { stage: "completed", at, offset: 6 },
    ]);
  });

  test("EV-8: loses its marks when the analysis is reopened", () => {
    const record = newRecord("e1");
    answers(record, ["status", "result", "status"]);
    expect(record.stages.map(({ offset }) => offset)).toEqual([3]);
    answers(record, ["result@a"]);
    expect(record.stages).toEqual([]);
  });

  test("holds 200 marks at most, the newest", () => {
    const record = newRecord("e1");
    for (let n = 1; n <= 201; n++)
      appendToRecord(record, [event("status", undefined, n % 2 ? "uploading" : "initializing")]);
    expect(record.stages).toHaveLength(200);
    expect(record.stages[0]?.offset).toBe(2);
    expect(record.stages.at(-1)?.offset).toBe(201);
  });
});
