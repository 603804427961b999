import { describe, expect, test } from "bun:test";
import { claimAt, nameOf, parseClaimPaths, withClaim } from "../../../src/domain/claim-path.ts";

describe("TOK-9: the path of a claim", () => {
  test.each<[string, string[][]]>([
    ["sub", [["sub"]]],
    [" realm_access.roles ", [["realm_access", "roles"]]],
    ["user_id, sub", [["user_id"], ["sub"]]],
    ["cognito:groups", [["cognito:groups"]]],
    ['"https://app.example/roles"', [["https://app.example/roles"]]],
    ["'https://app.example/roles'", [["https://app.example/roles"]]],
    ['resource_access."my.client".roles,scp', [["resource_access", "my.client", "roles"], ["scp"]]],
  ])("%s is read", (text, paths) => {
    expect(parseClaimPaths(text)).toEqual(paths);
    expect(parseClaimPaths(paths.map(nameOf).join(","))).toEqual(paths);
  });

  test.each([
    "",
    " ",
    ".",
    "a.",
    ".a",
    "a..b",
    "a,",
    ",a",
    "a,,b",
    '"a',
    'a"b"',
    '""',
    "a b",
    "https://app.example/roles",
  ])("%j is refused", (text) => {
    expect(parseClaimPaths(text)).toBeUndefined();
  });

  test("leads through objects alone, and never to what every object has", () => {
    const claims = JSON.parse('{"a": {"b": [1], "n": null}, "text": "x", "__proto__": {"c": 1}}');
    expect(claimAt(claims, ["a", "b"])).toEqual([1]);
    expect(claimAt(claims, ["__proto__", "c"])).toBe(1);
    for (const path of [
      ["a", "n"],
      ["a", "n", "x"],
      ["a", "b", "0"],
      ["text", "length"],
      ["constructor"],
      ["a", "toString"],
      ["c"],
    ])
      expect(claimAt(claims, path)).toBeUndefined();
  });

  test("can be written where it is read, beside what is there", () => {
    const claims = withClaim(withClaim({ a: { b: 1 } }, ["a", "c", "d"], 2), ["__proto__", "x"], 3);
    expect(claimAt(claims, ["a", "b"])).toBe(1);
    expect(claimAt(claims, ["a", "c", "d"])).toBe(2);
    expect(claimAt(claims, ["__proto__", "x"])).toBe(3);
  });
});
