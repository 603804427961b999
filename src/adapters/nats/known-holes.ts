import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { KeptHead } from "./channel-head.ts";

/** So many channels with holes are remembered. */
const CHANNELS = 10_000;

/**
 * The holes that this node has found in the messages of channels. A history begins after its last hole: the positions before
 * are gone, as if they had been trimmed.
 */
export class KnownHoles {
  readonly #telemetry: Pick<TelemetryPort, "log">;
  readonly #histories = new Map<string, { readonly birth: string; readonly oldestKept: number }>();

  constructor(telemetry: Pick<TelemetryPort, "log">) {
    this.#telemetry = telemetry;
  }

  /** The offset of the oldest event of the channel that has no hole after it, as far as this node knows. */
  oldestKept(subject: string, { state, course }: KeptHead): number {
    const known = this.#histories.get(subject);
    return known?.birth === course.birth ? Math.max(known.oldestKept, state.oldestKept) : state.oldestKept;
  }

  /** Call it with the offset after the last hole of a channel. */
  note(subject: string, head: KeptHead, oldestKept: number): void {
    if (oldestKept <= this.oldestKept(subject, head)) return;
    this.#histories.delete(subject);
    this.#histories.set(subject, { birth: head.course.birth, oldestKept });
    const [oldest] = this.#histories.keys();
    if (this.#histories.size > CHANNELS && oldest !== undefined) this.#histories.delete(oldest);
    this.#telemetry.log("error", "the stream has lost messages of a channel: its history begins after them", {
      ...{ subject, oldestKept },
    });
  }
}
