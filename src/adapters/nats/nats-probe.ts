import type { NatsConnection } from "@nats-io/transport-node";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { flushed } from "./nats-connection.ts";
import { isTimeout } from "./nats-errors.ts";

interface NatsProbeOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** Called for each probe that the server answered. */
  readonly answered: () => void;
  /** Called for each probe that it did not answer in time. */
  readonly unanswered: () => void;
  /** Called when so many went unanswered that the peer counts as gone: a cut cable closes no connection. */
  readonly gone: () => void;
}

const PROBE_EVERY_MS = 2_000;
const PROBES_UNANSWERED = 3;

/** Finds out from time to time whether the server at the other end of a connection still answers. */
export class NatsProbe {
  readonly #options: NatsProbeOptions;
  readonly #stop: () => void;
  #connection: NatsConnection | undefined;
  #unanswered = 0;
  #probing = false;

  constructor(options: NatsProbeOptions) {
    this.#options = options;
    this.#stop = options.clock.every(PROBE_EVERY_MS, () => void this.#probe());
  }

  /** Probes this connection from now on; undefined: none. */
  watch(connection: NatsConnection | undefined): void {
    this.#connection = connection;
    this.#unanswered = 0;
  }

  close(): void {
    this.#stop();
    this.#connection = undefined;
  }

  /** Never rejects. */
  async #probe(): Promise<void> {
    const connection = this.#connection;
    if (this.#probing || connection === undefined) return;
    this.#probing = true;
    try {
      const sentAt = performance.now();
      await flushed(connection);
      if (this.#connection === connection) this.#heard((performance.now() - sentAt) / 1_000);
    } catch (error) {
      // Any other failure closes the connection.
      if (this.#connection === connection && isTimeout(error)) this.#missed();
    } finally {
      this.#probing = false;
    }
  }

  #heard(seconds: number): void {
    this.#unanswered = 0;
    this.#options.telemetry.observe("telltale_broker_round_trip_seconds", {}, seconds);
    this.#options.answered();
  }

  #missed(): void {
    this.#unanswered++;
    this.#options.unanswered();
    if (this.#unanswered >= PROBES_UNANSWERED) this.#options.gone();
  }
}
