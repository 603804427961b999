import { headers, type Msg } from "@nats-io/transport-node";
import { BrokerUnavailable, OutcomeUnknown } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { PAGE_BYTES } from "../../application/ports/pub-sub-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import type { ClusterLineage } from "./cluster-lineage.ts";
import type { DeliveredPlace } from "./delivered-message.ts";
import {
  type EventStream,
  NEVER,
  type Publication,
  type PublicationAnswer,
  type RangeTerms,
  type StoredMessage,
} from "./event-stream.ts";
import { keptMessage } from "./kept-message.ts";
import { answerOf, purgeBefore } from "./nats-api.ts";
import type { NatsClock } from "./nats-clock.ts";
import { isConflict, isRefusal, REFUSED, readFailure, writeFailure } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { pull, withReader } from "./stream-reader.ts";
import { EVENTS_STREAM } from "./subjects.ts";

interface NatsEventStreamOptions {
  readonly link: NatsLink;
  readonly clock: NatsClock;
  readonly timers: ClockPort;
  /** Whether several servers keep the stream: then only their leader answers reads. */
  readonly isReplicated: () => boolean;
  /** The line of history of such a stream. */
  readonly clusterLineage: ClusterLineage;
}

/** `EventStream` on JetStream. */
export class NatsEventStream implements EventStream {
  readonly #options: NatsEventStreamOptions;
  readonly #link: NatsLink;
  readonly #clock: NatsClock;

  constructor(options: NatsEventStreamOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#clock = options.clock;
  }

  get lineage(): string {
    const { isReplicated, clusterLineage } = this.#options;
    return isReplicated() ? clusterLineage.name : (this.#link.server?.id ?? "").slice(0, LINEAGE_LENGTH);
  }

  async refreshLineage(): Promise<void> {
    const { isReplicated, clusterLineage } = this.#options;
    if (isReplicated()) await this.#read(() => clusterLineage.follow(this.#link));
  }

  now(): number {
    return this.#clock.now();
  }

  last(subject: string): Promise<StoredMessage | undefined> {
    return this.#get({ last_by_subj: subject });
  }

  at(sequence: number): Promise<StoredMessage | undefined> {
    return this.#get({ seq: sequence });
  }

  from(subject: string, sequence: number): Promise<StoredMessage | undefined> {
    return this.#get({ seq: Math.max(1, sequence), next_by_subj: subject });
  }

  async publish(publication: Publication, lineage: string): Promise<PublicationAnswer> {
    const { subject, text, expected, id, deadline } = publication;
    this.#link.assertUp();
    if (lineage !== this.lineage)
      throw new BrokerUnavailable("the connection leads to another server by now", {
        trouble: { cause: "connecting" },
      });
    const timeoutMs = this.#clock.until(deadline);
    if (timeoutMs === 0)
      throw new BrokerUnavailable("its deadline has passed", { trouble: { cause: "late" } });
    const head = headers();
    // A newer server looks at the sequence first, and for the id afterwards, unless it is one of several.
    if (expected === NEVER && !this.#options.isReplicated()) head.set("Nats-Expected-Last-Msg-Id", NO_ID);
    else head.set("Nats-Expected-Last-Subject-Sequence", `${expected}`);
    if (id !== undefined) head.set("Nats-Msg-Id", id);
    const giveUpAt = this.#clock.stopwatch() + timeoutMs;
    try {
      const answer = await this.#link.request(subject, text, { headers: head, timeoutMs });
      const { seq, duplicate } = answerOf<PublishAcknowledgement>(answer.data);
      if (duplicate === true) return { type: "duplicate", sequence: seq };
      return { type: "stored", sequence: seq, isInTime: this.#clock.atMost() < deadline };
    } catch (error) {
      if (isRefusal(error, REFUSED.idInProcess) || isRefusal(error, REFUSED.subjectInProcess))
        await this.#pause(IN_PROCESS_MS);
      if (isRefusal(error, REFUSED.idInProcess)) return this.publish(publication, lineage);
      if (isConflict(error) || isRefusal(error, REFUSED.wrongLastMessageId)) return { type: "conflict" };
      const failure = writeFailure(error);
      // Until then the broker might store it in time, though nobody would hear of it.
      if (failure instanceof OutcomeUnknown) await this.#pause(giveUpAt - this.#clock.stopwatch());
      throw failure;
    }
  }

  async range(
    subject: string,
    { from, fromLeader = false }: RangeTerms,
    take: (message: StoredMessage) => boolean,
  ): Promise<void> {
    if (fromLeader && this.#options.isReplicated()) return this.#rangeOfLeader(subject, from, take);
    const { timers } = this.#options;
    await this.#read(() =>
      withReader(this.#link, EVENTS_STREAM, { from, subject }, async (reader) => {
        const next = () =>
          pull(this.#link, timers, reader, PULLED, (message, place) => take(storedOf(message, place)));
        while (await next());
      }),
    );
  }

  async #rangeOfLeader(
    subject: string,
    from: number,
    take: (message: StoredMessage) => boolean,
  ): Promise<void> {
    let message = await this.from(subject, from);
    while (message !== undefined && take(message)) message = await this.from(subject, message.sequence + 1);
  }

  async removeBefore(subject: string, sequence: number): Promise<void> {
    await this.#read(() => purgeBefore(this.#link, EVENTS_STREAM, subject, sequence));
  }

  #get(query: object): Promise<StoredMessage | undefined> {
    return this.#read(async () => {
      if (this.#options.isReplicated()) return keptMessage(this.#link, EVENTS_STREAM, query);
      const message = await this.#link.request(`$JS.API.DIRECT.GET.${EVENTS_STREAM}`, JSON.stringify(query));
      return isStatus(message) ? undefined : gottenOf(message);
    });
  }

  async #read<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    try {
      return await question();
    } catch (error) {
      throw readFailure(error);
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.timers.after(Math.max(0, milliseconds), resolve));
  }
}

/** The first characters of a server's id: 55 random bits. */
const LINEAGE_LENGTH = 12;
/** No message has this id. */
const NO_ID = "none";
/** A cluster takes about so long to store the message that another one must wait for. */
const IN_PROCESS_MS = 5;
/** The messages of one pull. */
const PULLED: ByteBudget = { items: 256, bytes: PAGE_BYTES };

interface PublishAcknowledgement {
  readonly seq: number;
  readonly duplicate?: boolean;
}

/** JetStream's answers without a message have a status. */
function isStatus({ data, headers: head }: Msg): boolean {
  return data.length === 0 && head !== undefined && head.code !== 0;
}

/** Reads a message that was asked for by itself. */
function gottenOf(message: Msg): StoredMessage {
  const head = message.headers;
  return {
    sequence: Number(head?.get("Nats-Sequence")),
    subject: head?.get("Nats-Subject") ?? "",
    at: Date.parse(head?.get("Nats-Time-Stamp") ?? ""),
    text: message.string(),
  };
}

/** Reads a message that a reader delivered. */
function storedOf(message: Msg, { sequence, at }: DeliveredPlace): StoredMessage {
  return { sequence, at, subject: message.subject, text: message.string() };
}
