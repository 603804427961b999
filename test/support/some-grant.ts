import { AccessGrant, type VerifiedToken } from "../../src/domain/access-grant.ts";

/** The claims of a good token of alice's, but for what a test says otherwise. */
export function someClaims(claims: Partial<VerifiedToken> = {}): VerifiedToken {
  return {
    userId: "alice",
    scopes: new Set(),
    analyses: undefined,
    expiresAt: Date.UTC(2026, 10, 25),
    unreadable: {},
    ...claims,
  };
}

export function someGrant(claims: Partial<VerifiedToken> = {}): AccessGrant {
  return new AccessGrant(someClaims(claims));
}
