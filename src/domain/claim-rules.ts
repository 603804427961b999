import type { ClaimPath } from "./claim-path.ts";

/** The claims that a token must have, and those that say who its holder is and what the holder may do. */
export interface ClaimRules {
  /** The token must name one of them as `iss`. If there are none, `iss` is not looked at. */
  readonly issuers: readonly string[];
  /** The token must name one of them in `aud`. If there are none, `aud` is not looked at. */
  readonly audiences: readonly string[];
  /** The first that is there is the user. */
  readonly user: readonly ClaimPath[];
  /** The first that is there limits the analyses. */
  readonly analyses: readonly ClaimPath[];
  /** The scopes of all that are there count. */
  readonly scope: readonly ClaimPath[];
  /** A scope that begins with one of them counts as the rest of it: `telltale/analysis:publish` as `analysis:publish`. */
  readonly scopePrefixes: readonly string[];
}

/** The rules of a gateway that is told nothing else. */
export const ORDINARY_CLAIMS: ClaimRules = {
  issuers: [],
  audiences: [],
  user: [["user_id"], ["sub"]],
  analyses: [["analyses"]],
  scope: [["scope"]],
  scopePrefixes: [],
};
