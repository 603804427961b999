import { describe, expect, test } from "bun:test";
import { decodeAddressedEvent, decodeEvents } from "../../../src/domain/decode-event.ts";
import {
  ANALYSIS,
  CHANNEL,
  decodeSample,
  decodeText,
  membersOf,
  NOW,
  pathsOf,
  REGION,
  type SampleName,
  sampleText,
  wireOf,
} from "./event-samples.ts";

describe("EV-14: a number within 1e-6 outside its bound is taken as the bound", () => {
  const fractions: [string, number][] = [
    ["1.0000000000000007", 1],
    ["1.000001", 1],
    ["1.0000000000000002", 1],
    ["-1e-17", 0],
    ["-0.000001", 0],
    ["-5e-324", 0],
  ];
  test.each(fractions)("%s", (source, bound) => {
    for (const [name, field] of [
      ["status_update", "progress"],
      ["result_update", "confidence_score"],
    ] as const) {
      const at = (value: string) => sampleText(name, { [field]: "HERE", extra: 1 }).replace('"HERE"', value);
      const result = decodeText(at(source));
      expect(`{${membersOf(result)}`).toBe(at(`${bound}`));
      expect(result).toMatchObject({ event: { [field]: bound } });
    }
  });

  test("a hundred steps of a hundredth reach 1", () => {
    let progress = 0;
    for (let step = 0; step < 100; step++) progress += 1 / 100;
    expect(progress).toBeGreaterThan(1);
    const result = decodeSample("status_update", { progress, current_stage: "completed" });
    expect(wireOf(result).progress).toBe(1);
  });

  test("a number within its bounds is passed on as written, to the last digit", () => {
    for (const source of ["0.99999999999999999", "1e-17", "-0", "-0.0", "1.0", "10E-1", "5e-324"]) {
      const text = sampleText("status_update", { progress: "HERE" }).replace('"HERE"', source);
      expect(`{${membersOf(decodeText(text))}`).toBe(text);
    }
  });

  test("each number of a region has its bounds, and of the regions only that number is rewritten", () => {
    for (const field of ["x", "y", "width", "height", "confidence"]) {
      const regions = (value: string) => {
        const bad = JSON.stringify({ note: "7.0", ...REGION, [field]: "HERE" }).replace('"HERE"', value);
        const good = `{ "frame_number" : 7.0,"x":0.10,"y":0,"width":1E0,"height":1,"confidence":0,"region_type":"f\\u0061ce" ,"more":[ 1.0 ]}`;
        return [good, bad.replace('"7.0"', "7.0"), good];
      };
      const at = (value: string) =>
        sampleText("result_update", { suspicious_regions: "HERE" }).replace('"HERE"', `[${regions(value)}]`);
      const [good] = regions("1");
      const members = membersOf(decodeText(at("1.0000000000000007")));
      expect(members).toContain(`"suspicious_regions":[${good},{"note":7.0,`);
      expect(`{${members}`).toBe(at("1"));
      expect(wireOf(decodeText(at("-1e-9")))).toEqual(JSON.parse(at("0")));
    }
  });

  test("a count a little below zero is zero", () => {
    const result = decodeSample("result_update", {
      frames_processed: -1e-9,
      total_frames: -1e-7,
      processing_time_ms: -1e-6,
    });
    expect(wireOf(result)).toMatchObject({ frames_processed: 0, total_frames: 0, processing_time_ms: 0 });
  });

  test("a publisher's own fields have no bounds, in a region neither", () => {
    const own = { progress: 1.0000001, confidence_score: -1e-9, total_frames: -1e-9 };
    const region = { ...REGION, ...own };
    const text = sampleText("result_update", { progress: 7.0000001, suspicious_regions: [region] });
    expect(`{${membersOf(decodeText(text))}`).toBe(text);
    const rounded = sampleText("result_update", { suspicious_regions: [{ ...region, x: 1.0000001 }] });
    expect(wireOf(decodeText(rounded)).suspicious_regions).toEqual([{ ...region, x: 1 }]);
  });

  test("frames that are more than those there are stay a fault", () => {
    expect(pathsOf(decodeSample("result_update", { frames_processed: 1, total_frames: -1e-9 }))).toEqual([
      ["total_frames"],
    ]);
    expect(decodeSample("result_update", { frames_processed: 0, total_frames: -1e-9 }).ok).toBe(true);
  });

  test("an event of a batch has the same bounds", () => {
    const event = sampleText("status_update", { progress: 1.0000001 });
    const result = decodeEvents(`[${event},${event}]`, { channel: CHANNEL, now: NOW });
    expect(result).toMatchObject({ events: [{ event: { progress: 1 } }, { event: { progress: 1 } }] });
  });
});

