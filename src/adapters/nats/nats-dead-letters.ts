import { createHash } from "node:crypto";
import { headers, type Msg } from "@nats-io/transport-node";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  DEAD_LETTER_KINDS,
  DEAD_LETTER_PAGE,
  type DeadLetter,
  type DeadLetterIdentity,
  type DeadLetterPort,
  identityOf,
  type KeptDeadLetter,
  keptFields,
  kindOfDeadLetter,
} from "../../application/ports/dead-letter-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { LastingDenial } from "../broker/lasting-denial.ts";
import type { OutageLog } from "../broker/outage-log.ts";
import { DeadLetterRoom } from "./dead-letter-room.ts";
import { answerOf } from "./nats-api.ts";
import type { NatsTarget } from "./nats-connection.ts";
import { readFailure, writeFailure } from "./nats-errors.ts";
import { NatsLink } from "./nats-link.ts";
import { ensureStream, type WantedStream } from "./nats-streams.ts";
import { notesRemovalsLate, removeMessage } from "./remove-message.ts";
import { brokerTime, type KeptMessage, readBatch } from "./stream-batch.ts";
import { streamState } from "./stream-state.ts";

interface NatsDeadLettersOptions {
  readonly target: NatsTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The outages that its connection tells together with the others of the gateway. */
  readonly outages?: OutageLog | undefined;
}

const STREAM_NAME = "TELLTALE_DEADLETTERS";
const SUBJECT = "telltale.deadletters";
const MARKER_SUBJECT = `${SUBJECT}.foreign`;
/** A dead letter with a name is recognised for so long. */
const REMEMBERED_MS = 3_600_000;

/** The stream of dead letters, as it must be. */
export const DEAD_LETTER_STREAM: WantedStream = {
  name: STREAM_NAME,
  subjects: DEAD_LETTER_KINDS.map((kind) => `${SUBJECT}.${kind}`),
  duplicateWindowMs: REMEMBERED_MS,
};

/** The stream of dead letters, with a subject for each kind. JetStream recognises those that several nodes report. */
export class NatsDeadLetters implements DeadLetterPort {
  readonly #clock: ClockPort;
  readonly #link: NatsLink;
  readonly #room: DeadLetterRoom;
  readonly #unkept: LastingDenial;
  #creation = "";

