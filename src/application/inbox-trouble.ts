import { type BrokerTrouble, isAway } from "./broker-trouble.ts";
import { BrokerError, reasonOf } from "./errors.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

/** Why the inbox cannot be emptied, while it cannot. It tells operators once for each reason. */
export class InboxTrouble {
  readonly #telemetry: TelemetryPort;
  #reason: string | undefined;
  #trouble: BrokerTrouble | undefined;
  /** Whether operators know of a failure that is not over yet. */
  #told = false;

  constructor(telemetry: TelemetryPort) {
    this.#telemetry = telemetry;
  }

  /** The trouble of the broker; undefined if it has none. */
  get now(): BrokerTrouble | undefined {
    return this.#trouble;
  }

  failed(error: unknown): void {
    const reason = reasonOf(error);
    this.#trouble = error instanceof BrokerError ? error.trouble : undefined;
    if (reason === this.#reason) return;
    this.#reason = reason;
    // The connection that noticed first has told operators that the broker is away.
    const isNews = this.#trouble === undefined || !isAway(this.#trouble);
    this.#told ||= isNews;
    this.#telemetry.log(isNews ? "warn" : "debug", "the inbox cannot be emptied", { reason });
    this.#telemetry.count("telltale_inbox_failures_total", {});
  }

  recovered(): void {
    if (this.#told) this.#telemetry.log("info", "the inbox is being emptied again");
    this.#told = false;
    this.#reason = undefined;
    this.#trouble = undefined;
  }
}
