import { describe, expect, test } from "bun:test";
import { weaknessOf } from "../../../../src/gateway/config/key-strength.ts";
import { Seeded } from "../../domain/seeded.ts";

const KEYS = 2_000;
const HEX = "0123456789abcdef";
const SMALL = "abcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";

// The same keys in every run: chance alone makes one key in some 100,000 that is rightly refused.
const random = new Seeded(20261128);
const randomText = (alphabet: string, length: number) =>
  Array.from({ length }, () => alphabet[random.below(alphabet.length)]).join("");
const randomBytes = (length: number) => Uint8Array.from({ length }, () => random.below(256));
const word = (length: number) => randomText(SMALL, length);
/** At least one digit: groups of small letters alone read as words. */
const mixed = (length: number) => randomText(DIGITS, 1) + randomText(SMALL + DIGITS, length - 1);

describe("CFG-2: a token key", () => {
  test.each<[string, () => string]>([
    ["32 hexadecimal digits", () => randomText(HEX, 32)],
    ["64 hexadecimal digits", () => randomText(HEX, 64)],
    ["32 capital hexadecimal digits", () => randomText(HEX, 32).toUpperCase()],
    ["44 characters of Base64", () => randomBytes(32).toBase64()],
    [
      "43 characters of Base64url",
      () => randomBytes(32).toBase64({ alphabet: "base64url" }).replace("=", ""),
    ],
    ["32 characters of Base64", () => randomBytes(24).toBase64()],
    ["32 letters and digits", () => randomText(SMALL + SMALL.toUpperCase() + DIGITS, 32)],
    ["32 small letters", () => randomText(SMALL, 32)],
    ["32 characters of Base32", () => randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32)],
    ["48 digits", () => randomText(DIGITS, 48)],
    ["a UUID and a half", () => [8, 4, 4, 4, 12, 16].map((length) => randomText(HEX, length)).join("-")],
    ["six groups of six small letters", () => Array.from({ length: 6 }, () => word(6)).join("-")],
    ["six unlike groups of letters and digits", () => [5, 7, 6, 8, 5, 6].map(mixed).join("-")],
    ["words in quotes", () => `"${[6, 4, 8, 5, 7, 6, 5, 4, 7, 8, 6].map(word).join(" ")}."`],
    ["eleven words of four to eight letters", () => [6, 4, 8, 5, 7, 6, 5, 4, 7, 8, 6].map(word).join(" ")],
  ])("of %s at random is not refused", (_, key) => {
    const refused: string[] = [];
    for (let round = 0; round < KEYS; round++) {
      const one = key();
      if (weaknessOf(one) !== undefined) refused.push(one);
    }
    expect(refused).toEqual([]);
  });

  test.each([
    ["hexadecimal digits among which chance put no letter", "83027465910284736501928374650192"],
    ["small letters among which chance put six of the alphabet in a row", "hqabcdefzmwrktqpvxjnulsyodgebcia"],
  ])("of 32 %s is refused, because nobody can tell it from a poor one", (_, key) => {
    expect(weaknessOf(key)).toStartWith("is easy to guess");
    // One other character tells it apart.
    expect(weaknessOf(`${key.slice(0, 4)}F${key.slice(5)}`)).toBeUndefined();
  });

  test.each([
    "a".repeat(32),
    "a".repeat(5_000),
    " ".repeat(32),
    "\t".repeat(32),
    "0".repeat(64),
    "ä".repeat(16),
    "ab".repeat(20),
    "secret".repeat(6),
    "Secret secret SECRET secret SECRET",
    "changeme".repeat(4),
    "change-me-".repeat(4),
    "password123".repeat(3),
    "my-secret-key-my-secret-key-my-secret-key",
    "correct-horse-correct-horse-correct-horse",
    "0123456789".repeat(4),
    "0123456789abcdef".repeat(2),
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    "aaaaaaaabbbbbbbbccccccccdddddddd",
    `x${" ".repeat(40)}`,
    "secret-token-password-change-default-example",
    `${"deadbeef".repeat(3)}cafebabe`,
    "31415926535897932384626433832795",
    "correct horse battery staple correct",
    "Correct-Horse-Battery-Staple-Correct",
    "CORRECT_HORSE_BATTERY_STAPLE_AGAIN",
    "the quick brown fox jumps over the lazy dog",
    "our production gateway of the year 2026",
    "never.gonna.give.you.up.never.gonna.let.you.down",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "QwertyuiopAsdfghjklZxcvbnm1234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9",
    "poiuytrewqlkjhgfdsamnbvcxz0987654321",
  ])("as %p is easy to guess", (key) => {
    expect(weaknessOf(key)).toStartWith("is easy to guess");
  });

  test.each([
    "at-least-32-bytes-that-the-gateway-has-too",
    "AT LEAST 32 BYTES THAT THE GATEWAY HAS TOO",
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "!ChangeThisMercureHubJWTSecretKey!",
    "!changethismercurehubjwtsecretkey!",
  ])("as %p is a known example", (key) => {
    expect(weaknessOf(key)).toBe("is a known example");
  });

  test.each([
    // Once the key of Telltale's own tests.
    "a-secret-for-tests-of-32-bytes-or-more",
    "7f3a9c51e0d24b68a1f7c93e5d08b246",
  ])("as %p stood in this repository, and is a known example", (key) => {
    expect(weaknessOf(key)).toBe("is a known example");
  });

  test("that is anywhere in this repository is a known example, also if it is added one day", async () => {
    const found = await keysOfTheRepository();
    for (const place of ["docs/", "test/", "bench/"])
      expect(found.map(({ file }) => file)).toContainEqual(expect.stringContaining(place));
    expect(found.filter(({ key }) => weaknessOf(key) !== "is a known example")).toEqual([]);
  });
});

/** Texts of 32 bytes and more that are given to something whose name says that it is a key or a secret. */
async function keysOfTheRepository(): Promise<{ readonly file: string; readonly key: string }[]> {
  const root = new URL("../../../../", import.meta.url).pathname;
  const files = ["{README,CONTRIBUTING,CHANGELOG}.md", "{compose.yaml,Dockerfile,package.json}"].concat(
    ["docs", "test", "examples", "bench", "deploy", "scripts", "src"].map((folder) => `${folder}/**/*`),
  );
  const paths = files
    .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root, dot: true })])
    .filter((path) => !path.includes("node_modules/"));
  const texts = await Promise.all(
    paths.map(async (file) => ({ file, text: await Bun.file(root + file).text() })),
  );
  return texts.flatMap(({ file, text }) =>
    [QUOTED, BARE].flatMap((form) =>
      [...text.matchAll(form)].map(({ groups }) => ({ file, key: groups?.key ?? "" })),
    ),
  );
}

const QUOTED = /\b\w*(?:SECRET|KEY)["']?\s*[:=]\s*(?<quote>["'`])(?<key>[^"'`\n$]{32,})\k<quote>/g;
const BARE = /\b\w*(?:SECRET|KEY)(?:=|: )(?<key>[^\s"'`$<]{32,})/g;
