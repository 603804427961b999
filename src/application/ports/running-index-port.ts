import type { AnalysisChannel } from "../../domain/channel.ts";

/** An analysis that may be running, and when it is to be looked at, in milliseconds since 1970. */
export interface IndexedAnalysis {
  readonly channel: AnalysisChannel;
  readonly dueAt: number;
}

/**
 * The analyses that may be running, at the broker, for all gateways. An analysis stays in the index until a gateway takes it
 * out, be it watched or not. It holds `MOST_INDEXED` at most, and takes no more then.
 *
 * Every method rejects with `BrokerUnavailable` or `OutcomeUnknown`. Doing the same again harms nothing.
 */
export interface RunningIndexPort {
  /** Puts the analysis in, or moves it. Resolves with false if the index is full. */
  put(entry: IndexedAnalysis): Promise<boolean>;
  /** Resolves with those that are due at `now`, the longest due first, at most `limit`. */
  due(now: number, limit: number): Promise<readonly IndexedAnalysis[]>;
  /** Moves the analysis to `dueAt`, or takes it out, unless somebody has moved it since it was read. */
  settle(read: IndexedAnalysis, dueAt: number | undefined): Promise<void>;
}

export const MOST_INDEXED = 100_000;
