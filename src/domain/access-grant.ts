import type { AnalysisId } from "./channel.ts";

/** Who may watch an analysis, as its publisher declared it: these users, or everybody with a valid token. */
export type ViewerList = "*" | ReadonlySet<string>;

/** What a verified token says. Times are milliseconds since 1970. */
export interface VerifiedToken {
  /** Claim `user_id`, else `sub`; undefined for a token that names nobody (good for publishing, not for watching). */
  readonly userId: string | undefined;
  readonly scopes: ReadonlySet<string>;
  /** Claim `analyses`: limits watching and publishing alike; undefined where the token does not have it. */
  readonly analyses: "*" | ReadonlySet<string> | undefined;
  readonly expiresAt: number;
  /** Names of claims that could not be read: they say nothing, and a request that needs one of them is refused. */
  readonly unreadable: readonly string[];
}

export type Scope = "analysis:publish" | "notice:publish";

/** What the holder of a verified token may watch and publish. */
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

  /** Whether the token has this claim in a shape that nobody can read. */
  isUnreadable(claim: string): boolean {
    return this.#token.unreadable.includes(claim);
  }

  hasScope(scope: Scope): boolean {
    return this.#token.scopes.has(scope);
  }

  mayPublishTo(analysis: AnalysisId): boolean {
    return this.hasScope("analysis:publish") && this.#claimAllows(analysis) !== false;
  }

  /** The first that applies: the token's claim, the declared viewers, the default. */
  mayWatch(analysis: AnalysisId, viewers: ViewerList | undefined, byDefault: "allow" | "deny"): boolean {
    const claimed = this.#claimAllows(analysis);
    if (claimed !== undefined) return claimed;
    if (viewers === "*") return true;
    if (viewers !== undefined) return this.userId !== undefined && viewers.has(this.userId);
    return byDefault === "allow";
  }

  #claimAllows(analysis: AnalysisId): boolean | undefined {
    const { analyses } = this.#token;
    if (analyses === undefined) return undefined;
    return analyses === "*" || analyses.has(analysis);
  }
}
