import type { Frame } from "../application/ports/client-connection-port.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { Held } from "./admission.ts";

/** News that come at once after the first share its stream. In milliseconds. */
const GATHER_MS = 50;

/**
 * Ends a stream of many analyses after its first news, or after a time, for networks that pass on nothing but whole answers. News
 * are events, states and notices, refusals, and announcements that the client cannot know yet.
 */
export class StreamWait implements Held {
  readonly #clock: ClockPort;
  readonly #end: () => void;
  /** The analyses whose replay is not sent yet. */
  readonly #replaying: Set<string>;
  readonly #timers: (() => void)[] = [];
  #isQuiet = false;
  #hasNews = false;
  #isEnding = false;

  /** `waitMs` milliseconds from now, at the latest, it calls `end`. */
  constructor(clock: ClockPort, analyses: Iterable<string>, waitMs: number, end: () => void) {
    this.#clock = clock;
    this.#replaying = new Set(analyses);
    this.#end = end;
    this.#timers.push(clock.after(waitMs, end));
  }

  /** A frame was sent. */
  sent({ kind, position }: Frame): void {
    const isAnnouncement = kind === "state_changed" || kind === "cancel_requested";
    if (position === undefined && kind !== "subscription_refused" && !(this.#isQuiet && isAnnouncement))
      return;
    this.#hasNews = true;
    this.#check();
  }

  /** The replay of the analysis was sent, or it is not watched. */
  settled(analysisId: string): void {
    this.#replaying.delete(analysisId);
    this.#check();
    if (this.#replaying.size > 0) return;
    // Those in force are announced at the end of each replay, and again on the next stream.
    this.#clock.soon(() => {
      this.#isQuiet = true;
    });
  }

  end(): void {
    for (const stop of this.#timers.splice(0)) stop();
  }

  #check(): void {
    if (this.#isEnding || !this.#hasNews || this.#replaying.size > 0) return;
    this.#isEnding = true;
    this.#timers.push(this.#clock.after(GATHER_MS, this.#end));
  }
}
