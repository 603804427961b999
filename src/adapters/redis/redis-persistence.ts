import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

interface RedisPersistenceOptions {
  /** Whether somebody promotes servers that the gateway knows nothing of, as sentinels do. */
  readonly promotes: boolean;
  readonly telemetry: TelemetryPort;
}

const MAY_PROMOTE_EMPTY =
  "Redis has appendonly no: a server that is restarted is empty, and sentinels may promote it; set appendonly yes on every server";

/** Knows whether the primary writes every command to a file. */
export class RedisPersistence {
  readonly #options: RedisPersistenceOptions;
  /** Undefined as long as the gateway was not told. */
  #appendsToFile: boolean | undefined;

  constructor(options: RedisPersistenceOptions) {
    this.#options = options;
  }

  /** Call it with `INFO persistence` on every connection and from time to time. */
  look(info: string): void {
    const hadWarnings = this.warnings.length > 0;
    this.#appendsToFile = /^aof_enabled:1/m.test(info);
    if (!hadWarnings) for (const warning of this.warnings) this.#options.telemetry.log("warn", warning);
  }

  get keptIn(): "disk" | "memory" | undefined {
    if (this.#appendsToFile === undefined) return undefined;
    return this.#appendsToFile ? "disk" : "memory";
  }

  get warnings(): readonly string[] {
    return this.#options.promotes && this.#appendsToFile === false ? [MAY_PROMOTE_EMPTY] : [];
  }
}
