import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

interface SubscriptionProbeOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The purpose of the connection, as in the log of its link. */
  readonly purpose: string;
  /** Publishes as anybody does, over another connection. Resolves with how many connections Redis sent it to. */
  readonly publish: (probe: string) => Promise<number>;
  /** Called each time the subscription was found stalled: the connection must be made anew. */
  readonly onStalled: () => void;
  /** Called when the connection hears again. */
  readonly onRecovered: () => void;
}

const PROBE_EVERY_MS = 2_000;
/** After so many probes in a row that Redis took and the connection did not hear, readiness ends … */
const SUSPECTED_AT = 2;
/** … and after so many the connection is given up. */
const STALLED_AT = 3;

/**
 * Finds out whether a connection that listens hears anything: it may be connected, answer every command and get no
 * message. A probe goes the way of every message, every two seconds, so that a stalled subscription shows within eight.
 * If Redis does not take the probe, Redis is away and the subscription is not stalled.
 */
export class SubscriptionProbe {
  readonly #options: SubscriptionProbeOptions;
  readonly #node = crypto.randomUUID();
  readonly #stop: () => void;
  #sequence = 0;
  /** Undefined while the connection need not hear anything. */
  #probed: ProbedConnection | undefined;
  /** Everything published until then, by this node's clock, was heard, or was published before this connection. */
  #heardUpTo: number;
  #stalled = false;
  #publishing = false;

  constructor(options: SubscriptionProbeOptions) {
    this.#options = options;
    this.#heardUpTo = options.clock.now();
    this.#stop = options.clock.every(PROBE_EVERY_MS, () => this.#tick());
  }

  /** Why the connection may miss messages, or undefined if it hears them. */
  get away(): BrokerTrouble | undefined {
    const suspected = this.#stalled || (this.#probed?.unheard ?? 0) >= SUSPECTED_AT;
    return suspected ? { cause: "deaf" } : undefined;
  }

  /** How many milliseconds ago a message that is read now may have been published at most. */
  get lateMs(): number {
    return Math.max(0, this.#options.clock.now() - this.#heardUpTo);
  }

  /**
   * Whether other connections hear the probe too; undefined until Redis has answered a probe of this connection. Redis may
   * have cut the connection before this node knows, and sent the probe to another one alone: the connection is by itself
   * only if it hears that probe.
   */
  get others(): boolean | undefined {
    return this.#probed?.others;
  }

  /** Call it when a new connection was made: Redis sends it nothing that was published before. */
  connected(): void {
    this.#heardUpTo = this.#options.clock.now();
  }

  /** Call it when the connection has subscribed: from here on it must hear. */
  begin(): void {
    this.#probed = {
      unheard: 0,
      quiet: true,
      taken: false,
      heard: 0,
      sentToOne: undefined,
      others: undefined,
    };
    void this.#publish(this.#probed);
  }

  /** Call it when the connection was lost: until the next `begin` it need not hear anything. */
  end(): void {
    this.#probed = undefined;
  }

  /** Call it with each probe that arrives, from any node. */
  heard(probe: string): void {
    this.hears();
    const [node, sequence, sentAt] = probe.split(" ");
    if (this.#probed === undefined || node !== this.#node) return;
    this.#probed.heard = Number(sequence);
    findOthers(this.#probed);
    this.#heardUpTo = Math.max(this.#heardUpTo, Number(sentAt));
    const seconds = Math.max(0, this.#options.clock.now() - Number(sentAt)) / 1_000;
    this.#options.telemetry.observe("telltale_broker_round_trip_seconds", {}, seconds);
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#options.onRecovered();
  }

  /** Call it when any message arrives: the connection may be behind, but its subscription is not stalled. */
  hears(): void {
    if (this.#probed !== undefined) this.#probed.quiet = false;
  }

  close(): void {
    this.#stop();
    this.#probed = undefined;
  }

  /**
   * Counts ticks and not time: the messages that a frozen process missed wait to be read, and it gets a tick's time to
   * read them.
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
      const sequence = ++this.#sequence;
      const receivers = await this.#options.publish(`${this.#node} ${sequence} ${this.#options.clock.now()}`);
      probed.taken = true;
      probed.sentToOne = receivers > 1 ? undefined : sequence;
      if (receivers > 1) probed.others = true;
      findOthers(probed);
    } catch (error) {
      // Redis did not take it, so the subscription is not stalled. The links say why Redis is away.
      this.#options.telemetry.log("debug", "Redis took no probe", {
        connection: this.#options.purpose,
        reason: reasonOf(error),
      });
    } finally {
      this.#publishing = false;
    }
  }
}

/** The findings about one connection, from its SUBSCRIBE until it is lost. */
interface ProbedConnection {
  /** Probes in a row that Redis took and the connection did not hear. */
  unheard: number;
  /** Whether nothing arrived since the last probe was published. */
  quiet: boolean;
  /** Whether Redis has answered the last probe. */
  taken: boolean;
  /** The last of its own probes that it heard. */
  heard: number;
  /** The last probe, if Redis sent it to one connection at most. */
  sentToOne: number | undefined;
  others: boolean | undefined;
}

function findOthers(probed: ProbedConnection): void {
  if (probed.sentToOne !== undefined && probed.heard >= probed.sentToOne) probed.others = false;
}
