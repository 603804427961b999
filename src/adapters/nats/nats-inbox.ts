import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  INBOX_BATCH,
  type InboxBacklog,
  type InboxPort,
  type Taken,
} from "../../application/ports/inbox-port.ts";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { type ByteBudget, fill } from "../../domain/byte-budget.ts";
import type { OutageLog } from "../broker/outage-log.ts";
import { compareEntryIds, partsOfEntry } from "./entry-ids.ts";
import { idOf, inboxEntry } from "./inbox-entry.ts";
import { InboxLease } from "./inbox-lease.ts";
import { keptMessage } from "./kept-message.ts";
import { purgeBefore } from "./nats-api.ts";
import type { NatsTarget } from "./nats-connection.ts";
import { readFailure, writeFailure } from "./nats-errors.ts";
import { NatsLink } from "./nats-link.ts";
import { creationOf, ensureStream } from "./nats-streams.ts";
import { removeMessage } from "./remove-message.ts";
import { countFrom, type KeptMessage, readBatch } from "./stream-batch.ts";
import { RECORDS, STATE } from "./subjects.ts";
import { readTaken, storeTaken } from "./taken-position.ts";
import { WorkerHeartbeats } from "./worker-heartbeats.ts";
import {
  ALL_SUBJECTS,
  ARRIVALS,
  addSubjects,
  WORKERS_STREAM,
  type WorkerKind,
  workersStream,
} from "./worker-subjects.ts";

export interface NatsInboxOptions {
  readonly target: NatsTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The kinds of channels that the stream has subjects for, beside those that it has already. */
  readonly listen: readonly WorkerKind[];
  /** The outages that its connection tells together with the others of the gateway. */
  readonly outages?: OutageLog | undefined;
  /** As `PubSubPort.signOfLife`. Without it no heartbeats of workers are answered. */
  readonly signOfLife?: PubSubPort["signOfLife"];
  /** The name of this node in the lease. Default: a random one. */
  readonly node?: string;
}

const ARRIVAL_MS = 1_000;
const FIRST: ByteBudget = { items: 1, bytes: 1024 * 1024 };

/**
 * The stream of what workers publish: on the subjects of channels, and on `telltale.inbox`. It has a connection of its own,
 * since large batches must not hold up what publishers and watchers wait for. The newest message that was taken stays in the
 * stream (see `purgeBefore`).
 */
export class NatsInbox implements InboxPort {
  readonly takesWorkerChannels = true;
  readonly #options: NatsInboxOptions;
  readonly #link: NatsLink;
  readonly #lease: InboxLease;
  readonly #waiting = new Set<() => void>();
  #creation = "";
  /** All messages up to this sequence were taken; undefined if this node does not know how far. */
  #position: number | undefined;
  /** The batch that was taken last. */
  #taken: readonly KeptMessage[] = [];

