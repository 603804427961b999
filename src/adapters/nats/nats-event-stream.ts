import { createInbox, headers, type Msg } from "@nats-io/transport-node";
import { BrokerUnavailable, OutcomeUnknown } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { PAGE_BYTES } from "../../application/ports/pub-sub-port.ts";
import type { ClusterLineage } from "./cluster-lineage.ts";
import type { EventStream, Publication, PublicationAnswer, StoredMessage } from "./event-stream.ts";
import { keptMessage } from "./kept-message.ts";
import { answerOf, callApi, purgeBefore } from "./nats-api.ts";
import type { NatsClock } from "./nats-clock.ts";
import { isRefusal, REFUSED, readFailure, writeFailure } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { millisecondsOf } from "./stream-batch.ts";
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
    head.set("Nats-Expected-Last-Subject-Sequence", `${expected}`);
    if (id !== undefined) head.set("Nats-Msg-Id", id);
    const giveUpAt = this.#clock.stopwatch() + timeoutMs;
    try {
      const answer = await this.#link.request(subject, text, { headers: head, timeoutMs });
      const { seq, duplicate } = answerOf<PublishAcknowledgement>(answer.data);
      if (duplicate === true) return { type: "duplicate", sequence: seq };
      return { type: "stored", sequence: seq, isInTime: this.#clock.atMost() < deadline };
    } catch (error) {
      if (isRefusal(error, REFUSED.wrongLastSequence)) return { type: "conflict" };
      const failure = writeFailure(error);
      // Until then the broker might store it in time, though nobody would hear of it.
      if (failure instanceof OutcomeUnknown) await this.#pause(giveUpAt - this.#clock.stopwatch());
      throw failure;
    }
  }

  async range(subject: string, sequence: number, take: (message: StoredMessage) => boolean): Promise<void> {
    const config = {
      ack_policy: "none",
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(1, sequence),
      filter_subject: subject,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: READER_GONE_MS * 1_000_000,
    };
    const created = await this.#read(() =>
      callApi<{ readonly name: string }>(this.#link, `CONSUMER.CREATE.${EVENTS_STREAM}`, {
        stream_name: EVENTS_STREAM,
        config,
      }),
    );
    try {
      let more = true;
      while (more) more = await this.#pull(created.name, take);
    } finally {
      // If nobody hears it, the broker removes the reader by itself.
      if (this.#link.away === undefined)
        this.#link.publish(`$JS.API.CONSUMER.DELETE.${EVENTS_STREAM}.${created.name}`, "");
    }
  }

  async removeBefore(subject: string, sequence: number): Promise<void> {
    await this.#read(() => purgeBefore(this.#link, EVENTS_STREAM, subject, sequence));
  }

  /** Hands over one batch. Resolves with whether more may follow. */
  #pull(reader: string, take: (message: StoredMessage) => boolean): Promise<boolean> {
    return this.#read(async () => {
      const inbox = createInbox();
      const end = Promise.withResolvers<boolean>();
      let taken = 0;
      let isOver = false;
      const finish = (more: boolean) => {
        isOver = true;
        end.resolve(more);
      };
      const subscription = this.#link.subscribe(inbox, (error, message) => {
        if (isOver) return;
        if (error !== null) end.reject(error);
        // A batch may end before its number because its bytes are too many.
        else if (isStatus(message)) finish(taken > 0 && message.headers?.code !== NO_MESSAGES);
        else if (!take(storedOf(message)) || isLast(message)) finish(false);
        else if (++taken === PULLED) finish(true);
      });
      const cancel = this.#options.timers.after(READ_MS, () =>
        end.reject(new BrokerUnavailable("NATS did not go on", { trouble: { cause: "silent" } })),
      );
      try {
        const most = (this.#link.server?.mostBytes ?? 0) + PAGE_BYTES;
        const request = JSON.stringify({ batch: PULLED, max_bytes: most, no_wait: true });
        this.#link.publish(`$JS.API.CONSUMER.MSG.NEXT.${EVENTS_STREAM}.${reader}`, request, inbox);
        return await end.promise;
      } finally {
        cancel();
        subscription.unsubscribe();
      }
    });
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
/** Messages of one pull. */
const PULLED = 256;
const NO_MESSAGES = 404;
const READ_MS = 2_000;
const READER_GONE_MS = 5_000;

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

/** Whether the stream has no more for a reader: its messages say how many follow. */
function isLast({ reply = "" }: Msg): boolean {
  return reply.split(".")[partsBefore(reply) + 4] === "0";
}

/** Newer servers put a domain and an account after `$JS.ACK`. */
function partsBefore(reply: string): number {
  return reply.split(".").length > 9 ? 6 : 4;
}

/** Reads a message of a reader, whose reply subject says which it is: `$JS.ACK.stream.reader.1.sequence.1.nanoseconds.0`. */
function storedOf(message: Msg): StoredMessage {
  const parts = (message.reply ?? "").split(".").slice(partsBefore(message.reply ?? ""));
  return {
    sequence: Number(parts[1]),
    subject: message.subject,
    at: millisecondsOf(parts[3]),
    text: message.string(),
  };
}
