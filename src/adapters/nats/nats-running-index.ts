import { headers } from "@nats-io/transport-node";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  type IndexedAnalysis,
  MOST_INDEXED,
  type RunningIndexPort,
} from "../../application/ports/running-index-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import { type AnalysisChannel, isAnalysisChannel, parseChannel } from "../../domain/channel.ts";
import { keptMessage } from "./kept-message.ts";
import { answerOf } from "./nats-api.ts";
import type { NatsRequests, NatsServer } from "./nats-connection.ts";
import { isConflict, JetStreamRefusal, readFailure, troubleOf, writeFailure } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { ensureStream, type WantedStream } from "./nats-streams.ts";
import { removeMessage } from "./remove-message.ts";
import { readBatch } from "./stream-batch.ts";
import { subjectToken, textOfToken } from "./subjects.ts";

const SUBJECT = "telltale.running";

/** The stream of the index, as it must be. Each subject keeps its last message: when the analysis is due, or nothing if it is out. */
const RUNNING: WantedStream = {
  name: "TELLTALE_RUNNING",
  subjects: [`${SUBJECT}.*`],
  lastPerSubject: true,
  mostMessages: MOST_INDEXED,
};

const PAGE: ByteBudget = { items: 5_000, bytes: 1024 * 1024 };
/** Every gateway has read by then that an analysis is out, in milliseconds. */
const OUT_IS_KNOWN_MS = 30_000;
/** The copy is read from the beginning so often, in milliseconds, in case that the stream gave sequences again. */
const READ_ANEW_MS = 10 * 60_000;

interface NatsRunningIndexOptions {
  readonly link: NatsLink;
  readonly clock: ClockPort;
}

interface Entry {
  /** Undefined if the analysis is out. */
  readonly dueAt: number | undefined;
  readonly sequence: number;
  /** When this gateway read it. */
  readonly readAt: number;
}

/** `RunningIndexPort` in a stream, of which each gateway that asks for what is due follows a copy. The stream is made when it is needed. */
export class NatsRunningIndex implements RunningIndexPort {
  readonly #options: NatsRunningIndexOptions;
  readonly #copy = new Map<string, Entry>();
  /** The link, which is not made anew if this one stream is missing. */
  readonly #asking: NatsRequests;
  #next = 1;
  #readAnewAt = 0;
  /** The connection on which the stream was found. */
  #server: NatsServer | undefined;

  constructor(options: NatsRunningIndexOptions) {
    this.#options = options;
    this.#asking = { request: (...asked) => options.link.request(...asked) };
  }

  put({ channel, dueAt }: IndexedAnalysis): Promise<boolean> {
    return this.#ask(writeFailure, async () => {
      try {
        await this.#store(channel, `${dueAt}`);
        return true;
      } catch (error) {
        if (isFull(error)) return false;
        throw error;
      }
    });
  }

  due(now: number, limit: number): Promise<readonly IndexedAnalysis[]> {
    return this.#ask(readFailure, async () => {
      await this.#readOn();
      const due: IndexedAnalysis[] = [];
      for (const [subject, { dueAt }] of this.#copy) {
        const channel = channelOf(subject);
        if (dueAt !== undefined && dueAt <= now && channel !== undefined) due.push({ channel, dueAt });
      }
      return due.sort((one, other) => one.dueAt - other.dueAt).slice(0, limit);
    });
  }

  settle(read: IndexedAnalysis, dueAt: number | undefined): Promise<void> {
    return this.#ask(writeFailure, async () => {
      const subject = subjectOf(read.channel);
      const last = await keptMessage(this.#asking, RUNNING.name, { last_by_subj: subject });
      this.#take(subject, { sequence: last?.sequence ?? 0, dueAt: dueIn(last?.text) });
      if (last === undefined || dueIn(last.text) !== read.dueAt) return;
      try {
        const sequence = await this.#store(
          read.channel,
          dueAt === undefined ? "" : `${dueAt}`,
          last.sequence,
        );
        this.#take(subject, { sequence, dueAt });
      } catch (error) {
        // Somebody has moved it meanwhile.
        if (!isConflict(error)) throw error;
      }
    });
  }

  /** Resolves with the sequence. */
  async #store(channel: AnalysisChannel, text: string, expected?: number): Promise<number> {
    const head = headers();
    if (expected !== undefined) head.set("Nats-Expected-Last-Subject-Sequence", `${expected}`);
    const answer = await this.#options.link.request(subjectOf(channel), text, { headers: head });
    return answerOf<{ readonly seq: number }>(answer.data).seq;
  }

  async #readOn(): Promise<void> {
    const { link, clock } = this.#options;
    if (clock.now() >= this.#readAnewAt) {
      this.#copy.clear();
      this.#next = 1;
      this.#readAnewAt = clock.now() + READ_ANEW_MS;
    }
    for (let isMore = true; isMore; ) {
      const terms = { from: this.#next, budget: PAGE };
      const { messages, pending } = await readBatch(link, clock, RUNNING.name, terms);
      for (const { subject, sequence, data } of messages) {
        this.#take(subject, { sequence, dueAt: dueIn(decoder.decode(data)) });
        this.#next = sequence + 1;
      }
      isMore = pending > 0 && messages.length > 0;
    }
    await this.#tidy();
  }

  /** Removes the messages that only say that an analysis is out. The newest of the stream stays (see `purgeBefore`). */
  async #tidy(): Promise<void> {
    const { clock } = this.#options;
    for (const [subject, { dueAt, sequence, readAt }] of this.#copy) {
      if (dueAt !== undefined || sequence >= this.#next - 1 || clock.now() - readAt < OUT_IS_KNOWN_MS)
        continue;
      if (sequence > 0) await removeMessage(this.#asking, RUNNING.name, sequence);
      this.#copy.delete(subject);
    }
  }

  #take(subject: string, { sequence, dueAt }: Omit<Entry, "readAt">): void {
    const before = this.#copy.get(subject);
    if (before !== undefined && sequence !== 0 && before.sequence > sequence) return;
    this.#copy.set(subject, { sequence, dueAt, readAt: this.#options.clock.now() });
  }

  async #find(server: NatsServer | undefined): Promise<void> {
    if (server === undefined) return;
    await ensureStream(this.#asking, RUNNING, server);
    this.#server = server;
    this.#readAnewAt = 0;
  }

  async #ask<Answer>(translate: (error: unknown) => unknown, ask: () => Promise<Answer>): Promise<Answer> {
    const { link } = this.#options;
    try {
      await link.started;
      link.assertUp();
      if (link.server !== this.#server) await this.#find(link.server);
      return await ask();
    } catch (error) {
      // It may be that somebody has removed the stream.
      this.#server = undefined;
      throw translate(error);
    }
  }
}

const decoder = new TextDecoder();

function subjectOf(channel: AnalysisChannel): string {
  return `${SUBJECT}.${subjectToken(channel)}`;
}

/** Undefined if it is none: anybody who may publish below `telltale.running` can put another one there. */
function channelOf(subject: string): AnalysisChannel | undefined {
  const name = textOfToken(subject.slice(SUBJECT.length + 1));
  const channel = name === undefined ? undefined : parseChannel(name);
  return channel !== undefined && isAnalysisChannel(channel) ? channel : undefined;
}

function dueIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function isFull(error: unknown): boolean {
  return error instanceof JetStreamRefusal && troubleOf(error).cause === "stream_full";
}