  constructor(options: NatsInboxOptions) {
    this.#options = options;
    const wanted = workersStream(options.listen);
    const { signOfLife, telemetry } = options;
    const heartbeats = signOfLife && new WorkerHeartbeats({ signOfLife, telemetry });
    this.#link = new NatsLink({
      ...options,
      purpose: "inbox",
      check: async (connection, server) => {
        await addSubjects(connection, wanted);
        const [workers] = await Promise.all([
          ensureStream(connection, wanted, server),
          ensureStream(connection, STATE, server),
          ensureStream(connection, RECORDS, server),
        ]);
        this.#creation = workers.creation;
        for (const warning of workers.warnings) options.telemetry.log("warn", warning);
      },
      onReady: () => {
        this.#listen();
        heartbeats?.listen(this.#link);
      },
      onLost: () => this.#lost(),
    });
    const node = options.node ?? crypto.randomUUID();
    this.#lease = new InboxLease(this.#link, node, () => performance.now());
  }

  async take(): Promise<Taken> {
    const againMs = await this.#ask(readFailure, () => this.#lease.acquire());
    if (againMs !== undefined) {
      this.#position = undefined;
      return { type: "elsewhere", againMs };
    }
    const creation = this.#creation;
    const { messages } = await this.#ask(readFailure, () => this.#read(creation));
    const batch = fill(messages, INBOX_BATCH, ({ data }) => data.length);
    this.#taken = batch;
    return { type: "batch", entries: batch.map((message) => inboxEntry(creation, message)) };
  }

  async arrival(): Promise<void> {
    const arrived = Promise.withResolvers<void>();
    this.#waiting.add(arrived.resolve);
    const cancel = this.#options.clock.after(ARRIVAL_MS, arrived.resolve);
    try {
      // A message that came before may have been told before anybody waited.
      const from = (this.#position ?? 0) + 1;
      const messages = await this.#ask(readFailure, () => countFrom(this.#link, WORKERS_STREAM, from));
      if (messages === 0) await arrived.promise;
    } finally {
      cancel();
      this.#waiting.delete(arrived.resolve);
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.#link.started;
    const creation = this.#creation;
    const gone = new Set(ids.filter((id) => partsOfEntry(id).creation === creation));
    if (gone.size === 0) return;
    // Nothing lies before a batch, so its first entries are removed together.
    const kept = this.#taken.findIndex((message) => !gone.has(idOf(creation, message)));
    const head = kept === -1 ? this.#taken : this.#taken.slice(0, kept);
    await this.#ask(writeFailure, async () => {
      if (await this.#moveTo(creation, head.at(-1)))
        for (const message of head) gone.delete(idOf(creation, message));
      await Promise.all([...gone].map((id) => this.#removeOne(id)));
    });
    this.#taken = this.#taken.slice(head.length);
  }

  async release(): Promise<void> {
    await this.#ask(writeFailure, () => this.#lease.release());
  }

  async backlog(): Promise<InboxBacklog> {
    await this.#link.started;
    const creation = this.#creation;
    return this.#ask(readFailure, async () => {
      // Another node may have taken since this one did.
      const from = (await readTaken(this.#link, creation)) + 1;
      const options = { from, budget: FIRST, headersOnly: true };
      const batch = await readBatch(this.#link, this.#options.clock, WORKERS_STREAM, options);
      const [first] = batch.messages;
      if (first === undefined) return { entries: 0, oldest: undefined };
      const ageMs = Math.max(0, batch.brokerNow - first.at);
      const entries = batch.messages.length + batch.pending;
      return { entries, oldest: { id: idOf(creation, first), ageMs } };
    });
  }

  compareIds(one: string, other: string): number {
    return compareEntryIds(one, other);
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#wake();
  }

  #listen(): void {
    this.#link.subscribe(ARRIVALS, (error) => {
      if (error === null) this.#wake();
      else
        this.#options.telemetry.log("warn", "arrivals in the inbox are not heard", { reason: error.message });
    });
  }

  #lost(): void {
    this.#lease.forget();
    this.#position = undefined;
    this.#taken = [];
    this.#wake();
  }

  #wake(): void {
    for (const arrived of [...this.#waiting]) arrived();
  }

  async #read(creation: string) {
    this.#position ??= await readTaken(this.#link, creation);
    const batch = await readBatch(this.#link, this.#options.clock, WORKERS_STREAM, {
      from: this.#position + 1,
      budget: INBOX_BATCH,
    });
    await this.#assertSame(creation);
    return batch;
  }

  /** Another stream may have taken the place of the one that this node knows: its sequences and its position are others. */
  async #assertSame(creation: string): Promise<void> {
    const found = await creationOf(this.#link, WORKERS_STREAM);
    if (creation === this.#creation && creation === found) return;
    const made = new BrokerUnavailable("the stream of workers was made anew");
    this.#link.streamIsGone(made);
    throw made;
  }

  /** Notes that all up to this message were taken, and removes those before it. Does neither if it is gone. */
  async #moveTo(creation: string, last: KeptMessage | undefined): Promise<boolean> {
    if (last === undefined || !(await this.#isKept(last))) return false;
    const { sequence, at } = last;
    await storeTaken(this.#link, { creation, sequence, at });
    this.#position = sequence;
    await Promise.all(
      ALL_SUBJECTS.map((subject) => purgeBefore(this.#link, WORKERS_STREAM, subject, sequence)),
    );
    return true;
  }

  async #removeOne(id: string): Promise<void> {
    const { sequence, nanoseconds = 0n } = partsOfEntry(id);
    if (await this.#isKept({ sequence, at: Number(nanoseconds / 1_000_000n) }))
      await removeMessage(this.#link, WORKERS_STREAM, sequence);
  }

  /** Whether the stream has the message. A stream that was made anew, or that lost messages, gives sequences again. */
  async #isKept({ sequence, at }: Pick<KeptMessage, "sequence" | "at">): Promise<boolean> {
    const found = await keptMessage(this.#link, WORKERS_STREAM, { seq: sequence });
    return found?.at === at;
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
