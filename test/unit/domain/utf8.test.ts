import { describe, expect, test } from "bun:test";
import { exceedsBytes, firstBytes, lastBytes, utf8Length } from "../../../src/domain/utf8.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

describe("bytes of UTF-8", () => {
  const texts = [
    "",
    "a",
    "ü",
    "€",
    "😀",
    "half a \ud83c",
    "aü€😀".repeat(20_000),
    "😀".repeat(5_000),
    "x".repeat(70_000),
  ];

  test.each(texts.map((text) => [text.length, text] as const))(
    "are counted in a text of %d units",
    (_, text) => {
      expect(utf8Length(text)).toBe(bytesOf(text));
      expect(exceedsBytes(text, bytesOf(text))).toBe(false);
      if (text !== "") expect(exceedsBytes(text, bytesOf(text) - 1)).toBe(true);
    },
  );

  test("a text is cut between characters, never within one", () => {
    expect(firstBytes("aü€😀", 100)).toBe("aü€😀");
    expect([1, 2, 3, 5, 6, 9, 10].map((most) => firstBytes("aü€😀", most))).toEqual([
      "a",
      "a",
      "aü",
      "aü",
      "aü€",
      "aü€",
      "aü€😀",
    ]);
    expect(lastBytes("😀€üa", 100)).toBe("😀€üa");
    expect([1, 2, 3, 5, 6, 9, 10].map((most) => lastBytes("😀€üa", most))).toEqual([
      "a",
      "a",
      "üa",
      "üa",
      "€üa",
      "€üa",
      "😀€üa",
    ]);
  });
});
