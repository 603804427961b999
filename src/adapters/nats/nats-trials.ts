import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerError, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { OutageLog } from "../broker/outage-log.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import { answerOf, purgeBefore } from "./nats-api.ts";
import type { NatsClock } from "./nats-clock.ts";
import { JetStreamRefusal, troubleOf } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { publishRivals } from "./rival-messages.ts";
import { EVENTS_STREAM, trialSubject } from "./subjects.ts";

interface NatsTrialsOptions {
  readonly link: NatsLink;
  readonly brokerClock: NatsClock;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly outages: OutageLog;
  /** Whether several servers keep the stream. */
  readonly isReplicated: () => boolean;
  /** Looks whether the streams still have the settings that appends need, and ends the connection if not. Rejects as a call does. */
  readonly lookAtStreams: () => Promise<void>;
  /** Resolves with when the stream stored the message at this sequence. Rejects as a read does. */
  readonly storedAt: (sequence: number) => Promise<number | undefined>;
  /** Called after each trial that was stored. `wasInDoubt`: before it the stream may have lost messages. Rejects as a read does. */
  readonly onStored: (wasInDoubt: boolean) => Promise<void>;
  /** Looks whether the data of a newer format that was met is still there. Rejects as a read does. */
  readonly lookAtFormat: () => Promise<void>;
}

const TRY_EVERY_MS = 4_000;
/** While appends fail, or the clock is not known, the next trial comes sooner. */
const AGAIN_MS = 1_000;
/** As large as the message of a common event, so that a stream that is about full refuses both. */
const TRIAL = " ".repeat(2_048);
const SOURCE = "requests (append)";
const RIVALS =
  "the cluster takes two messages of which only one may follow, as servers before 2.9.21 do: acknowledged events may be lost";

/**
 * Finds out whether an append would succeed, by one on a subject that nobody sees, and reads the broker's clock by when it
 * was stored. So a full disk or a missing permission shows within ten seconds though nobody publishes, and so does its end.
 */
export class NatsTrials {
  readonly #options: NatsTrialsOptions;
  readonly #stop: () => void;
  /** Its own, because a trial takes away the one before it. */
  readonly #subject = trialSubject(randomEpoch());
  #trouble: BrokerTrouble | undefined = { cause: "connecting" };
  /** Counts connections: a trial on an earlier one says nothing about this one. */
  #connection = 0;
  #trying: { readonly connection: number; readonly end: Promise<void> } | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  /** Counts what may have cost the stream messages. */
  #doubts = 1;
  /** How many of these a trial has settled. */
  #settled = 0;
  #everStored = false;
  #takesRivals = false;

  constructor(options: NatsTrialsOptions) {
    this.#options = options;
    this.#stop = options.clock.every(AGAIN_MS, () => {
      const isDue = options.brokerClock.stopwatch() - this.#lastAt >= TRY_EVERY_MS - AGAIN_MS / 2;
      if (isDue || this.#trouble !== undefined) void this.try();
    });
  }

  /** Why an append would fail, or undefined if it would be stored. */
  get trouble(): BrokerTrouble | undefined {
    return this.#trouble;
  }

  /** Words for what the stream does not keep. */
  get warnings(): readonly string[] {
    return this.#takesRivals ? [RIVALS] : [];
  }

  /** Whether the stream may have lost messages since the last trial that was stored. */
  get isInDoubt(): boolean {
    return this.#settled < this.#doubts;
  }

  /** Call it when an append failed, or nobody knows whether it was stored. */
  doubt(): void {
    this.#doubts++;
  }

  /** Call it when the connection was made, or lost: nothing is known of the next one yet. */
  connectionChanged(): void {
    this.#connection++;
    this.#doubts++;
    this.#trouble ??= { cause: "connecting" };
    this.#options.brokerClock.forget();
  }

  close(): void {
    this.#stop();
    this.#options.outages.forget(SOURCE);
  }

  /** Resolves when a trial on this connection has ended, well or not. Never rejects. */
  try(): Promise<void> {
    if (this.#options.link.away !== undefined) return Promise.resolve();
    if (this.#trying?.connection !== this.#connection) {
      const connection = this.#connection;
      const end = this.#try(connection).finally(() => {
        if (this.#trying?.connection === connection) this.#trying = undefined;
      });
      this.#trying = { connection, end };
    }
    return this.#trying.end;
  }

  async #try(connection: number): Promise<void> {
    const { brokerClock } = this.#options;
    this.#lastAt = brokerClock.stopwatch();
    // Beside the trial, for a publisher may wait for that.
    const looked = this.#wrongSettings();
    try {
      const doubts = this.#doubts;
      const { at, sentAt, answeredAt } = await this.#store();
      await this.#options.onStored(this.#settled < doubts);
      if (connection !== this.#connection) return;
      brokerClock.measured(at, sentAt, answeredAt);
      this.#settled = doubts;
      this.#succeeds();
    } catch (error) {
      // A JetStream that answers also says whether a setting is the reason.
      const reason = error instanceof JetStreamRefusal ? ((await looked) ?? error) : error;
      if (connection === this.#connection) this.#fails(reason);
    }
    try {
      await this.#options.lookAtFormat();
    } catch (error) {
      // The connection that it concerns says why the format cannot be read.
      this.#options.telemetry.log("debug", "the format was not looked at", { reason: reasonOf(error) });
    }
  }

  /** Resolves with what is wrong with the settings of the streams, if anything is. Never rejects. */
  async #wrongSettings(): Promise<BrokerError | undefined> {
    try {
      await this.#options.lookAtStreams();
    } catch (error) {
      if (error instanceof BrokerError && error.trouble.cause === "stream_settings") return error;
      this.#options.telemetry.log("debug", "the settings were not looked at", { reason: reasonOf(error) });
    }
    return undefined;
  }

  async #store(): Promise<{ readonly at: number; readonly sentAt: number; readonly answeredAt: number }> {
    const { link, brokerClock } = this.#options;
    const sentAt = brokerClock.stopwatch();
    const acknowledgement = await link.request(this.#subject, TRIAL);
    const answeredAt = brokerClock.stopwatch();
    const { seq } = answerOf<{ readonly seq: number }>(acknowledgement.data);
    const at = await this.#options.storedAt(seq);
    if (at === undefined) throw new Error("NATS has no trial that it stored a moment ago");
    const newest = this.isInDoubt && this.#options.isReplicated() ? await this.#tryRivals(seq) : seq;
    await purgeBefore(link, EVENTS_STREAM, this.#subject, newest);
    return { at, sentAt, answeredAt };
  }

  /** Resolves with the sequence of the newest trial. */
  async #tryRivals(last: number): Promise<number> {
    const { link, telemetry } = this.#options;
    const { bothWereTaken, newest } = await publishRivals(link, this.#subject, last);
    if (bothWereTaken && !this.#takesRivals) telemetry.log("warn", RIVALS);
    this.#takesRivals = bothWereTaken;
    return newest;
  }

  #succeeds(): void {
    const { outages, telemetry } = this.#options;
    this.#trouble = undefined;
    outages.clear(SOURCE);
    if (this.#everStored) return;
    this.#everStored = true;
    telemetry.log("info", "connected to NATS: events can be stored");
  }

  #fails(error: unknown): void {
    this.#doubts++;
    this.#trouble = troubleOf(error);
    this.#options.outages.report(SOURCE, this.#trouble, reasonOf(error));
  }
}
