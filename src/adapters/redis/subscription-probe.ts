import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

export interface SubscriptionProbeOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** What the connection is for, as in the log of its link. */
  readonly purpose: string;
  /** Publishes as anybody does, over another connection. Resolves with how many connections Redis sent it to. */
  readonly publish: (probe: string) => Promise<number>;
  /** Called each time the connection was found deaf; it is to be made anew. */
  readonly onStalled: () => void;
  /** Called when it hears again. */
  readonly onRecovered: () => void;
}

const PROBE_EVERY_MS = 2_000;
/** Probes in a row that Redis took and that brought nothing: so many until readiness ends, and until it is given up. */
const SUSPECTED_AT = 2;
const STALLED_AT = 3;

/**
 * Whether a connection that listens is heard from: it may be connected, answer every command and get no message. A
 * probe goes the way of every message, every two seconds; deafness shows within eight. Where Redis does not take the
 * probe it is away, which is no deafness.
 */
export class SubscriptionProbe {
  readonly #options: SubscriptionProbeOptions;
  readonly #node = crypto.randomUUID();
  readonly #stop: () => void;
  #sequence = 0;
  /** Undefined while the connection hears nothing by right. */
  #probed: ProbedConnection | undefined;
  /** Everything published until then, by this node's clock, was heard, or was never to be. */
  #heardUpTo: number;
  #stalled = false;
  #publishing = false;

  constructor(options: SubscriptionProbeOptions) {
    this.#options = options;
    this.#heardUpTo = options.clock.now();
    this.#stop = options.clock.every(PROBE_EVERY_MS, () => this.#tick());
  }

  /** Why nothing that the connection should hear can be relied on, or undefined. */
  get away(): BrokerTrouble | undefined {
    const suspected = this.#stalled || (this.#probed?.unheard ?? 0) >= SUSPECTED_AT;
    return suspected ? { cause: "deaf" } : undefined;
  }

  /** How long ago, in milliseconds, what is read now may have been published at most. */
  get lateMs(): number {
    return Math.max(0, this.#options.clock.now() - this.#heardUpTo);
  }

  /** Whether other connections hear the probe as well; undefined until Redis has said so on this connection. */
  get others(): boolean | undefined {
    return this.#probed?.others;
  }

  /** A new connection was made: what was published before is not sent to it. */
  connected(): void {
    this.#heardUpTo = this.#options.clock.now();
  }

  /** The connection has subscribed: from here on it must hear. */
  begin(): void {
    this.#probed = { unheard: 0, quiet: true, taken: false, others: undefined };
    void this.#publish(this.#probed);
  }

  /** The connection was lost: until the next `begin` nothing is expected of it. */
  end(): void {
    this.#probed = undefined;
  }

  /** A probe arrived, of whichever node. */
  heard(probe: string): void {
    this.hears();
    const [node, , sentAt] = probe.split(" ");
    if (this.#probed === undefined || node !== this.#node) return;
    this.#heardUpTo = Math.max(this.#heardUpTo, Number(sentAt));
    const seconds = Math.max(0, this.#options.clock.now() - Number(sentAt)) / 1_000;
    this.#options.telemetry.observe("telltale_broker_round_trip_seconds", {}, seconds);
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#options.onRecovered();
  }

  /** Anything at all arrived: it may be behind, but it is not deaf. */
  hears(): void {
    if (this.#probed !== undefined) this.#probed.quiet = false;
  }

  close(): void {
    this.#stop();
    this.#probed = undefined;
  }

  /**
   * Counted in ticks, not in time: a process that was frozen finds what it missed waiting to be read, and gets a
   * tick's time to read it.
   */
  #tick(): void {
    const probed = this.#probed;
    if (probed === undefined) return;
    if (!probed.quiet) probed.unheard = 0;
    else if (probed.taken) probed.unheard++;
    if (probed.unheard >= STALLED_AT) {
      this.#stall();
      return;
    }
    void this.#publish(probed);
  }

  #stall(): void {
    this.#stalled = true;
    this.#probed = undefined;
    this.#options.telemetry.count("telltale_stalled_subscriptions_total", {});
    this.#options.onStalled();
  }

  /** Never rejects. */
  async #publish(probed: ProbedConnection): Promise<void> {
    probed.quiet = true;
    probed.taken = false;
    if (this.#publishing) return;
    this.#publishing = true;
    try {
      const sent = `${this.#node} ${++this.#sequence} ${this.#options.clock.now()}`;
      probed.others = (await this.#options.publish(sent)) > 1;
      probed.taken = true;
    } catch (error) {
      // Redis did not take it, which is no deafness: its links say what there is to say of that.
      this.#options.telemetry.log("debug", "Redis took no probe", {
        connection: this.#options.purpose,
        reason: reasonOf(error),
      });
    } finally {
      this.#publishing = false;
    }
  }
}

/** What is known of one connection, from its subscribing to its loss. */
interface ProbedConnection {
  /** Probes in a row that Redis took and that brought nothing. */
  unheard: number;
  /** Nothing arrived since the last probe was published. */
  quiet: boolean;
  /** Redis has answered the last probe. */
  taken: boolean;
  others: boolean | undefined;
}
