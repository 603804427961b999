import { describe, expect, test } from "bun:test";
import { EVENT_KINDS, kindOfStored, storedKindOf } from "../../../src/domain/event-kind.ts";
import { textWithEventId } from "../../../src/domain/event-position.ts";
import { encoded } from "../../../src/testing/encoded-events.ts";
import { decodeSample, decodeText, membersOf, sampleText } from "./event-samples.ts";

const POSITION = { epoch: "e1", offset: 7 };

/** The kinds that gateways of the first release know. */
const FIRST_KINDS = ["status", "status_completed", "status_failed", "result", "error", "notice"] as const;

describe("EV-22: the stored kind of an event", () => {
  test.each(EVENT_KINDS)("%s is one that every release knows, and its text tells the rest", (kind) => {
    const stored = storedKindOf(kind);
    expect(FIRST_KINDS).toContain(stored);
    const text = textWithEventId(POSITION, encoded(kind).members);
    expect(kindOfStored(stored, text)).toBe(kind);
  });

  test("is status_failed for a cancelled status, and result for a result of any data", () => {
    expect(storedKindOf("status_cancelled")).toBe("status_failed");
    expect(storedKindOf("data_result")).toBe("result");
    for (const kind of FIRST_KINDS) expect(storedKindOf(kind)).toBe(kind);
  });

  test.each([
    ["result", {}, "data_result"],
    ["status_update", { current_stage: "cancelled" }, "status_cancelled"],
  ] as const)("is told from a %s with %j, however that was written", (name, fields, kind) => {
    const event = JSON.parse(sampleText(name, fields)) as Record<string, unknown>;
    const backwards = Object.fromEntries(Object.entries(event).reverse());
    for (const text of [JSON.stringify(backwards), JSON.stringify(event, null, 2)]) {
      const sent = textWithEventId(POSITION, membersOf(decodeText(text)));
      expect(kindOfStored(storedKindOf(kind), sent)).toBe(kind);
      expect(JSON.parse(sent)).toMatchObject(event);
    }
  });

  test("is its own for an event of the first release, whatever that holds", () => {
    const named = {
      note: '"event_type":"result"',
      current_stage: "failed",
      summary: '"current_stage":"cancelled"',
    };
    for (const [stored, name] of [
      ["status_failed", "status_update"],
      ["result", "result_update"],
      ["error", "error"],
    ] as const) {
      const fields = name === "status_update" ? named : { ...named, current_stage: "cancelled" };
      const sent = textWithEventId(POSITION, membersOf(decodeSample(name, fields)));
      expect(kindOfStored(stored, sent)).toBe(stored);
    }
  });

  test("leaves the other members of an event in their order, as they were written", () => {
    const text =
      '{"7":1.0,"data":{"b":1e400,"a":0},"event_type" : "result","timestamp":"2026-11-24T03:00:00Z","x":[]}';
    const expected =
      '"event_type":"result","7":1.0,"data":{"b":1e400,"a":0},"timestamp":"2026-11-24T03:00:00Z","x":[],';
    expect(membersOf(decodeText(text)).slice(0, expected.length)).toBe(expected);
  });
});
