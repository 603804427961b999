import { describe, expect, test } from "bun:test";
import { weaknessOf } from "../../../src/config/key-strength.ts";

const KEYS = 2_000;
const HEX = "0123456789abcdef";
const SMALL = "abcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";

function randomText(alphabet: string, length: number): string {
  // Bytes beyond a multiple of the alphabet are left out, so that every character is as likely as any other.
  const bytes = [...crypto.getRandomValues(new Uint8Array(length * 2))].filter(
    (byte) => byte < 256 - (256 % alphabet.length),
  );
  return bytes
    .slice(0, length)
    .map((byte) => alphabet[byte % alphabet.length])
    .join("");
}

describe("CFG-2: a token key", () => {
  test.each<[string, () => string]>([
    ["32 hexadecimal digits", () => randomText(HEX, 32)],
    ["64 hexadecimal digits", () => randomText(HEX, 64)],
    ["32 capital hexadecimal digits", () => randomText(HEX, 32).toUpperCase()],
    ["44 characters of Base64", () => crypto.getRandomValues(new Uint8Array(32)).toBase64()],
    [
      "43 characters of Base64url",
      () => crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url" }).replace("=", ""),
    ],
    ["32 characters of Base64", () => crypto.getRandomValues(new Uint8Array(24)).toBase64()],
    ["32 letters and digits", () => randomText(SMALL + SMALL.toUpperCase() + DIGITS, 32)],
    ["32 small letters", () => randomText(SMALL, 32)],
    ["32 characters of Base32", () => randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32)],
    ["48 digits", () => randomText(DIGITS, 48)],
  ])("of %s at random is never refused", (_, key) => {
    const refused: string[] = [];
    for (let round = 0; round < KEYS; round++) {
      const one = key();
      if (one.length >= 32 && weaknessOf(one) !== undefined) refused.push(one);
    }
    expect(refused).toEqual([]);
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

  test("in the pages for readers and compose.yaml is a known example, whatever these say one day", async () => {
    const root = new URL("../../../", import.meta.url).pathname;
    const pages = ["README.md", "docs/WATCHING.md", "docs/OPERATING.md"];
    const texts = await Promise.all(pages.map((page) => Bun.file(`${root}${page}`).text()));
    const compose = await Bun.file(`${root}compose.yaml`).text();
    const written = [...texts.join("\n").matchAll(/JWT_SECRET_KEY=([\w-]{32,})/g)].map(([, key = ""]) => key);
    const [, asked = ""] = /JWT_SECRET_KEY:\?(.+)\}/.exec(compose) ?? [];
    expect(written).not.toEqual([]);
    expect(asked.length).toBeGreaterThan(31);
    for (const key of [...written, asked]) expect(weaknessOf(key)).toBe("is a known example");
  });
});
