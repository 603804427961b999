import type { EncodedEvent } from "../domain/analysis-event.ts";
import { type ChannelName, parseChannel } from "../domain/channel.ts";
import { decodeEvent, NOT_UTF8 } from "../domain/decode-event.ts";
import { EVENT_RULES, type EventRules } from "../domain/event-rules.ts";
import { endInPlaceOf } from "../domain/refused-end.ts";
import { appendWorkerEvent } from "./append-worker-event.ts";
import { channelFault, deadLetterReason, reasonLabel } from "./dead-letter-reason.ts";
import { BrokerUnavailable, OutcomeUnknown, reasonOf } from "./errors.ts";
import { IngestQueue } from "./ingest-queue.ts";
import { noteAppended } from "./note-appended.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import { type DeadLetterPort, kindOfDeadLetter } from "./ports/dead-letter-port.ts";
import type { OccurrenceKey } from "./ports/deduplication-key.ts";
import type { AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";
import type { BareMessage, Listening, WorkerChannelPort } from "./ports/worker-channel-port.ts";
import { SignsOfRefused } from "./signs-of-refused.ts";

/** The same bytes within this time of the first, if nothing else was published in between, are a retry: one event. */
const RETRY_WINDOW_MS = 60_000;
/** How late a node may append a message and the broker still recognise it; how long the broker may be away meanwhile. */
const LATEST_APPEND_MS = 120_000;
const CONTENT_REMEMBERED_MS = RETRY_WINDOW_MS + LATEST_APPEND_MS;
/** An append is on its way for at most 4 s; the rest is for clocks that differ. */
const ON_ITS_WAY_MS = 5_000;
/** By then the others have appended the messages that they heard before this node began to listen. */
const NEWCOMER_HOLD_MS = 3_000;
/** A node learns soon after it began to listen whether there are others. */
const LOOK_AGAIN_MS = 5;

/**
 * Turns a worker's bare PUBLISH into a numbered event, once, however many nodes heard it. Each node appends every message
 * that it hears, in the order heard, and the broker stores the first append of each.
 *
 * - A node that has just begun to listen beside others holds its messages until it has listened for three seconds.
 * - The broker recognises a message by its place among those of the same bytes, on which the nodes agree (`Occurrence`).
 * - If others were listening, a node leaves to them a message that may be more than two minutes late.
 * - If the broker is away, the node appends again, in order, for two minutes or 64 MiB.
 * - An invalid or refused message becomes a dead letter by the same rules. It holds up no event.
 * - If an invalid message was a terminal event, the node appends an `error` in its place, so that nobody waits for an end
 *   that was sent.
 */
export class IngestBareMessage {
  readonly #pubSub: PubSubPort;
  readonly #workers: Pick<WorkerChannelPort, "listening">;
  readonly #deadLetterPort: Pick<DeadLetterPort, "keep">;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #rules: EventRules;
  readonly #signs: SignsOfRefused;
  readonly #events: IngestQueue<Heard>;
  readonly #deadLetters: IngestQueue<Refused>;
  /** The messages that were refused, each of which is queued as a dead letter. */
  readonly #refused = new WeakSet<Heard>();

  constructor(
    pubSub: PubSubPort,
    workers: Pick<WorkerChannelPort, "listening">,
    deadLetters: Pick<DeadLetterPort, "keep">,
    clock: ClockPort,
    telemetry: TelemetryPort,
    rules = EVENT_RULES,
  ) {
    this.#rules = rules;
    this.#pubSub = pubSub;
    this.#workers = workers;
    this.#deadLetterPort = deadLetters;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#signs = new SignsOfRefused(pubSub, clock, telemetry);
    const shared = {
      clock,
      givenUp: (heard: Heard) => this.#givenUp(heard),
      overflowed: (heard: Heard) => this.#lost(heard, "too much is waiting for the broker"),
    };
    this.#events = new IngestQueue<Heard>({
      ...shared,
      ingest: (heard) => this.#attempt(heard, () => this.#ingest(heard)),
      heldFor: (heard) => this.#heldFor(heard),
    });
    this.#deadLetters = new IngestQueue<Refused>({
      ...shared,
      ingest: (refused) => this.#attempt(refused, () => this.#keep(refused)),
      heldFor: () => 0,
    });
  }

  /** Never throws: called for every message that a worker published, whatever it holds. */
  execute(message: BareMessage): void {
    this.#events.add({
      message,
      characters: message.channel.length + message.payload.length,
      heardAt: this.#clock.now(),
      listening: this.#workers.listening(),
    });
  }

  /** Resolves when every message heard until now is stored, kept as a dead letter, or given up. */
  async settled(): Promise<void> {
    await this.#events.settled();
    await this.#deadLetters.settled();
  }

  async #attempt(heard: Heard, attempt: () => Promise<void>): Promise<"done" | "again"> {
    try {
      await attempt();
    } catch (error) {
      if (error instanceof BrokerUnavailable || error instanceof OutcomeUnknown) return "again";
      this.#lost(heard, `a fault: ${reasonOf(error)}`);
    }
    return "done";
  }

  async #ingest(heard: Heard): Promise<void> {
    const { request, fault } = this.#read(heard);
    if (fault !== undefined) this.#refuse(heard, fault);
    const refusal = request && (await this.#append(request));
    if (refusal !== undefined) this.#refuse(heard, refusal);
    if (request === undefined) await this.#signs.heard(heard.message.channel, heard.message.payload);
  }

  /**
   * Queues the message as a dead letter: at once, so that dead letters are kept in the order heard, and once, though the
   * end in its place may be appended several times.
   */
  #refuse(heard: Heard, reason: string): void {
    if (this.#refused.has(heard)) return;
    this.#refused.add(heard);
    this.#deadLetters.add({ ...heard, reason });
  }

  /** The event to append, if any, and why the message is a dead letter, if it is one. */
  #read(heard: Heard): { readonly request?: AppendRequest; readonly fault?: string } {
    const { message, heardAt } = heard;
    const channel = parseChannel(message.channel);
    if (channel === undefined) return { fault: `channel: ${channelFault(message.channel)}` };
    const context = { channel, now: heardAt, mostBytes: this.#pubSub.mostBytes, rules: this.#rules };
    const decoded = message.garbled ? NOT_UTF8 : decodeEvent(message.payload, context);
    if (decoded.ok) return { request: this.#request(heard, channel, decoded.encoded) };
    const fault = deadLetterReason(decoded);
    const end = endInPlaceOf({ text: message.payload }, decoded, context);
    return end === undefined ? { fault } : { fault, request: this.#request(heard, channel, end) };
  }

  /** The deduplication key is that of the message, even if the event is the end in place of a refused one. */
  #request(heard: Heard, channel: ChannelName, event: EncodedEvent): AppendRequest {
    return { channel, events: [event], deduplicate: this.#deduplicationKey(heard) };
  }

  #deduplicationKey(heard: Heard): OccurrenceKey {
    const { occurrence } = heard.message;
    const now = this.#clock.now();
    const lateMs = this.#lateMs(heard);
    // A connection that counts by itself may ask about any message since it began to count.
    const sinceMs = occurrence.since === undefined ? 0 : now - occurrence.since;
    return {
      by: "occurrence",
      occurrence,
      reachMs: Math.max(lateMs, sinceMs) + ON_ITS_WAY_MS,
      ageMs: Math.max(0, now - heard.heardAt),
      retryMs: RETRY_WINDOW_MS + lateMs,
      rememberMs: CONTENT_REMEMBERED_MS,
    };
  }

  /** Resolves with why the broker refused it; undefined if it did not. */
  async #append(request: AppendRequest): Promise<string | undefined> {
    const outcome = await appendWorkerEvent(this.#pubSub, request);
    if (typeof outcome === "string") return outcome;
    noteAppended(this.#telemetry, "bare", request.channel, outcome);
    return undefined;
  }

  async #keep(refused: Refused): Promise<void> {
    const { channel, payload } = refused.message;
    const { reason } = refused;
    const windowMs = RETRY_WINDOW_MS + this.#lateMs(refused);
    // Before it is counted: a dead letter that could not be kept comes here again.
    await this.#deadLetterPort.keep({ channel, payload, reason, windowMs });
    this.#telemetry.count("telltale_dead_letters_total", { reason: reasonLabel(reason) });
    this.#telemetry.log("warn", "a worker's event was refused", {
      kind: kindOfDeadLetter(channel),
      channel,
      reason,
    });
  }

  /** How long ago the message was published, in milliseconds, at most. */
  #lateMs({ message, heardAt }: Heard): number {
    return (message.lateMs ?? 0) + Math.max(0, this.#clock.now() - heardAt);
  }

  #heldFor({ listening }: Heard): number {
    if (listening === undefined) return 0;
    const left = listening.since + NEWCOMER_HOLD_MS - this.#clock.now();
    // A clock that was set back holds nothing up.
    if (left <= 0 || left > NEWCOMER_HOLD_MS) return 0;
    const { newcomer, others } = listening;
    if (newcomer === undefined) return Math.min(left, LOOK_AGAIN_MS);
    return newcomer && others !== false ? left : 0;
  }

  #givenUp(heard: Heard): boolean {
    if (this.#clock.now() - heard.heardAt > LATEST_APPEND_MS) {
      this.#lost(heard, "the broker could not store it for two minutes");
      return true;
    }
    // The broker may have forgotten by now that it stored what the others appended.
    if (heard.listening?.others !== true || this.#lateMs(heard) <= LATEST_APPEND_MS) return false;
    this.#telemetry.count("telltale_publish_total", { lane: "bare", outcome: "left_to_others" });
    this.#telemetry.log("warn", "a worker's event was heard too late and left to the other gateways", {
      channel: heard.message.channel,
    });
    return true;
  }

  #lost({ message }: Heard, reason: string): void {
    this.#telemetry.count("telltale_publish_total", { lane: "bare", outcome: "lost" });
    this.#telemetry.log("error", "a worker's event was lost", { channel: message.channel, reason });
  }
}

interface Heard {
  readonly message: BareMessage;
  readonly characters: number;
  readonly heardAt: number;
  /** How this node listened when it heard the message. */
  readonly listening: Listening | undefined;
}

interface Refused extends Heard {
  readonly reason: string;
}
