import type { RefusalReason } from "../domain/refusal-reason.ts";
import type { LogFields, TelemetryPort } from "./ports/telemetry-port.ts";
import type { TokenCheck } from "./token-checks.ts";

export const TELL_REFUSALS_MS = 60_000;

/**
 * Everything that was refused, over whatever transport: each refusal is counted and is a line at debug, and `tell` writes
 * one line at info for all since the last time, with their number by reason and, of tokens, by the check that they failed.
 */
export class Refusals {
  readonly #telemetry: TelemetryPort;
  readonly #untold = new Map<RefusalReason | `token_${TokenCheck}`, number>();

  constructor(telemetry: TelemetryPort) {
    this.#telemetry = telemetry;
  }

  /** `fields` say what was refused, as the id of a connection. They hold no token, body or query. `token`: the check that a token failed. */
  note(reason: RefusalReason, fields: LogFields, token?: TokenCheck): void {
    this.#telemetry.count("telltale_refused_total", { reason });
    this.#telemetry.log("debug", "refused", { reason, ...(token && { token }), ...fields });
    for (const told of token === undefined ? [reason] : [reason, `token_${token}` as const])
      this.#untold.set(told, (this.#untold.get(told) ?? 0) + 1);
  }

  /** To be called every `TELL_REFUSALS_MS`, and when the gateway ends. Says nothing if nothing was refused. */
  tell(): void {
    if (this.#untold.size === 0) return;
    const counts = [...this.#untold].sort(([, one], [, other]) => other - one);
    this.#untold.clear();
    this.#telemetry.log("info", "refused since the last such line", Object.fromEntries(counts));
  }
}