describe("EV-15: a blank error_message becomes the error_code", () => {
  test.each(["", " ", "\n\t", "\u00a0\u2003"])("%j", (error_message) => {
    const result = decodeSample("error", { error_message });
    expect(`{${membersOf(result)}`).toBe(sampleText("error", { error_message: "E_DECODE" }));
    expect(result).toMatchObject({ event: { error_message: "E_DECODE" } });
  });

  test("takes the first kilobyte of a long code, and the cut is to be seen", () => {
    const result = decodeSample("error", { error_message: " ", error_code: `E${"ü".repeat(400_000)}` });
    const { event } = result as unknown as { event: { error_code: string; error_message: string } };
    expect(event.error_code).toHaveLength(400_001);
    expect(event.error_message).toMatch(/^Eü+ … \(cut\)$/);
    const { length } = new TextEncoder().encode(event.error_message);
    expect(length).toBeGreaterThan(1_000);
    expect(length).toBeLessThan(1_025);
    expect(JSON.parse(`{${membersOf(result)}`).error_message).toBe(event.error_message);
  });

  test("names the code as the fault if that is blank as well", () => {
    expect(pathsOf(decodeSample("error", { error_message: "", error_code: " " }))).toEqual([["error_code"]]);
    expect(pathsOf(decodeSample("error", { error_message: "", error_code: undefined }))).toEqual([
      ["error_code"],
    ]);
  });
});

describe("EV-16: values as kombu writes Python's types are read", () => {
  const HEX = ANALYSIS.replaceAll("-", "");
  const uuid = (value: unknown) => ({ __type__: "uuid", __value__: value });
  const datetime = { __type__: "datetime", __value__: "2026-11-24T03:00:00" };

  test("times become text at their place", () => {
    const fields = {
      timestamp: datetime,
      estimated_completion: { ...datetime, __value__: "2026-11-24 05:00:00.000001+01:00" },
    };
    const expected = {
      timestamp: "2026-11-24T03:00:00Z",
      estimated_completion: "2026-11-24T04:00:00.000001Z",
    };
    expect(`{${membersOf(decodeSample("status_update", fields))}`).toBe(
      sampleText("status_update", expected),
    );
  });

  test("numbers as well, in every type of event", () => {
    for (const name of ["status_update", "result_update", "error", "notice"] as SampleName[]) {
      const result = decodeSample(name, { timestamp: 1795490842.785846 });
      expect(`{${membersOf(result)}`).toBe(sampleText(name, { timestamp: "2026-11-24T03:27:22.785846Z" }));
      expect(result).toMatchObject({ encoded: { timestamp: "2026-11-24T03:27:22.785846Z" } });
    }
  });

  test.each([
    ["as text", ANALYSIS],
    ["as digits", HEX],
    ["as the digits in an object", { hex: HEX }],
  ])("ids become text, %s", (_, value) => {
    const ids = { task_id: uuid(value), analysis_id: uuid(value), attempt_id: uuid(value) };
    const result = decodeSample("status_update", ids);
    const plain = { task_id: ANALYSIS, analysis_id: ANALYSIS, attempt_id: ANALYSIS };
    expect(`{${membersOf(result)}`).toBe(sampleText("status_update", plain));
    expect(result).toMatchObject({ encoded: { attemptId: ANALYSIS } });
    expect(decodeAddressedEvent(sampleText("status_update", ids), { now: NOW })).toMatchObject({
      ok: true,
      channel: CHANNEL,
    });
  });

  test("an analysis_id in capitals is the same analysis, another one is refused", () => {
    const capitals = uuid({ hex: HEX.toUpperCase() });
    expect(wireOf(decodeSample("error", { analysis_id: capitals })).analysis_id).toBe(ANALYSIS);
    const other = uuid({ hex: HEX.replace("0", "1") });
    expect(pathsOf(decodeSample("error", { analysis_id: other }))).toEqual([["analysis_id"]]);
  });

  test("elsewhere such objects are passed on as they are", () => {
    const extra = { at: datetime, id: uuid({ hex: HEX }) };
    const text = sampleText("error", { error_details: extra, extra });
    expect(`{${membersOf(decodeText(text))}`).toBe(text);
  });
});
