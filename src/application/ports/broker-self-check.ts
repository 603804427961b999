/**
 * Tries a broker part by part, over connections of its own, for operators who set it up. An adapter that declares none is
 * tried by what its ports can be asked without storing anything.
 */
export interface BrokerSelfCheck {
  /** The servers of the settings as `host:port`, in the order in which they are tried. Never a user or a secret. */
  readonly servers: readonly string[];
  /** Resolves with the version of the server that answered; undefined if it does not say. Rejects as a read does. */
  version(): Promise<string | undefined>;
  /** Everything that a gateway needs at the broker, with a name for each. */
  readonly parts: readonly BrokerPart[];
  /** Closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** One thing that a gateway does at its broker. */
export interface BrokerPart {
  /** For people, at most 24 characters. */
  readonly name: string;
  /**
   * Tries it. It leaves nothing behind at the broker, removes nothing, and changes the place of no entry. Rejects if it could
   * not be tried.
   */
  try(): Promise<PartFinding>;
}

/** Texts for operators. They hold no secret; only `detail` and `reason` may hold the broker's own words. */
export type PartFinding =
  | { readonly works: true; readonly detail: string }
  | {
      readonly works: false;
      readonly reason: string;
      /** How an operator mends it; empty if nobody knows. */
      readonly hint: string;
    };
