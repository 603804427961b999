import type { AnalysisId } from "./channel.ts";

/** The viewers that the publisher of an analysis declared: these users, or everybody with a valid token. */
export type ViewerList = "*" | ReadonlySet<string>;

/** The claims of a verified token. Times are milliseconds since 1970. */
export interface VerifiedToken {
  /** Undefined for a token that names nobody (good for publishing, not for watching). */
  readonly userId: string | undefined;
  readonly scopes: ReadonlySet<string>;
  /** Limits watching and publishing alike; undefined if the token does not limit it. */
  readonly analyses: "*" | ReadonlySet<string> | undefined;
  readonly expiresAt: number;
  /** The malformed claims by what they should say. They are ignored; a request that needs one of them is refused. */
  readonly unreadable: UnreadableClaims;
}

/** The name of each malformed claim, as `user_id` or `realm_access.roles`. */
export interface UnreadableClaims {
  readonly user?: string;
  readonly scope?: string;
}

/**
 * Whether an analysis may be watched. `not_declared`: nobody may by default, and nobody declared viewers yet. The publisher
 * may do so in a moment.
 */
export type WatchVerdict = "allowed" | "not_allowed" | "not_declared";

export type Scope = "analysis:publish" | "analysis:cancel" | "notice:publish";

/** Judges the analyses that the holder of a verified token may watch and publish. */
export class AccessGrant {
  readonly #token: VerifiedToken;

  constructor(token: VerifiedToken) {
    this.#token = token;
  }

  get userId(): string | undefined {
    return this.#token.userId;
  }

  get expiresAt(): number {
    return this.#token.expiresAt;
  }

  get unreadable(): UnreadableClaims {
    return this.#token.unreadable;
  }

  hasScope(scope: Scope): boolean {
    return this.#token.scopes.has(scope);
  }

  mayPublishTo(analysis: AnalysisId): boolean {
    return this.hasScope("analysis:publish") && this.#claimAllows(analysis) !== false;
  }

  /** Judges by the first that applies: the token's claim, the declared viewers, the default. */
  judge(analysis: AnalysisId, viewers: ViewerList | undefined, byDefault: "allow" | "deny"): WatchVerdict {
    const allowed = this.#claimAllows(analysis) ?? this.#isAmong(viewers);
    if (allowed === undefined) return byDefault === "allow" ? "allowed" : "not_declared";
    return allowed ? "allowed" : "not_allowed";
  }

  #isAmong(viewers: ViewerList | undefined): boolean | undefined {
    if (viewers === undefined) return undefined;
    if (viewers === "*") return true;
    return this.userId !== undefined && viewers.has(this.userId);
  }

  #claimAllows(analysis: AnalysisId): boolean | undefined {
    const { analyses } = this.#token;
    if (analyses === undefined) return undefined;
    return analyses === "*" || analyses.has(analysis);
  }
}
