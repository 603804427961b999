import { describe, expect, test } from "bun:test";
import { SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { decodeEvent, decodeEvents, MAX_EVENT_BYTES } from "../../../src/domain/decode-event.ts";
import {
  ANALYSIS,
  CHANNEL,
  decodeSample,
  decodeText,
  ERROR,
  membersOf,
  NOW,
  pathsOf,
  RESULT,
  STATUS,
  sampleText,
  wireOf,
} from "./event-samples.ts";
import { Seeded } from "./seeded.ts";

const CONTEXT = { channel: CHANNEL, now: NOW };
const NOTICE_CONTEXT = { channel: SYSTEM_CHANNEL, now: NOW };
const START = `"event_type":"error","error_code":"E","error_message":"m"`;
const DEFAULTS = `"error_details":null,"timestamp":"2026-11-24T03:27:22.785Z","analysis_id":"${ANALYSIS}"}`;

describe("EV-1: an event is passed on as written", () => {
  const extras = [
    `"big":123456789012345678901234567890`,
    `"nanoseconds":1795490842785846123`,
    `"float":1.0,"exponent":1E400,"negative":-0,"small":1e-999`,
    `"7":"seven","1":"one"`,
    `"__proto__":{"polluted":true},"constructor":null,"toString":1`,
    `"escaped":"\\u00e9\\ud83d\\ude00\\/\\"\\\\"`,
    `"lone":"\\ud800"`,
    `"emoji":"😀","separator":"\u2028"`,
    `"nested":{"7":[1.0,{"b":"}]\\"","a":[]}],"5":{}}`,
    `"spaced" : [ 1 ,  2 ]`,
    `"braces":"{[\\\\\\"]}"`,
    `"":"no name"`,
  ];
  test.each(extras.map((extra) => [extra]))("%s", (extra) => {
    expect(membersOf(decodeText(`{${START},${extra}}`))).toBe(`${START},${extra},${DEFAULTS}`);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("members stay at their places, and those filled in come after them", () => {
    const text = `{"z":1,${START},"a":2}`;
    expect(membersOf(decodeText(text))).toBe(`"z":1,${START},"a":2,${DEFAULTS}`);
  });

  test("an event without gaps is passed on byte for byte", () => {
    for (const sample of [STATUS, RESULT, ERROR]) {
      const text = JSON.stringify(sample);
      expect(`{${membersOf(decodeText(text))}`).toBe(text);
    }
  });

  test("a field that needs no normalising keeps even its spelling", () => {
    const text = `{${START},"error_details":null,"timestamp" : "2026-11-24T03:\\u00300:00Z","analysis_id":\t"${ANALYSIS}"}`;
    expect(`{${membersOf(decodeText(text))}`).toBe(text);
  });

  test("numbers of known fields are passed on as written too", () => {
    const text = sampleText("status_update", { progress: 0.5 }).replace(":0.5", ":5.000e-1");
    expect(membersOf(decodeText(text))).toContain(`"progress":5.000e-1,`);
  });

  test("a raw line break becomes a space, an escaped one stays", () => {
    const members = membersOf(decodeText(`{\r\n ${START},\n"x":"a\\nb",\r"y":[\n1\n]\n}\n`));
    expect(members).toBe(`${START},"x":"a\\nb","y":[ 1 ],${DEFAULTS}`);
  });

  test("the last of several members with one name wins, once", () => {
    const text = `{"x":1,${START},"x":2,"error_c\\u006fde":"F"}`;
    const members = membersOf(decodeText(text));
    expect(members).toBe(`"x":2,"event_type":"error","error_c\\u006fde":"F","error_message":"m",${DEFAULTS}`);
  });

  test("a publisher's own event_id is dropped, however it is spelled", () => {
    for (const id of [`"event_id":"7-1"`, `"event\\u005fid":{"a":[1]}`, `"event_id":1,"event_id":2`]) {
      expect(membersOf(decodeText(`{${id},${START}}`))).toBe(`${START},${DEFAULTS}`);
      expect(membersOf(decodeText(`{${START},${id}}`))).toBe(`${START},${DEFAULTS}`);
    }
  });

  test("the text starts with a member, so that event_id can be put before it", () => {
    const notice = decodeEvent(` { "message" : "m" } `, NOTICE_CONTEXT);
    expect(membersOf(notice)).toBe(
      `"message" : "m","event_type":"notice","level":"info","data":null,"timestamp":"2026-11-24T03:27:22.785Z"}`,
    );
  });
});

describe("EV-6: a normalised value is replaced at its place", () => {
  test("times are put into UTC, with their fractions", () => {
    const fields = {
      timestamp: "2026-11-24 03:27:22.785846+00:00",
      estimated_completion: "2026-11-24T05:00:00.5+01:00",
    };
    const expected = {
      timestamp: "2026-11-24T03:27:22.785846Z",
      estimated_completion: "2026-11-24T04:00:00.5Z",
    };
    const members = membersOf(decodeSample("status_update", fields));
    expect(`{${members}`).toBe(sampleText("status_update", expected));
  });

  test("a blank blockchain_hash becomes null", () => {
    for (const blockchain_hash of ["", "  ", "\t\n"]) {
      expect(wireOf(decodeSample("result_update", { blockchain_hash }))).toEqual({
        ...RESULT,
        blockchain_hash: null,
      });
    }
  });

  test("EV-4: analysis_id is put into lower case", () => {
    const result = decodeSample("error", { analysis_id: ANALYSIS.toUpperCase() });
    expect(`{${membersOf(result)}`).toBe(sampleText("error"));
    expect(result).toMatchObject({ event: { analysis_id: ANALYSIS } });
  });
});

describe("EV-5: a channel carries its own types", () => {
  test("an analysis channel takes no event without an event_type", () => {
    expect(pathsOf(decodeText(`{"message":"m"}`))).toEqual([["event_type"]]);
  });

  test("a channel of notices takes notices alone", () => {
    for (const channel of [SYSTEM_CHANNEL, userChannel("alice@example.com")] as const) {
      expect(decodeEvent(`{"message":"m"}`, { channel, now: NOW })).toMatchObject({ ok: true });
      const result = decodeEvent(sampleText("status_update"), { channel, now: NOW });
      expect(pathsOf(result)).toEqual([["event_type"]]);
    }
  });

  test("a notice may carry any analysis_id: it is a field like others there", () => {
    expect(decodeSample("notice", { analysis_id: "not a UUID" })).toMatchObject({ ok: true });
  });

  test("a notice belongs to no attempt", () => {
    expect(decodeSample("notice", { attempt_id: "run-1" })).toMatchObject({
      event: { attempt_id: "run-1" },
      encoded: { attemptId: undefined },
    });
  });
});

test("the kind, stage, time and attempt of an event are told beside its text", () => {
  const told = (result: ReturnType<typeof decodeText>) => {
    if (!result.ok) throw new Error("refused");
    const { kind, stage, timestamp, attemptId } = result.encoded;
    return [kind, stage, timestamp, attemptId];
  };
  const at = "2026-11-24T03:00:00Z";
  expect(told(decodeSample("status_update"))).toEqual(["status", "frame_extraction", at, undefined]);
  const completed = { current_stage: "completed", attempt_id: "run-1" };
  expect(told(decodeSample("status_update", completed))).toEqual([
    "status_completed",
    "completed",
    at,
    "run-1",
  ]);
  expect(told(decodeSample("status_update", { current_stage: "failed" }))[0]).toBe("status_failed");
  expect(told(decodeSample("status_update", { current_stage: "cancelled" }))[0]).toBe("status_cancelled");
  expect(told(decodeSample("status_update", { current_stage: "queued" }))).toEqual([
    "status",
    "queued",
    at,
    undefined,
  ]);
  expect(told(decodeSample("result"))).toEqual(["data_result", undefined, at, undefined]);
  expect(told(decodeSample("result_update"))).toEqual(["result", undefined, at, undefined]);
  expect(told(decodeSample("error", { attempt_id: "run-2" }))).toEqual(["error", undefined, at, "run-2"]);
  expect(told(decodeSample("notice"))).toEqual(["notice", undefined, at, undefined]);
});

describe("EV-7: size", () => {
  const ofBytes = (bytes: number, filler: string) => {
    const frame = `{${START},"x":""}`;
    const size = new TextEncoder().encode(filler).length;
    const rest = bytes - frame.length;
    return frame.replace(`""`, `"${filler.repeat(Math.floor(rest / size))}${"a".repeat(rest % size)}"`);
  };

  test.each([["a"], ["é"], ["€"], ["😀"]])(
    "an event of 1 MiB of %s is taken, one byte more is not",
    (filler) => {
      expect(decodeText(ofBytes(MAX_EVENT_BYTES, filler)).ok).toBe(true);
      expect(decodeText(ofBytes(MAX_EVENT_BYTES + 1, filler))).toMatchObject({
        ok: false,
        reason: "too_large",
      });
      expect(decodeEvents(ofBytes(MAX_EVENT_BYTES + 1, filler), CONTEXT)).toMatchObject({
        reason: "too_large",
      });
    },
  );
});

describe("PUB-3: a batch", () => {
  const error = sampleText("error");

  test("takes 1 to 500 events in order, each as written", () => {
    for (const size of [1, 2, 500]) {
      const texts = Array.from({ length: size }, (_, index) => `{${START},"n":${index}.0}`);
      const result = decodeEvents(`[ ${texts.join(" ,\n")} ]`, CONTEXT);
      if (!result.ok) throw new Error(result.reason);
      expect(result.events.map(({ encoded }) => encoded.members)).toEqual(
        texts.map((text) => `${text.slice(1, -1)},${DEFAULTS}`),
      );
    }
  });

  test("that is empty or holds more than 500 is refused as a whole", () => {
    for (const text of ["[]", " [ ] ", `[${Array(501).fill(error).join(",")}]`]) {
      const result = decodeEvents(text, CONTEXT);
      expect(result).toMatchObject({ ok: false, reason: "invalid", issues: [{ path: [] }] });
    }
  });

  test("is refused as a whole for one bad event, with the event's index first in the path", () => {
    const bad = sampleText("result_update", {
      suspicious_regions: [{ ...RESULT.suspicious_regions[0], x: 3 }],
    });
    const result = decodeEvents(`[${error},${bad},7,${error},[]]`, CONTEXT);
    expect(result).toMatchObject({
      ok: false,
      reason: "invalid",
      issues: [{ path: [1, "suspicious_regions", 0, "x"] }, { path: [2] }, { path: [4] }],
    });
  });

  test("names a hundred faults at most", () => {
    const result = decodeEvents(`[${Array(400).fill("{}").join(",")}]`, CONTEXT);
    expect(result.ok ? [] : result.issues).toHaveLength(100);
  });

  test("takes one event without an array, and its paths have no index", () => {
    expect(decodeEvents(error, CONTEXT)).toMatchObject({
      ok: true,
      events: [{ encoded: { kind: "error" } }],
    });
    expect(decodeEvents("{}", CONTEXT)).toMatchObject({ ok: false, issues: [{ path: ["event_type"] }] });
    expect(decodeEvents("{", CONTEXT)).toMatchObject({ ok: false, reason: "not_json" });
  });
});

describe("EV-2: a text that is no event is refused without a fault of ours", () => {
  const notJson = [
    "",
    " ",
    "nonsense",
    "{",
    "{}}",
    "[1,]",
    "'x'",
    "\ufeff{}",
    "\u0000",
    "\ud800",
    `{${START},"x":NaN}`,
    `{${START},"x":Infinity}`,
    `{${START},"x":-Infinity}`,
    `{${START},"x":"a\nb"}`,
    `{${START},}`,
    "[".repeat(1_000_000),
    `{"a":`.repeat(200_000),
  ];
  test.each(notJson.map((text) => [text.slice(0, 30), text]))("not JSON: %j", (_, text) => {
    expect(decodeText(text)).toMatchObject({ ok: false, reason: "not_json", issues: [{ path: [] }] });
  });

  const notAnObject = ["null", "true", "7", "1e999", `"text"`, "[]", `[{}]`, "-0"];
  test.each(notAnObject.map((text) => [text]))("no object: %s", (text) => {
    expect(decodeText(text)).toMatchObject({ ok: false, reason: "invalid", issues: [{ path: [] }] });
  });

  test("a number beyond all bounds in a known field", () => {
    for (const [name, field] of [
      ["status_update", "progress"],
      ["result_update", "total_frames"],
      ["result_update", "processing_time_ms"],
    ] as const) {
      const text = sampleText(name, { [field]: 1 }).replace(`"${field}":1`, `"${field}":1e999`);
      expect(pathsOf(decodeText(text))).toEqual([[field]]);
    }
  });

  test("fields that an event only inherits count as missing", () => {
    const text = `{"event_type":"error","__proto__":{"error_code":"E","error_message":"m"}}`;
    expect(pathsOf(decodeText(text))).toEqual([["error_code"], ["error_message"]]);
  });
});

describe("nothing is thrown and every decoded event is sound, whatever comes in", () => {
  const pieces = [
    ...`{}[]",:\\`,
    ..."\n \r0-.e",
    `"event_type"`,
    `"status_update"`,
    `"__proto__"`,
    `"constructor"`,
    "null",
    "NaN",
    "1e999",
    "\ud800",
    "😀",
  ];

  test("over random texts", () => {
    const random = new Seeded(7);
    for (let run = 0; run < 3_000; run++) {
      const text = Array.from({ length: random.below(30) }, () => random.pick(pieces)).join("");
      expect(decodeEvents(text, CONTEXT).ok || decodeEvent(text, NOTICE_CONTEXT).ok).toBe(false);
    }
  });

  test("over samples with a piece cut out, doubled or replaced", () => {
    const random = new Seeded(11);
    const samples = [STATUS, RESULT, ERROR].map((sample) => JSON.stringify(sample, undefined, 1));
    let accepted = 0;
    for (let run = 0; run < 6_000; run++) {
      const sample = random.pick(samples);
      const at = random.below(sample.length);
      const text = sample.slice(0, at) + random.pick(["", ...pieces]) + sample.slice(at + random.below(3));
      const result = decodeText(text);
      if (!result.ok) continue;
      accepted += 1;
      const { members } = result.encoded;
      expect(members).toMatch(/^"/);
      expect(members).not.toMatch(/[\r\n]/);
      expect(JSON.parse(`{${members}`)).toMatchObject({ ...result.event });
    }
    expect(accepted).toBeGreaterThan(100);
  });

  test("over random extra fields, the parsed event is the given one and its defaults", () => {
    const random = new Seeded(13);
    const names = ["a", "7", "__proto__", "x\\u0041", "event_id", "toString", ""];
    const values = ["1.0", "[]", `{"a":[1,{}]}`, `"}"`, `"\\\\"`, `"\\\\\\""`, "null", `[ "]" , {"b":"["} ]`];
    const spaces = ["", " ", "\n", "\t\r\n"];
    for (let run = 0; run < 2_000; run++) {
      const space = () => random.pick(spaces);
      const extras = Array.from(
        { length: random.below(6) },
        () => `,${space()}"${random.pick(names)}"${space()}:${space()}${random.pick(values)}${space()}`,
      );
      const text = `${space()}{${space()}${START}${extras.join("")}}${space()}`;
      const given = JSON.parse(text) as Record<string, unknown>;
      delete given.event_id;
      // Compared as entries: assigning an own `__proto__` to another object would lose it.
      expect(Object.entries(wireOf(decodeText(text)))).toEqual([
        ...Object.entries(given),
        ...Object.entries(JSON.parse(`{${DEFAULTS}`)),
      ]);
    }
  });
});
