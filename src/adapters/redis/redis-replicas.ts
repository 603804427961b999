import { OutcomeUnknown, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { SharedAnswer } from "../../application/shared-answer.ts";

/** How many replicas must hold an acknowledged event; `seen`: one, as soon as the primary has reported one. */
export type RequiredReplicas = number | "seen";

interface RedisReplicasOptions {
  readonly required: RequiredReplicas;
  /** WAIT on the connection that writes. Resolves with how many replicas have everything that was written on it. */
  readonly wait: (replicas: number, milliseconds: number) => Promise<number>;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

const WAIT_MS = 1_000;
const TOO_FEW = { cause: "replicas" } as const;

/**
 * Waits until replicas have every write before a publisher is told of it. One WAIT is under way at a time. Callers that
 * come meanwhile share the next.
 */
export class RedisReplicas {
  readonly #options: RedisReplicasOptions;
  #required: number;
  readonly #waited: SharedAnswer<void>;

  constructor(options: RedisReplicasOptions) {
    this.#options = options;
    this.#required = options.required === "seen" ? 0 : options.required;
    this.#waited = new SharedAnswer(() => this.#ask(this.#required));
  }

  get required(): number {
    return this.#required;
  }

  /** Call it with `INFO replication` on every connection and from time to time. */
  look(info: string): void {
    if (this.#options.required !== "seen" || this.#required > 0) return;
    if (!/^slave\d+:.*state=online/m.test(info)) return;
    this.#required = 1;
    this.#options.telemetry.log("info", "Redis has a replica: events are acknowledged once it has them");
  }

  /**
   * Resolves when enough replicas have everything that was answered on the connection before this call; at once if none
   * is required. Rejects with `OutcomeUnknown` if too few have it within a second, or no answer comes within `within`
   * milliseconds.
   */
  async hold(within: number): Promise<void> {
    if (this.#required === 0) return;
    const late = Promise.withResolvers<never>();
    const stop = this.#options.clock.after(Math.max(0, within), () =>
      late.reject(
        new OutcomeUnknown(`stored, but nobody says whether on ${replicas(this.#required)}`, {
          trouble: TOO_FEW,
        }),
      ),
    );
    try {
      await Promise.race([this.#waited.get(), late.promise]);
    } finally {
      stop();
    }
  }

  async #ask(required: number): Promise<void> {
    let having: number;
    try {
      having = await this.#options.wait(required, WAIT_MS);
    } catch (error) {
      throw new OutcomeUnknown(`stored, but not known to be on ${replicas(required)}: ${reasonOf(error)}`, {
        cause: error,
        trouble: TOO_FEW,
      });
    }
    if (having >= required) return;
    this.#options.telemetry.count("telltale_replicas_missing_total", {});
    throw new OutcomeUnknown(`stored, but on ${having} of ${replicas(required)} within a second`, {
      trouble: TOO_FEW,
    });
  }
}

function replicas(count: number): string {
  return count === 1 ? "1 replica" : `${count} replicas`;
}
