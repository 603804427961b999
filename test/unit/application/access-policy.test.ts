import { describe, expect, test } from "bun:test";
import { ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { someGrant } from "../../support/some-grant.ts";

const analysisId = analysisIdOf(someAnalysis());
const other = analysisIdOf(someAnalysis());

describe("ClaimsAndViewers", () => {
  test("WS-17: lets the claim decide before the viewers, and the viewers before the default", async () => {
    const [alice, bob] = [new Set(["alice"]), new Set(["bob"])];
    for (const [analyses, viewers, watchDefault, verdict] of [
      [new Set([analysisId]), bob, "deny", "allowed"],
      [new Set([other]), alice, "allow", "not_allowed"],
      [undefined, alice, "deny", "allowed"],
      [undefined, bob, "allow", "not_allowed"],
      [undefined, undefined, "allow", "allowed"],
      [undefined, undefined, "deny", "not_declared"],
    ] as const) {
      const policy = new ClaimsAndViewers(watchDefault);
      const access = { analysisId, grant: someGrant({ analyses }), viewers };
      expect([analyses, viewers, await policy.mayWatch(access)]).toEqual([analyses, viewers, verdict]);
      expect(policy.mayGoOn(access)).toBe(verdict);
    }
  });

  test("PUB-8: lets those publish whose token has the scope, within their claim", async () => {
    const policy = new ClaimsAndViewers("allow");
    const scopes = new Set(["analysis:publish"]);
    expect(await policy.mayPublish(someGrant({ scopes }), analysisId)).toBe("allowed");
    expect(await policy.mayPublish(someGrant(), analysisId)).toBe("scope_missing");
    const elsewhere = someGrant({ scopes, analyses: new Set([other]) });
    expect(await policy.mayPublish(elsewhere, analysisId)).toBe("not_allowed");
    expect(await policy.mayNotify(someGrant({ scopes }))).toBe("scope_missing");
    expect(await policy.mayNotify(someGrant({ scopes: new Set(["notice:publish"]) }))).toBe("allowed");
  });
});
