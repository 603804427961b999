import { parseChannel } from "../domain/channel.ts";
import { decodeEvent } from "../domain/decode-event.ts";
import { BrokerUnavailable, OutcomeUnknown } from "./errors.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";
import type { BareMessage, DeadLetter, WorkerChannelPort } from "./ports/worker-channel-port.ts";
import { reasonOf } from "./reason-of.ts";

/** The same bytes within this time of the first are a retry, hence one event. */
const CONTENT_WINDOW_MS = 60_000;
const RETRY_MS = 250;
const LONGEST_HOLD_MS = 120_000;
/** As long as an offer may still ask: an event held for the longest time, heard as late as a retry may come. */
const CONTENT_REMEMBERED_MS = CONTENT_WINDOW_MS + LONGEST_HOLD_MS;
const MOST_HELD_CHARACTERS = 64 * 1024 * 1024;
/** Offers under way at once: enough to fill a connection, few enough that a failure repeats little. */
const OFFERED_AT_ONCE = 256;

/**
 * A worker's bare PUBLISH becomes a numbered event, once, however many nodes heard it: each offers all it hears, in
 * the order heard, and the broker takes the first offer. What the broker cannot store is offered again, in order, for
 * two minutes or 64 MiB; what is invalid or refused is kept as a dead letter.
 */
export class AdoptPublishedEvent {
  readonly #pubSub: PubSubPort;
  readonly #workers: WorkerChannelPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #waiting: Heard[] = [];
  readonly #settling: (() => void)[] = [];
  #heldCharacters = 0;
  #state: "idle" | "offering" | "pausing" = "idle";

  constructor(pubSub: PubSubPort, workers: WorkerChannelPort, clock: ClockPort, telemetry: TelemetryPort) {
    this.#pubSub = pubSub;
    this.#workers = workers;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** Never throws: called for every message that a worker published, whatever it holds. */
  execute(message: BareMessage): void {
    this.#heldCharacters += message.payload.length;
    this.#waiting.push({ message, heardAt: this.#clock.now() });
    while (this.#heldCharacters > MOST_HELD_CHARACTERS && this.#waiting.length > 0)
      this.#drop("too much is waiting for the broker");
    if (this.#state !== "idle") return;
    this.#state = "offering";
    queueMicrotask(() => void this.#offerAll());
  }

  /** Resolves when everything heard until now is stored, buried or given up. */
  settled(): Promise<void> {
    if (this.#state === "idle") return Promise.resolve();
    return new Promise((resolve) => this.#settling.push(resolve));
  }

  async #offerAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const offered = this.#waiting.splice(0, OFFERED_AT_ONCE);
      const outcomes = await Promise.all(offered.map((heard) => this.#offer(heard)));
      const again = offered.filter((_, index) => outcomes[index] === "again");
      for (const [index, heard] of offered.entries()) {
        if (outcomes[index] !== "again") this.#heldCharacters -= heard.message.payload.length;
      }
      if (again.length === 0) continue;
      this.#waiting.unshift(...again);
      this.#dropOverdue();
      this.#state = "pausing";
      // Without a pause the retries would starve the very connection they wait for.
      this.#clock.after(RETRY_MS, () => {
        this.#state = "offering";
        void this.#offerAll();
      });
      return;
    }
    this.#state = "idle";
    for (const resolve of this.#settling.splice(0)) resolve();
  }

  /** Never rejects. */
  async #offer(heard: Heard): Promise<"done" | "again"> {
    const { message } = heard;
    try {
      const read = this.#read(heard);
      const reason = read.type === "letter" ? read.reason : await this.#append(read.request);
      if (reason !== undefined) await this.#bury({ ...message, reason });
      return "done";
    } catch (error) {
      if (error instanceof BrokerUnavailable || error instanceof OutcomeUnknown) return "again";
      this.#telemetry.log("error", "a worker's event was lost to a fault", {
        channel: message.channel,
        message: reasonOf(error),
      });
      this.#telemetry.count("bare_events_lost");
      return "done";
    }
  }

  #read({
    message,
    heardAt,
  }: Heard): { type: "append"; request: AppendRequest } | { type: "letter"; reason: string } {
    if (message.garbled) return { type: "letter", reason: "not_json: event: must be UTF-8" };
    const channel = parseChannel(message.channel);
    if (channel === undefined) return { type: "letter", reason: "channel: names no analysis or user" };
    const decoded = decodeEvent(message.payload, { channel, now: heardAt });
    if (!decoded.ok) {
      const [first] = decoded.issues;
      const detail = first === undefined ? "" : `: ${first.path.join(".") || "event"}: ${first.message}`;
      return { type: "letter", reason: `${decoded.reason}${detail}` };
    }
    const seen = {
      lane: "content",
      name: message.payload,
      scope: "channel",
      // An offer that had no answer may have been stored as long ago as the event has been held.
      windowMs: CONTENT_WINDOW_MS + this.#clock.now() - heardAt,
      rememberMs: CONTENT_REMEMBERED_MS,
    } as const;
    return { type: "append", request: { channel, events: [decoded.encoded], seen } };
  }

  /** Why it was refused, if it was. */
  async #append(request: AppendRequest): Promise<string | undefined> {
    const outcome = await this.#pubSub.append(request);
    if (outcome.type === "refused") return outcome.code;
    this.#telemetry.count(outcome.type === "duplicate" ? "bare_events_seen" : "bare_events_adopted");
    return undefined;
  }

  async #bury(letter: DeadLetter): Promise<void> {
    // Before it is counted: what could not be kept comes here again.
    await this.#workers.keepDeadLetter(letter);
    this.#telemetry.count("dead_letters");
    this.#telemetry.log("warn", "a worker's event was refused", {
      channel: letter.channel,
      reason: letter.reason,
    });
  }

  #dropOverdue(): void {
    while (this.#clock.now() - (this.#waiting[0]?.heardAt ?? Infinity) > LONGEST_HOLD_MS) {
      this.#drop("the broker could not store it for two minutes");
    }
  }

  #drop(reason: string): void {
    const dropped = this.#waiting.shift();
    if (dropped === undefined) return;
    this.#heldCharacters -= dropped.message.payload.length;
    this.#telemetry.count("bare_events_lost");
    this.#telemetry.log("error", "a worker's event was dropped", {
      channel: dropped.message.channel,
      reason,
    });
  }
}

interface Heard {
  readonly message: BareMessage;
  readonly heardAt: number;
}