  constructor(options: NatsDeadLettersOptions) {
    this.#clock = options.clock;
    this.#unkept = new LastingDenial(options.clock);
    this.#link = new NatsLink({
      ...options,
      purpose: "dead-letters",
      check: async (connection, server) => {
        this.#creation = (await ensureStream(connection, DEAD_LETTER_STREAM, server)).creation;
      },
    });
    this.#room = new DeadLetterRoom(this.#link, options.clock, STREAM_NAME);
  }

  get trouble(): BrokerTrouble | undefined {
    const { away } = this.#link;
    return this.#unkept.trouble ?? (away?.cause === "stream_settings" ? away : undefined);
  }

  async keep(deadLetter: DeadLetter): Promise<void> {
    const at = new Date(this.#clock.now()).toISOString();
    const text = JSON.stringify({ ...keptFields(deadLetter), at });
    const subject = `${SUBJECT}.${kindOfDeadLetter(deadLetter.channel)}`;
    const identity = identityOf(deadLetter);
    await this.#unkept.watch(
      this.#ask(writeFailure, async () => {
        if (await this.#store(subject, text, identity)) await this.#room.make();
      }),
    );
  }

  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    const pages = pagesOf(await this.#ask(readFailure, () => this.#room.sequences()));
    for (const page of from === "oldest" ? pages : pages.reverse()) {
      const read = await this.#ask(readFailure, () => this.#page(page));
      yield* from === "oldest" ? read : read.reverse();
    }
  }

  async find(id: string): Promise<KeptDeadLetter | undefined> {
    return this.#ask(readFailure, async () => {
      const sequence = this.#sequenceOf(id);
      const message = sequence === undefined ? undefined : await this.#at(sequence);
      return message === undefined ? undefined : deadLetterOf(id, message.string());
    });
  }

  async remove(id: string): Promise<boolean> {
    return this.#ask(writeFailure, async () => {
      const sequence = this.#sequenceOf(id);
      if (sequence === undefined) return false;
      const erase = notesRemovalsLate(this.#link.server);
      if (erase) await this.#leaveAsNewest(sequence);
      return removeMessage(this.#link, STREAM_NAME, sequence, { erase });
    });
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** Resolves with whether it was stored. It is not if it was before, and not longer ago than its window. */
  async #store(
    subject: string,
    text: string,
    { text: name, windowMs }: DeadLetterIdentity,
  ): Promise<boolean> {
    const identity = createHash("sha256").update(name).digest("base64url");
    for (let id = identity; ; ) {
      const head = headers();
      head.set("Nats-Msg-Id", id);
      const answer = await this.#link.request(subject, text, { headers: head });
      const { seq, duplicate } = answerOf<Stored>(answer.data);
      if (duplicate !== true) return true;
      if (windowMs >= REMEMBERED_MS || (await this.#isWithin(windowMs, seq))) return false;
      // The dead letter that had the id is too old, or gone: this is another one, with an id that follows that one's.
      id = `${identity}@${seq}`;
    }
  }

  /**
   * Stores a marker, which is no dead letter, if the message is the newest of the stream: a server recognises no message of
   * a stream whose newest one was erased once it was started again.
   */
  async #leaveAsNewest(sequence: number): Promise<void> {
    const { last_seq } = await streamState(this.#link, STREAM_NAME);
    if (last_seq === sequence) answerOf((await this.#link.request(MARKER_SUBJECT)).data);
  }

  async #isWithin(windowMs: number, sequence: number): Promise<boolean> {
    const message = await this.#at(sequence);
    if (message === undefined) return false;
    const storedAt = Date.parse(message.headers?.get("Nats-Time-Stamp") ?? "");
    return (await brokerTime(this.#link, STREAM_NAME)) - storedAt < windowMs;
  }

  async #at(sequence: number): Promise<Msg | undefined> {
    const query = JSON.stringify({ seq: sequence });
    const message = await this.#link.request(`$JS.API.DIRECT.GET.${STREAM_NAME}`, query);
    // Neither a refusal nor a marker has data.
    return message.data.length === 0 ? undefined : message;
  }

  /** Those of a page that are still there, oldest first. */
  async #page(sequences: readonly number[]): Promise<KeptDeadLetter[]> {
    const last = sequences.at(-1) ?? 0;
    const page: KeptMessage[] = [];
    for (let from = sequences[0] ?? 1; from <= last; ) {
      const budget = { items: sequences.length, bytes: DEAD_LETTER_PAGE.bytes };
      const { messages } = await readBatch(this.#link, this.#clock, STREAM_NAME, { from, budget });
      page.push(...messages.filter(({ sequence }) => sequence <= last));
      from = (messages.at(-1)?.sequence ?? last) + 1;
    }
    const deadLetters = page.filter(({ data }) => data.length > 0);
    return deadLetters.map(({ sequence, data }) =>
      deadLetterOf(`${this.#creation}-${sequence}`, new TextDecoder().decode(data)),
    );
  }

  #sequenceOf(id: string): number | undefined {
    const [, creation, sequence] = /^([0-9a-z]+)-([1-9]\d{0,14})$/.exec(id) ?? [];
    return creation === this.#creation ? Number(sequence) : undefined;
  }

  async #ask<Answer>(translate: (error: unknown) => unknown, ask: () => Promise<Answer>): Promise<Answer> {
    try {
      await this.#link.started;
      this.#link.assertUp();
      return await ask();
    } catch (error) {
      throw translate(error);
    }
  }
}

interface Stored {
  readonly seq: number;
  readonly duplicate?: boolean;
}

function pagesOf(sequences: readonly number[]): number[][] {
  const pages: number[][] = [];
  for (let at = 0; at < sequences.length; at += DEAD_LETTER_PAGE.items)
    pages.push(sequences.slice(at, at + DEAD_LETTER_PAGE.items));
  return pages;
}

function deadLetterOf(id: string, text: string): KeptDeadLetter {
  const { channel, payload, reason, at } = JSON.parse(text) as Omit<KeptDeadLetter, "id">;
  return { id, channel, payload, reason, at };
}
