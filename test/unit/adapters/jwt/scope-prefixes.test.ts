import { expect, test } from "bun:test";
import { readClaims } from "../../../../src/adapters/jwt/token-claims.ts";
import { ORDINARY_CLAIMS } from "../../../../src/domain/claim-rules.ts";

test("a scope loses the longest prefix that it begins with, in whichever order they are listed", () => {
  for (const scopePrefixes of [
    ["api/", "api/telltale/"],
    ["api/telltale/", "api/"],
  ]) {
    const claims = { sub: "alice", exp: 2, scope: "api/telltale/analysis:publish api/notice:publish" };
    const { scopes } = readClaims(claims, 1_000, { ...ORDINARY_CLAIMS, scopePrefixes });
    expect([...scopes]).toEqual(["analysis:publish", "notice:publish"]);
  }
});
