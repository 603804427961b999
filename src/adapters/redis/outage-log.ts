import { type BrokerTrouble, isSameTrouble, wordsOf } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** What comes back and breaks again within this time is one outage, in milliseconds. */
const QUIET_MS = 3_000;
/** A cause that changes is told again, but no sooner after the last line: a restart has several within seconds. */
const TOLD_AGAIN_MS = 10_000;

/**
 * Tells operators of an outage once, over everything that notices it: a line when it begins, with the cause, and one
 * when it is over, with how long it took.
 */
export class OutageLog {
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  /** What is wrong now, by who noticed it. */
  readonly #troubles = new Map<string, BrokerTrouble>();
  #outage: Outage | undefined;
  #cancelQuiet = () => {};

  constructor(clock: ClockPort, telemetry: TelemetryPort) {
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** `detail` is for the log alone: it may hold an address, or what the broker wrote. */
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

  /** What `source` noticed is over. */
  clear(source: string): void {
    if (!this.#troubles.delete(source) || this.#troubles.size > 0) return;
    const outage = this.#outage;
    if (outage === undefined) return;
    outage.over = this.#clock.now();
    this.#cancelQuiet();
    this.#cancelQuiet = this.#clock.after(QUIET_MS, () => this.#end(outage));
  }

  /** `source` notices nothing any more: it is closed. */
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
  /** Since when nothing is wrong; undefined while something is. */
  over?: number | undefined;
}

function fieldsOf(source: string, trouble: BrokerTrouble, detail: string) {
  return { cause: trouble.cause, reason: wordsOf(trouble), connection: source, detail };
}
