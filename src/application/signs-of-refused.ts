import { readBeat } from "../domain/beat.ts";
import { isAnalysisChannel, parseChannel } from "../domain/channel.ts";
import { reasonOf } from "./errors.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

/** One sign a second is enough for each analysis. */
const OFTEN_MS = 1_000;
const MOST_REMEMBERED = 10_000;

/**
 * Takes an event that breaks a rule for a sign of life of the worker that sent it without HTTP: that worker may have no other way to
 * show that it lives, and would be given up while it works.
 */
export class SignsOfRefused {
  readonly #pubSub: Pick<PubSubPort, "signOfLife">;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #last = new Map<string, number>();

  constructor(pubSub: Pick<PubSubPort, "signOfLife">, clock: ClockPort, telemetry: TelemetryPort) {
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** Resolves when the broker knows, if the payload is an object on the channel of an analysis. Never rejects. */
  async heard(name: string, payload: string): Promise<void> {
    const channel = parseChannel(name);
    if (channel === undefined || !isAnalysisChannel(channel) || !this.#isDue(name) || !isObject(payload))
      return;
    const beat = readBeat(payload);
    try {
      await this.#pubSub.signOfLife?.(channel, beat.ok ? beat.attemptId : undefined);
    } catch (error) {
      this.#telemetry.log("debug", "a refused event was no sign of life", {
        channel,
        reason: reasonOf(error),
      });
    }
  }

  #isDue(name: string): boolean {
    const now = this.#clock.now();
    const last = this.#last.get(name);
    if (last !== undefined && Math.abs(now - last) < OFTEN_MS) return false;
    if (this.#last.size >= MOST_REMEMBERED) this.#last.clear();
    this.#last.set(name, now);
    return true;
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
