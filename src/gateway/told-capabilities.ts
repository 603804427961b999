import { type BrokerPorts, capabilitiesOf, missingCapabilities } from "../application/ports/broker-ports.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";

/**
 * Tells operators what the broker gives and which ways for workers are missing. How long it keeps an event may be known only
 * later, and may change: a line then says so once.
 */
export class ToldCapabilities {
  readonly #broker: BrokerPorts;
  readonly #telemetry: TelemetryPort;
  #told: string | undefined;

  constructor({ broker, telemetry }: { readonly broker: BrokerPorts; readonly telemetry: TelemetryPort }) {
    this.#broker = broker;
    this.#telemetry = telemetry;
  }

  /** Tells everything that is known by now. To be called once. */
  tell(): void {
    this.#tellList();
    for (const capability of missingCapabilities(this.#broker))
      this.#telemetry.log("info", "the broker lacks a capability", { broker: this.#kind, capability });
  }

  /** Call it from time to time: it tells the list again if it has changed. */
  tellChange(): void {
    // A broker that is asked anew may not know for a while, which is no news.
    if (this.#broker.events.durability.keptIn !== undefined) this.#tellList();
  }

  #tellList(): void {
    const capabilities = capabilitiesOf(this.#broker).join(", ");
    if (capabilities === this.#told) return;
    this.#told = capabilities;
    this.#telemetry.log("info", "the broker", { kind: this.#kind, capabilities });
  }

  get #kind(): string {
    return this.#broker.events.kind;
  }
}
