import { type BrokerTrouble, isAway } from "./broker-trouble.ts";
import { BrokerError } from "./errors.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";
import { reasonOf } from "./reason-of.ts";

/** Why the inbox cannot be emptied, while it cannot, and the telling of it: once for each reason. */
export class InboxTrouble {
  readonly #telemetry: TelemetryPort;
  #reason: string | undefined;
  #trouble: BrokerTrouble | undefined;
  /** Whether operators were told of a failure that is not over yet. */
  #told = false;

  constructor(telemetry: TelemetryPort) {
    this.#telemetry = telemetry;
  }

  /** What the broker failed at; undefined where it did not. */
  get now(): BrokerTrouble | undefined {
    return this.#trouble;
  }

  failed(error: unknown): void {
    const reason = reasonOf(error);
    this.#trouble = error instanceof BrokerError ? error.trouble : undefined;
    if (reason === this.#reason) return;
    this.#reason = reason;
    // That the broker is away was said once, by whoever noticed.
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
