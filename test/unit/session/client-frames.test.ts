import { describe, expect, test } from "bun:test";
import { readClientFrame } from "../../../src/session/client-frames.ts";

describe("readClientFrame()", () => {
  const codeOf = (data: string | Uint8Array) => {
    const read = readClientFrame(data, "one");
    return read.ok ? "ok" : read.fault.code;
  };

  test("reads each frame of the protocol and ignores unknown fields", () => {
    expect(readClientFrame('{"type":"ping"}', "one")).toEqual({ ok: true, frame: { type: "ping" } });
    expect(readClientFrame(' {"sent_at":1,"type":"ping"} ', "one")).toMatchObject({
      frame: { type: "ping" },
    });
    expect(readClientFrame('{"type":"authenticate","token":"t"}', "one")).toEqual({
      ok: true,
      frame: { type: "authenticate", token: "t" },
    });
  });

  test("WSM-2: reads subscribe and unsubscribe on /ws only", () => {
    const subscribe = { type: "subscribe", analysis_id: "a", last_event_id: "e-1", replay: "all" };
    const unsubscribe = { type: "unsubscribe", analysis_id: "a" };
    for (const frame of [subscribe, unsubscribe, { type: "subscribe", analysis_id: "", replay: null }]) {
      const { last_event_id, ...rest } = frame as { last_event_id?: string };
      const position = last_event_id === undefined ? {} : { last_event_id: { epoch: "e", offset: 1 } };
      const read = readClientFrame(JSON.stringify(frame), "many");
      expect(read).toMatchObject({ ok: true, frame: { ...rest, ...position } });
      expect(codeOf(JSON.stringify(frame))).toBe("unknown_type");
    }
  });

  test("BUD-10: keeps the parsed position of a frame, not the text that was sent", () => {
    const long = readClientFrame(
      JSON.stringify({ type: "subscribe", analysis_id: "a", last_event_id: "x".repeat(4_000) }),
      "many",
    );
    expect(long).toMatchObject({ ok: true, frame: { last_event_id: "unreadable" } });
  });

  test.each([
    [{ type: "subscribe" }, "analysis_id"],
    [{ type: "subscribe", analysis_id: 7 }, "analysis_id"],
    [{ type: "subscribe", analysis_id: "a", last_event_id: 7 }, "last_event_id"],
    [{ type: "subscribe", analysis_id: "a", replay: "s3cret" }, "replay"],
    [{ type: "unsubscribe", analysis_id: ["a"] }, "analysis_id"],
  ])("WS-6: names the faulty field of %j and does not repeat it", (frame, field) => {
    const read = readClientFrame(JSON.stringify(frame), "many");
    expect(read).toMatchObject({ ok: false, fault: { code: "invalid_frame" } });
    if (!read.ok) expect(read.fault.message.slice(0, field.length)).toBe(field);
    expect(JSON.stringify(read)).not.toContain("s3cret");
  });

  test.each([
    [new TextEncoder().encode('{"type":"ping"}'), "not_text"],
    ["", "not_json"],
    ["pong", "not_json"],
    ['{"type":"ping"', "not_json"],
    ["null", "unknown_type"],
    ["[]", "unknown_type"],
    ['"ping"', "unknown_type"],
    ['{"type":"PING"}', "unknown_type"],
    ['{"type":["ping"]}', "unknown_type"],
    ['{"type":"__proto__"}', "unknown_type"],
    ['{"type":"constructor"}', "unknown_type"],
    ['{"type":"authenticate","token":""}', "invalid_frame"],
    ['{"type":"authenticate","token":7}', "invalid_frame"],
  ])("WS-6: names the fault of %j", (data, code) => {
    expect(codeOf(data)).toBe(code);
  });

  test("never repeats the text of the client", () => {
    for (const data of ['{"type":"s3cret"}', '{"type":"authenticate","token":{"s3cret":1}}', "s3cret"]) {
      const read = readClientFrame(data, "one");
      expect(JSON.stringify(read)).not.toContain("s3cret");
    }
  });

  test("refuses four kibibytes of brackets like any other text", () => {
    expect(codeOf("[".repeat(4096))).toBe("not_json");
    expect(codeOf("[".repeat(2048) + "]".repeat(2048))).toBe("unknown_type");
  });
});
