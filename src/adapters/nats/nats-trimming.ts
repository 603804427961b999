import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { HistoryLimits } from "./channel-appends.ts";
import type { KeptHead } from "./channel-head.ts";
import type { EventStream } from "./event-stream.ts";
import { allCopiesOf, subjectsOf } from "./subjects.ts";
import { sweepExpired } from "./sweep-expired.ts";
import { trimChannel } from "./trim-channel.ts";

interface NatsTrimmingOptions {
  readonly stream: EventStream;
  readonly history: HistoryLimits;
  /** How long the stream knows the key of a request, in milliseconds. */
  readonly keysKnownMs: number;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** Each removal costs the server more than an event. */
const EVENTS_AT_ONCE = 1_000;
const LOOK_EVERY_MS = 5_000;
/** Every minute it looks for expired channels. */
const LOOKS_A_SWEEP = 12;
const SWEPT_AT_ONCE = 2_000;
/** The most channels that wait; the others are trimmed after a later append. */
const MOST_WAITING = 10_000;

/**
 * Removes from the stream what the channels that this node appends to no longer keep, one channel at a time, and what
 * expired channels left there.
 */
export class NatsTrimming {
  readonly #options: NatsTrimmingOptions;
  readonly #stop: () => void;
  /** The offset of the oldest event kept when the channel was last trimmed. */
  readonly #trimmed = new Map<string, number>();
  readonly #due = new Map<string, KeptHead>();
  #isAtWork = false;
  /** The next message that is looked at for whether its channel has expired. */
  #sweptUpTo = 1;
  #looks = 0;

  constructor(options: NatsTrimmingOptions) {
    this.#options = options;
    this.#stop = options.clock.every(LOOK_EVERY_MS, () => void this.#work());
  }

  /** Call it with every channel on which something was stored. */
  stored(channel: string, kept: KeptHead): void {
    const { oldestKept, previous } = kept.state;
    const isNewLife = previous === 0 && kept.course.bornAfter > 0;
    const { size } = this.#options.history;
    const before = this.#trimmed.get(channel) ?? 1;
    const isDue = isNewLife || oldestKept - before >= Math.min(EVENTS_AT_ONCE, size);
    if (isDue && (this.#due.has(channel) || this.#due.size < MOST_WAITING)) this.#due.set(channel, kept);
  }

  close(): void {
    this.#stop();
    this.#due.clear();
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    for (const [channel, kept] of this.#due) {
      this.#due.delete(channel);
      try {
        await this.#trim(channel, kept);
      } catch (error) {
        // It is due again after the next append.
        this.#options.telemetry.log("debug", "a channel was not trimmed", { reason: reasonOf(error) });
      }
    }
    if (++this.#looks % LOOKS_A_SWEEP === 0) await this.#sweep();
    this.#isAtWork = false;
  }

  /** Never rejects. Several gateways may sweep at once: each finds less to do. */
  async #sweep(): Promise<void> {
    const { stream, history, telemetry } = this.#options;
    try {
      this.#sweptUpTo = await sweepExpired(stream, history.ttlMs, this.#sweptUpTo, SWEPT_AT_ONCE);
    } catch (error) {
      // The next sweep goes on where this one did not come.
      telemetry.log("debug", "expired channels were not removed", { reason: reasonOf(error) });
    }
  }

  async #trim(channel: string, { state, course }: KeptHead): Promise<void> {
    const { stream, history, keysKnownMs } = this.#options;
    const subjects = subjectsOf(channel);
    if (state.previous === 0) await stream.removeBefore(allCopiesOf(channel), course.bornAfter + 1);
    await trimChannel(stream, subjects, { ttlMs: history.ttlMs, keysKnownMs });
    this.#trimmed.delete(channel);
    this.#trimmed.set(channel, state.oldestKept);
    const [oldest] = this.#trimmed.keys();
    if (this.#trimmed.size > MOST_WAITING && oldest !== undefined) this.#trimmed.delete(oldest);
  }
}
