import { describe, expect, test } from "bun:test";
import { SYSTEM_CHANNEL } from "../../../src/domain/channel.ts";
import { decodeAddressedEvent, decodeEvent, decodeEvents } from "../../../src/domain/decode-event.ts";
import { processorTime } from "../../support/processor-time.ts";
import { ANALYSIS, CHANNEL, decodeText, NOW, pathsOf, sampleText } from "./event-samples.ts";

const CONTEXT = { channel: CHANNEL, now: NOW };

/** `levels` arrays or objects within one another. */
const arrays = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
/** An event whose member `x` is as given. */
const withX = (x: string, name = "x") => sampleText("error").replace("{", `{"${name}":${x},`);

describe("EV-13: an event is nested at most 64 levels deep", () => {
  test.each([
    ["arrays", arrays],
    ["objects", objects],
  ])("takes 63 %s within the event and refuses 64 with the path", (_, nested) => {
    expect(decodeText(withX(nested(63))).ok).toBe(true);
    for (const levels of [64, 65, 1_000, 100_000]) {
      const result = decodeText(withX(nested(levels)));
      expect(result).toMatchObject({ ok: false, reason: "invalid" });
      expect(pathsOf(result)).toEqual([["x"]]);
    }
  });

  test("500,000 levels in a mebibyte cost no stack and no parser, on every way in", () => {
    const text = withX(arrays(500_000));
    const spent = processorTime();
    expect(pathsOf(decodeText(text))).toEqual([["x"]]);
    expect(
      pathsOf(
        decodeEvent(`{"message":"m","data":{"x":${arrays(500_000)}}}`, { channel: SYSTEM_CHANNEL, now: NOW }),
      ),
    ).toEqual([["data"]]);
    expect(pathsOf(decodeAddressedEvent(text, { now: NOW }))).toEqual([["x"]]);
    const batch = decodeEvents(`[${sampleText("error")},${text}]`, CONTEXT);
    expect(batch).toMatchObject({ ok: false, reason: "invalid", issues: [{ path: [1, "x"] }] });
    expect(spent()).toBeLessThan(3_000);
  });

  test("a known field is named alike", () => {
    const details = sampleText("error").replace('{"frame":3}', objects(64));
    expect(pathsOf(decodeText(details))).toEqual([["error_details"]]);
    const regions = sampleText("result_update", { suspicious_regions: 7 }).replace(":7", `:${arrays(64)}`);
    expect(pathsOf(decodeText(regions))).toEqual([["suspicious_regions"]]);
  });

  test("in a batch every event has its 64 levels", () => {
    const good = withX(arrays(63));
    expect(decodeEvents(`[${good},${good}]`, CONTEXT).ok).toBe(true);
    const bad = withX(objects(64));
    for (const text of [`[${good},${bad}]`, ` \n[ ${good} , ${bad} , ${bad} ] `]) {
      expect(decodeEvents(text, CONTEXT)).toMatchObject({ ok: false, issues: [{ path: [1, "x"] }] });
    }
  });

  test("brackets within texts, and brackets beside one another, are no nesting", () => {
    expect(decodeText(withX(`"${"[{".repeat(500)}\\\\\\"[[["`)).ok).toBe(true);
    expect(decodeText(withX(`[${Array(500).fill("[{}]").join(",")}]`)).ok).toBe(true);
    expect(decodeText(withX(`{"\\"[[[{{{":[],"b]":{}}`)).ok).toBe(true);
  });

  test("the end of a text is found whatever its length, and whatever is escaped in it", () => {
    for (let length = 50; length < 80; length++) {
      for (const end of ["", '\\"', "\\\\", '\\\\\\"', '\\"[[[[']) {
        const event = (levels: number) => withX(`["${"x".repeat(length)}${end}",${arrays(levels)}]`);
        expect(decodeText(event(62)).ok).toBe(true);
        expect(pathsOf(decodeText(event(63)))).toEqual([["x"]]);
      }
    }
    expect(decodeText(withX(`"${"x".repeat(200)}`))).toMatchObject({ reason: "not_json" });
  });

  test("the path is the member's, whatever comes before it, and short", () => {
    const before = `{"a":[1,{"b":[2]},"c"],"d":"e:\\"f"},"g`;
    expect(pathsOf(decodeText(withX(`${before}":${arrays(64)}`)))).toEqual([["g"]]);
    const [path] = pathsOf(decodeText(withX(arrays(64), "n".repeat(100_000))));
    expect(path).toEqual(["n".repeat(64)]);
    const [half] = pathsOf(decodeText(withX(arrays(64), `${"n".repeat(63)}😀`)));
    expect(half).toEqual(["n".repeat(63)]);
  });

  test("nothing but brackets is refused as what it is", () => {
    expect(decodeText(arrays(65))).toMatchObject({ ok: false, reason: "invalid", issues: [{ path: [] }] });
    expect(decodeText(arrays(400_000))).toMatchObject({ ok: false, reason: "invalid" });
  });

  test("a text that is not closed is no JSON, however deep", () => {
    for (const text of [
      "[".repeat(1_000_000),
      `{"a":`.repeat(200_000),
      withX("[".repeat(100)),
      `${"[".repeat(70)}"`,
    ]) {
      expect(decodeText(text)).toMatchObject({ ok: false, reason: "not_json", issues: [{ path: [] }] });
    }
    expect(decodeText(`{"analysis_id":"${ANALYSIS}","x":"`)).toMatchObject({ reason: "not_json" });
  });
});
