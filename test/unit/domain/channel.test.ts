import { describe, expect, test } from "bun:test";
import {
  type AnalysisId,
  analysisChannel,
  analysisIdOf,
  isAnalysisChannel,
  isUserId,
  parseAnalysisId,
  parseChannel,
  SYSTEM_CHANNEL,
  userChannel,
} from "../../../src/domain/channel.ts";

const ID = "0e8dddc7-9ebf-01f3-f08a-5a3f91f1c3c0";

describe("WS-16: an analysis id", () => {
  test("is a UUID of any version, kept in lower case", () => {
    for (const id of [ID, ID.toUpperCase(), "ffffffff-ffff-ffff-ffff-ffffffffffff"]) {
      expect(parseAnalysisId(id)).toBe(id.toLowerCase() as AnalysisId);
    }
  });

  const refused = [
    "",
    "x",
    ID.slice(1),
    `${ID}0`,
    ID.replaceAll("-", ""),
    `{${ID}}`,
    `${ID}\n`,
    ID.replace("e", "g"),
  ];
  test.each(refused.map((text) => [text]))("is not %j", (text) => {
    expect(parseAnalysisId(text)).toBeUndefined();
  });
});

describe("BUD-1: the name of a user", () => {
  test.each([
    ["a"],
    ["alice@example.com"],
    ["a b"],
    ["*"],
    ["u".repeat(256)],
    ["ü".repeat(128)],
    ["😀".repeat(64)],
  ])("may be %j", (name) => {
    expect(isUserId(name)).toBe(true);
    expect(parseChannel(`user:${name}`)).toBe(userChannel(name));
  });

  const refused = ["", " ", "\n\t", "half a \ud83c", "u".repeat(257), `a${"ü".repeat(128)}`, "😀".repeat(65)];
  test.each([...refused, "u".repeat(1024 * 1024)].map((name) => [name]))("is not %j", (name) => {
    expect(isUserId(name)).toBe(false);
    expect(parseChannel(`user:${name}`)).toBeUndefined();
  });
});

describe("a channel name", () => {
  test("is read in either case for an analysis, and names it in lower case", () => {
    const channel = parseChannel(`analysis:${ID.toUpperCase()}`);
    expect(channel).toBe(analysisChannel(ID as AnalysisId));
    if (channel === undefined || !isAnalysisChannel(channel)) throw new Error("no channel of an analysis");
    expect(analysisIdOf(channel)).toBe(ID as AnalysisId);
  });

  test("is taken as written for a user, and is one for the system", () => {
    expect(parseChannel("user:Alice@example.com:x")).toBe(userChannel("Alice@example.com:x"));
    expect(parseChannel("system:updates")).toBe(SYSTEM_CHANNEL);
    expect(isAnalysisChannel(SYSTEM_CHANNEL)).toBe(false);
  });

  const others = [
    "",
    "analysis:",
    "analysis:x",
    "user:",
    "user: ",
    "user:half a \ud83c",
    `user:${"u".repeat(257)}`,
    "system:",
    "system:other",
    "other:x",
    `Analysis:${ID}`,
    ID,
  ];
  test.each(others.map((text) => [text]))("is not %j", (name) => {
    expect(parseChannel(name)).toBeUndefined();
  });
});
