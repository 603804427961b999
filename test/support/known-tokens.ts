import { TokenRejected } from "../../src/application/errors.ts";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";
import type { TokenVerifierPort } from "../../src/application/ports/token-verifier-port.ts";
import type { VerifiedToken } from "../../src/domain/access-grant.ts";
import { someClaims } from "./some-grant.ts";

/** Takes the tokens it was told of, while their time lasts: for tests of what comes after the signature. */
export class KnownTokens implements TokenVerifierPort {
  /** If set, every verification waits for it. */
  gate: Promise<void> | undefined;
  /** If set, every verification fails with it, though the token is good. */
  fault: Error | undefined;
  readonly #clock: ClockPort;
  readonly #known = new Map<string, VerifiedToken>();

  constructor(clock: ClockPort) {
    this.#clock = clock;
  }

  /** Makes `token` a good one, an hour long unless said otherwise, and answers it. */
  know(token: string, claims: Partial<VerifiedToken> = {}): string {
    this.#known.set(token, someClaims({ expiresAt: this.#clock.now() + 3_600_000, ...claims }));
    return token;
  }

  async verify(token: string): Promise<VerifiedToken> {
    await this.gate;
    if (this.fault !== undefined) throw this.fault;
    const claims = this.#known.get(token);
    if (claims === undefined) throw new TokenRejected("bad signature");
    if (claims.expiresAt <= this.#clock.now()) throw new TokenRejected("expired");
    return claims;
  }
}
