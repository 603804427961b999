import { SignJWT } from "jose";

/** The two tokens a backend mints: one for its own publishing, one for each visitor's browser. */
export interface Tokens {
  /** Says who watches, and nothing of what: the declared viewers decide that. It may also cancel what they may watch. */
  forVisitor(user: string): Promise<string>;
  /** May publish to this one analysis, for as long as a request takes. */
  forPublishing(analysisId: string): Promise<string>;
}

/** `secret` is the gateway's JWT_SECRET_KEY. */
export function createTokens(secret: string): Tokens {
  const key = new TextEncoder().encode(secret);
  const sign = (claims: Record<string, unknown>, lifetime: string) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt()
      .setExpirationTime(lifetime)
      .sign(key);
  return {
    forVisitor: (user) => sign({ user_id: user, scope: "analysis:cancel" }, "10m"),
    forPublishing: (analysisId) => sign({ analyses: [analysisId], scope: "analysis:publish" }, "1m"),
  };
}
