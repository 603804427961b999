import { type BrokerTrouble, isSameTrouble, wordsOf } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** A connection that comes back and breaks again within this time belongs to one outage, in milliseconds. */
const QUIET_MS = 3_000;
/** If the cause changes it is told again, but no sooner after the last line: a restart has several within seconds. */
const TOLD_AGAIN_MS = 10_000;

/**
 * Tells operators of an outage once, however many notice it: one line when it begins, with the cause, and one when it is
 * over, with how long it took.
 */
export class OutageLog {
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  /** The present troubles, by the source that noticed each. */
  readonly #troubles = new Map<string, BrokerTrouble>();
  #outage: Outage | undefined;
  #cancelQuiet = () => {};

  constructor(clock: ClockPort, telemetry: TelemetryPort) {
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** `detail` is for the log alone: it may hold an address, or the broker's own words. */
  report(source: string, trouble: BrokerTrouble, detail = ""): void {
    this.#troubles.set(source, trouble);
    this.#cancelQuiet();
    const now = this.#clock.now();
    const outage = this.#outage;
    if (outage === undefined) {
      this.#outage = { since: now, told: trouble, toldAt: now, sources: new Set([source]) };
      this.#telemetry.log("warn", "the broker is away", fieldsOf(source, trouble, detail));
      return;
    }
    outage.sources.add(source);
    outage.over = undefined;
    if (isSameTrouble(outage.told, trouble) || now - outage.toldAt < TOLD_AGAIN_MS) return;
    outage.told = trouble;
    outage.toldAt = now;
    this.#telemetry.log("warn", "the broker is still away", fieldsOf(source, trouble, detail));
  }

  /** The trouble that `source` noticed is over. */
  clear(source: string): void {
    if (!this.#troubles.delete(source) || this.#troubles.size > 0) return;
    const outage = this.#outage;
    if (outage === undefined) return;
    outage.over = this.#clock.now();
    this.#cancelQuiet();
    this.#cancelQuiet = this.#clock.after(QUIET_MS, () => this.#end(outage));
  }

  /** `source` is closed and notices nothing any more. */
  forget(source: string): void {
    this.#troubles.delete(source);
    if (this.#troubles.size > 0) return;
    this.#cancelQuiet();
    this.#outage = undefined;
  }

  #end(outage: Outage): void {
    if (outage.over === undefined) return;
    this.#outage = undefined;
    this.#telemetry.log("info", "the broker is back", {
      cause: outage.told.cause,
      after_seconds: Math.round((outage.over - outage.since) / 100) / 10,
      connections: [...outage.sources].join(", "),
    });
  }
}

interface Outage {
  readonly since: number;
  readonly sources: Set<string>;
  told: BrokerTrouble;
  toldAt: number;
  /** When the last trouble ended; undefined while there is one. */
  over?: number | undefined;
}

function fieldsOf(source: string, trouble: BrokerTrouble, detail: string) {
  return {
    cause: trouble.cause,
    reason: wordsOf(trouble),
    connection: source,
    ...(detail !== "" && { detail }),
  };
}
