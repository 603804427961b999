import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { AnalysisId } from "../../domain/channel.ts";
import type { LatestState } from "../../domain/latest-state.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import {
  type Announcements,
  NOTHING_ANNOUNCED,
  newsSince,
  withCancel,
  withSilence,
} from "./announcements.ts";

/** When the worker was last heard, and the broker's clock, in milliseconds since 1970. Undefined: the broker does not say. */
interface Report {
  readonly heardAt?: number | undefined;
  readonly brokerNow?: number | undefined;
}

/** Finds out what the watchers of one analysis are told beside its events. No timer runs for it: the broker's reports come anyway. */
export class Announcer {
  readonly #analysisId: AnalysisId;
  readonly #stallAfterMs: number;
  readonly #onNews: () => void;
  #current = NOTHING_ANNOUNCED;
  #judged: { readonly status: PublishedEvent; readonly isQueued: boolean } | undefined;

  /** `onNews` is called if there is something new to tell. A running analysis that was silent for `stallAfterMs` has stalled. */
  constructor(analysisId: AnalysisId, stallAfterMs: number, onNews: () => void) {
    this.#analysisId = analysisId;
    this.#stallAfterMs = stallAfterMs;
    this.#onNews = onNews;
  }

  get current(): Announcements {
    return this.#current;
  }

  /** The request to cancel that is in force; undefined if there is none. */
  takeCancel(request: CancelRequest | undefined): void {
    this.#take(withCancel(this.#current, this.#analysisId, request));
  }

  /** The event was passed on, and is a sign of life. */
  takeEvent(event: PublishedEvent, latest: LatestState): void {
    if (event.reopens || latest.currentTerminal !== undefined) this.takeCancel(undefined);
    if (this.#current.stateFrame !== undefined) this.#takeSilence(undefined, latest);
  }

  /** The broker said when the worker was last heard, and this node has all events up to then. */
  takeReport({ heardAt, brokerNow }: Report, latest: LatestState): void {
    if (heardAt === undefined || brokerNow === undefined) return;
    const { silentSince } = this.#current;
    // A sign of life between two reports is told, though the worker may have been silent for too long again.
    if (silentSince !== undefined && heardAt > silentSince) this.#takeSilence(undefined, latest);
    const isSilent = brokerNow - heardAt >= this.#stallAfterMs && this.#isRunning(latest);
    if (isSilent || this.#current.stateFrame !== undefined)
      this.#takeSilence(isSilent ? heardAt : undefined, latest);
  }

  #takeSilence(since: number | undefined, latest: LatestState): void {
    this.#take(withSilence(this.#current, this.#analysisId, since, this.#isRunning(latest)));
  }

  #take(announcements: Announcements): void {
    const before = this.#current;
    this.#current = announcements;
    if (newsSince(before, announcements).length > 0) this.#onNews();
  }

  #isRunning({ lastStatus, currentTerminal }: LatestState): boolean {
    if (currentTerminal !== undefined || lastStatus?.kind !== "status") return false;
    // Its text is read once, and only if the worker is silent.
    if (this.#judged?.status !== lastStatus) {
      const { current_stage } = JSON.parse(lastStatus.text) as { readonly current_stage?: unknown };
      this.#judged = { status: lastStatus, isQueued: current_stage === "queued" };
    }
    return !this.#judged.isQueued;
  }
}
