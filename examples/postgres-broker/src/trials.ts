import { type OutageLog, reasonOf } from "telltale/adapter";
import {
  type BrokerCause,
  type BrokerTrouble,
  BrokerUnavailable,
  type ClockPort,
  OutcomeUnknown,
  type TelemetryPort,
} from "telltale/ports";

interface TrialsOptions {
  /** Appends as everybody does, on a channel that nobody sees. Rejects as an append does. */
  readonly attempt: () => Promise<unknown>;
  /** Whether PostgreSQL is there: only then a trial says more. */
  readonly isUp: () => boolean;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly outages: OutageLog;
}

/** The name of its troubles in the log of outages. */
const SOURCE = "publishing";
const LOOK_EVERY_MS = 1_000;
/** While all is well every fourth look appends. After a failure every look does. */
const TRY_EVERY = 4;

/**
 * Finds out whether an append would succeed. So a full disk, a read-only server, a missing permission or a standby that does
 * not answer shows within ten seconds though nobody publishes, and so does its end.
 */
export class Trials {
  readonly #options: TrialsOptions;
  readonly #stop: () => void;
  #trouble: BrokerTrouble | undefined = { cause: "connecting" };
  /** The last trial failed for a cause that may be about itself alone. */
  #isDoubted = false;
  #looks = 0;
  #everStored = false;
  #trying: "no" | "yes" | "again" = "no";

  constructor(options: TrialsOptions) {
    this.#options = options;
    this.#stop = options.clock.every(LOOK_EVERY_MS, () => {
      const isDue = ++this.#looks % TRY_EVERY === 0;
      const isAsked = isDue || this.#trouble !== undefined || this.#isDoubted;
      if (isAsked && this.#trying === "no") void this.try();
    });
  }

  /** Why an append would fail, or undefined if it would be stored. */
  get trouble(): BrokerTrouble | undefined {
    return this.#trouble;
  }

  /** Tries now, or as soon as the trial has ended that is under way: it may say nothing of the present. Never rejects. */
  async try(): Promise<void> {
    if (!this.#options.isUp()) return;
    if (this.#trying !== "no") {
      this.#trying = "again";
      return;
    }
    do {
      this.#trying = "yes";
      try {
        await this.#options.attempt();
        this.#succeeds();
      } catch (error) {
        this.#failsTrial(troubleIn(error), reasonOf(error));
      }
    } while (this.#isAskedAgain());
    this.#trying = "no";
  }

  /** Call it when anybody's append failed: a lasting refusal would meet the next one too. */
  failed(error: unknown): void {
    const trouble = troubleIn(error);
    if (LASTING.has(trouble.cause)) this.#fails(trouble, reasonOf(error));
  }

  close(): void {
    this.#stop();
    this.#options.outages.forget(SOURCE);
  }

  #isAskedAgain(): boolean {
    return this.#trying === "again" && this.#options.isUp();
  }

  #succeeds(): void {
    this.#trouble = undefined;
    this.#isDoubted = false;
    this.#options.outages.clear(SOURCE);
    if (this.#everStored) return;
    this.#everStored = true;
    this.#options.telemetry.log("info", "connected to PostgreSQL: events can be stored");
  }

  /** One append may be late on a busy server. If the next one fails as well, all do. */
  #failsTrial(trouble: BrokerTrouble, detail: string): void {
    const isSure = LASTING.has(trouble.cause) || this.#isDoubted || this.#trouble !== undefined;
    this.#isDoubted = true;
    if (isSure) this.#fails(trouble, detail);
  }

  #fails(trouble: BrokerTrouble, detail: string): void {
    this.#trouble = trouble;
    this.#options.outages.report(SOURCE, trouble, detail);
  }
}

/** The causes that are about the server and not about one append. */
const LASTING: ReadonlySet<BrokerCause> = new Set<BrokerCause>(["full", "disk", "permission", "read_only"]);

function troubleIn(error: unknown): BrokerTrouble {
  const isOfBroker = error instanceof BrokerUnavailable || error instanceof OutcomeUnknown;
  return (isOfBroker ? error.trouble : undefined) ?? { cause: "fault" };
}
