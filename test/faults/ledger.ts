import type { WorkerLane } from "../support/staged-broker.ts";

/** The way in that an event took. */
export type Lane = "http" | WorkerLane;

/**
 * The publisher's knowledge of one of its events. `acknowledged`: it must be there, as far as the broker keeps what it
 * has. `refused`: it must not. `unknown`: either.
 */
export type Fate = "acknowledged" | "refused" | "unknown";

export interface SentEvent {
  readonly lane: Lane;
  readonly analysisId: string;
  readonly publisher: string;
  readonly sequence: number;
  readonly terminal: boolean;
  /** By `performance.now()`, in milliseconds, as all times here. */
  readonly sentAt: number;
  readonly settledAt: number;
  readonly fate: Fate;
  /** How often it was sent until it was settled. */
  readonly tries: number;
  /** The same bytes as before, at once (`retry`) or after something else (`repeat`). */
  readonly again?: "retry" | "repeat";
  /** The event_id of the answer; undefined on the ways in that answer nothing. */
  readonly eventId: string | undefined;
}

/** A time in which what was acknowledged may have been lost, by what the broker or the network was made to do. */
export interface Excuse {
  readonly from: number;
  readonly to: number;
  /** All if left out. */
  readonly lanes?: readonly Lane[];
  /** The broker lost what it had stored: what a gateway still offers of that time comes back later than it was sent. */
  readonly storedWasLost?: boolean;
}

/** Everything that the publishers of a round did. */
export class Ledger {
  readonly sent: SentEvent[] = [];
  readonly excuses: Excuse[] = [];
  /** Faults that do not depend on the log: an answer that came too late, or that nobody may give. */
  readonly faults: string[] = [];
  /** While gateways or the way to them are frozen, no answer is late. */
  answersMayBeLate = false;
  readonly counts = { retries: 0, duplicates: 0, unavailable: 0, unknown: 0 };

  isExcused(event: SentEvent): boolean {
    return this.excuses.some(
      ({ from, to, lanes }) =>
        event.sentAt <= to && event.settledAt >= from && (lanes === undefined || lanes.includes(event.lane)),
    );
  }

  mayComeLate(event: SentEvent): boolean {
    return (
      event.lane === "bare" &&
      this.excuses.some(({ to, storedWasLost }) => storedWasLost && event.sentAt <= to)
    );
  }

  of(analysisId: string): SentEvent[] {
    return this.sent.filter((event) => event.analysisId === analysisId);
  }
}
