import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { Occurrence } from "../../domain/occurrence.ts";
import { OccurrenceCounter } from "../system/occurrence-counter.ts";
import { randomEpoch } from "../system/random-epoch.ts";

interface MarkedCounterOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** Publishes a mark of this name on the channel of the probes, over another connection. */
  readonly publish: (name: string) => Promise<unknown>;
}

/** A gateway that heard no mark for so long publishes the next one. */
const MARK_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 500;
const MARK = /^mark (\w+\.\d+\.\w+)$/;

/**
 * Counts the messages that one connection hears, as every other gateway counts them: from the marks in the stream of
 * messages, which any of them publishes. Until it hears its first mark it counts for itself, usually for a round trip.
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

  /** Call it when a connection was made: it has heard nothing yet. */
  connected(): void {
    this.#counter.connected(this.#options.clock.now());
  }

  /** Call it when the connection has subscribed to everything that it should hear. */
  listens(): void {
    this.#listens = true;
    this.#look();
  }

  /** Call it when the connection was lost. */
  lost(): void {
    this.#listens = false;
  }

  /** Call it with everything that arrives on the channel of the probes. */
  heardProbe(text: string): void {
    const [, mark] = MARK.exec(text) ?? [];
    if (mark === undefined) return;
    this.#counter.marked(mark);
    this.#markedAt = this.#options.clock.now();
  }

  /** Counts a message that was published at most `lateMs` milliseconds ago. */
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
      // The next look tries again. Until then the counter counts on.
      this.#options.telemetry.log("debug", "Redis took no mark", { reason: reasonOf(error) });
    } finally {
      this.#publishing = false;
    }
  }
}
