import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { Occurrence } from "../../domain/occurrence.ts";
import { OccurrenceCounter } from "../system/occurrence-counter.ts";
import { randomEpoch } from "../system/random-epoch.ts";

export interface MarkedCounterOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** Publishes a mark of this name on the channel of the probes, over another connection. */
  readonly publish: (name: string) => Promise<unknown>;
}

/** Whichever gateway first heard none for so long publishes the next mark. */
const MARK_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 500;
const MARK = /^mark (\w+\.\d+\.\w+)$/;

/**
 * Counts what one connection hears as every other gateway does: by the marks in the stream of messages, which any of
 * them publishes. Until the first mark is heard it counts for itself, a round trip long where all is well.
 */
export class MarkedCounter {
  readonly #options: MarkedCounterOptions;
  readonly #counter: OccurrenceCounter;
  readonly #stop: () => void;
  #listens = false;
  #markedAt = 0;
  #publishing = false;

  constructor(options: MarkedCounterOptions) {
    this.#options = options;
    this.#counter = new OccurrenceCounter(options.clock.now());
    this.#stop = options.clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  /** A connection was made: it has heard nothing yet. */
  connected(): void {
    this.#counter.connected(this.#options.clock.now());
  }

  /** The connection has subscribed to all that it should hear. */
  listens(): void {
    this.#listens = true;
    this.#look();
  }

  /** The connection was lost. */
  lost(): void {
    this.#listens = false;
  }

  /** Anything that arrived on the channel of the probes. */
  heardProbe(text: string): void {
    const [, mark] = MARK.exec(text) ?? [];
    if (mark === undefined) return;
    this.#counter.marked(mark);
    this.#markedAt = this.#options.clock.now();
  }

  /** A message, which was published at most `lateMs` milliseconds ago. */
  heard(channel: string, payload: Uint8Array, lateMs: number): Occurrence {
    return this.#counter.heard(channel, payload, this.#options.clock.now() - lateMs);
  }

  close(): void {
    this.#listens = false;
    this.#stop();
  }

  #look(): void {
    const sinceMark = Math.abs(this.#options.clock.now() - this.#markedAt);
    if (this.#listens && (!this.#counter.isShared || sinceMark >= MARK_EVERY_MS)) void this.#publish();
  }

  /** Never rejects. */
  async #publish(): Promise<void> {
    if (this.#publishing) return;
    this.#publishing = true;
    try {
      await this.#options.publish(randomEpoch());
    } catch (error) {
      // The next look tries again; until then what is heard is counted on.
      this.#options.telemetry.log("debug", "Redis took no mark", { reason: reasonOf(error) });
    } finally {
      this.#publishing = false;
    }
  }
}
