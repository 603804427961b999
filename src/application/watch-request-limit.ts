import { MAX_EVENT_BYTES } from "../domain/decode-event.ts";
import type { PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

/** Tells operators if the broker takes smaller events than the gateway would. */
export class WatchRequestLimit {
  readonly #pubSub: Pick<PubSubPort, "mostBytes">;
  readonly #telemetry: TelemetryPort;
  #told = MAX_EVENT_BYTES;

  constructor(pubSub: Pick<PubSubPort, "mostBytes">, telemetry: TelemetryPort) {
    this.#pubSub = pubSub;
    this.#telemetry = telemetry;
  }

  /** The warning; undefined if the broker takes events of every size that the rules allow. */
  get warning(): string | undefined {
    const { mostBytes } = this.#pubSub;
    if (mostBytes >= MAX_EVENT_BYTES) return undefined;
    return `the broker takes at most ${mostBytes} bytes at once: larger bodies and events are refused, up to 1 MiB as well`;
  }

  /** To be called from time to time, since a broker says its limit once it is connected. Logs each limit once. */
  execute(): void {
    const { mostBytes } = this.#pubSub;
    if (mostBytes === this.#told) return;
    this.#told = mostBytes;
    const { warning } = this;
    if (warning === undefined) this.#telemetry.log("info", "the broker takes bodies and events of 1 MiB now");
    else this.#telemetry.log("warn", warning);
  }
}
