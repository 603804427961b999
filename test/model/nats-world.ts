import { readHistory } from "../../src/adapters/nats/channel-history.ts";
import { eventsOfMessage, isVoid } from "../../src/adapters/nats/channel-message.ts";
import { readSnapshot } from "../../src/adapters/nats/channel-snapshot.ts";
import { KnownHoles } from "../../src/adapters/nats/known-holes.ts";
import { NatsAppends } from "../../src/adapters/nats/nats-appends.ts";
import { subjectsOf } from "../../src/adapters/nats/subjects.ts";
import { trimChannel } from "../../src/adapters/nats/trim-channel.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import type { DeduplicationKey } from "../../src/application/ports/deduplication-key.ts";
import type { AppendOutcome, HistoryPage } from "../../src/application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../src/domain/analysis-event.ts";
import { appendToRecord, newRecord } from "../../src/domain/channel-record.ts";
import { type EventPosition, formatEventId } from "../../src/domain/event-position.ts";
import { result, status } from "../../src/testing/encoded-events.ts";
import { KEYS_KNOWN_MS, SimulatedNats, SimulatedStream } from "./nats-server.ts";
import { SimulatedWorkers, type WorkerMessage, type WorkersChange } from "./nats-workers.ts";

export type NatsStep =
  | {
      readonly type: "append";
      readonly node: number;
      readonly by: "none" | "key";
      readonly name: number;
      readonly events: number;
      readonly isEnd: boolean;
      readonly attempt: number;
    }
  | { readonly type: "work"; readonly count: number }
  | { readonly type: "take"; readonly node: number; readonly isFrozen: boolean }
  | { readonly type: "workers"; readonly change: WorkersChange; readonly count: number }
  | { readonly type: "go on"; readonly pick: number }
  | { readonly type: "flow"; readonly rounds: number }
  | { readonly type: "lose" | "repeat"; readonly pick: number }
  | { readonly type: "pass"; readonly milliseconds: number }
  | { readonly type: "save" }
  | { readonly type: "restart"; readonly asSaved: boolean }
  | { readonly type: "trim" | "read"; readonly node: number };

const CHANNEL = "analysis:00000000-0000-0000-0000-000000000001";
const SUBJECTS = subjectsOf(CHANNEL);
const TTL_MS = 60_000;
const TERMS = {
  ttlMs: TTL_MS,
  holes: new KnownHoles({
    log: (_, words) => {
      throw new Error(`no message was lost, and a gateway says: ${words}`);
    },
  }),
};
const SIZE = 4;
/** A key is known for so long: less than the stream knows it. */
const WINDOW_MS = 3_000;
/** So many messages of workers are taken at once, at most. */
const BATCH = 3;
interface Sent {
  readonly notes: readonly string[];
  readonly node: number;
  readonly key: DeduplicationKey | undefined;
  outcome: AppendOutcome | undefined;
  failure: unknown;
}

type Stored = Extract<AppendOutcome, { type: "stored" }>;

/** Some nodes on one simulated NATS, with everything that they were told, and the judge of it. */
export class NatsWorld {
  readonly #nats = new SimulatedNats();
  readonly #streams = [0, 700].map((behindMs) => new SimulatedStream(this.#nats, behindMs));
  readonly #reader = new SimulatedStream(this.#nats, 0, true);
  readonly #nodes = this.#streams.map((stream) => this.#node(stream));
  /** The batch that a node took before it froze, by the node. */
  readonly #frozen = new Map<number, readonly WorkerMessage[]>();
  readonly #workers = new SimulatedWorkers(() => this.#nats.now);
  readonly #sent: Sent[] = [];
  /** Every event that ever counted, by its id. */
  readonly #texts = new Map<string, string>();
  /** When each of them was stored. */
  readonly #times = new Map<string, number>();
  /** The events that count now, and those that counted before they were trimmed, by offset. */
  #log = new Map<number, { readonly id: string; readonly note: string }>();
  #savedLog = new Map(this.#log);
  /** Notes of failed appends that did not count when the failure was told: they must never count. */
  readonly #failed = new Set<string>();
  readonly #positions: EventPosition[] = [];
  readonly #events = new Map<string, EncodedEvent>();
  #names = 0;
  #notes = 0;
  /** Whether the server was put back, or the channel may have expired: then acknowledged events may be gone. */
  #hasLost = false;
  #hasExpired = false;
  #lastAt = 0;

  async take(step: NatsStep): Promise<void> {
    switch (step.type) {
      case "append":
        this.#append(step);
        break;
      case "work":
        for (let n = 0; n < step.count; n++) this.#workers.publish();
        break;
      case "take":
        this.#take(step.node % 2, step.isFrozen);
        break;
      case "workers":
        this.#workers.change(step.change, step.count);
        // A message that has a sequence again is later than the one before, for a server needs time to start.
        this.#pass(1);
        break;
      case "go on":
        this.#nats.advanceRequest(step.pick);
        break;
      case "flow":
        await this.#flow(step.rounds);
        break;
      case "lose":
        this.#nats.loseAnswer(step.pick);
        break;
      case "repeat":
        this.#nats.repeat(step.pick);
        break;
      case "pass":
        this.#pass(step.milliseconds);
        break;
      case "save":
        this.#nats.save();
        this.#workers.save();
        this.#savedLog = new Map(this.#log);
        break;
      case "restart":
        this.#restart(step.asSaved);
        break;
      case "trim":
        this.#ignored(this.#trim(step.node));
        break;
      case "read":
        this.#ignored(this.#read(this.#streams[step.node % 2] as SimulatedStream));
    }
    await settled();
    this.#look();
  }

  /** Brings everything under way to its end, and judges what is kept. */
  async end(): Promise<void> {
    await this.#untilQuiet();
    for (let time = 0; time < 100 && this.#workers.batch(1).length > 0; time++) {
      for (const node of [0, 1]) this.#take(node, false);
      await this.#untilQuiet();
    }
    assert(this.#workers.batch(1).length === 0, "an entry is never taken");
    await this.#judge();
    this.#nats.pass(KEYS_KNOWN_MS + 1);
    await trimChannel(this.#reader, SUBJECTS, { ttlMs: TTL_MS, keysKnownMs: KEYS_KNOWN_MS });
    await this.#judge();
  }

  async #untilQuiet(): Promise<void> {
    await settled();
    for (let round = 0; !this.#nats.isQuiet && round < 200; round++) {
      await this.#flow(1);
      if (round % 20 === 19) this.#nats.pass(3_000);
      this.#look();
    }
    this.#look();
  }

  async #judge(): Promise<void> {
    const page = await this.#read(this.#reader);
    const { position, kept, events } = page;
    const notes = events.map(({ text }) => JSON.parse(text).note);
    assert(new Set(notes).size === notes.length, "an event is kept twice");
    assert(events.length === position.offset - kept.oldestKept + 1, "a history has a hole");
    assert(events.length <= 2 * SIZE && events.length >= Math.min(SIZE, position.offset), "PS-21");
    this.#judgeAcknowledged(page);
    await this.#judgeSnapshot(page);
  }

  #append({ node, by, name, events: count, isEnd, attempt }: NatsStep & { type: "append" }): void {
    const notes = Array.from({ length: count }, () => `n${this.#notes++}`);
    const attemptId = attempt === 0 ? {} : { attemptId: `a${attempt}` };
    const events = notes.map((note, index) =>
      isEnd && index === count - 1 ? result({ note, ...attemptId }) : status({ note, ...attemptId }),
    );
    const key = by === "none" ? undefined : keyOf(name);
    this.#send(node, notes, events, key).then(
      (outcome) => {
        if (outcome.type === "refused") for (const note of notes) this.#fail(note);
      },
      (error: unknown) => {
        if (error instanceof BrokerUnavailable)
          for (const note of notes) assert(!this.#counts(note), `${note} counts, though it was refused`);
        for (const note of notes) this.#fail(note);
      },
    );
  }

  /**
   * Takes some messages of workers, appends them in one turn, and removes them once all of them were. If the node freezes
   * when it has taken them, it goes on the next time, whatever others did meanwhile.
   */
  #take(node: number, isFrozen: boolean): void {
    const batch = this.#frozen.get(node) ?? this.#workers.batch(BATCH);
    if (isFrozen) {
      this.#frozen.set(node, batch);
      return;
    }
    this.#frozen.delete(node);
    const appended = batch.map((message) => this.#sendEntry(node, message));
    // Those that failed are taken again.
    this.#ignored(Promise.all(appended).then(() => this.#workers.removeTo(batch)));
  }

  async #sendEntry(node: number, { id, note }: WorkerMessage): Promise<void> {
    const event = note.endsWith("3") ? result({ note }) : status({ note });
    const { type } = await this.#send(node, [note], [event], { by: "entry", id });
    assert(type !== "refused", "an entry is refused");
  }

  async #send(
    node: number,
    notes: readonly string[],
    events: readonly EncodedEvent[],
    key: DeduplicationKey | undefined,
  ): Promise<AppendOutcome> {
    for (const [index, note] of notes.entries()) this.#events.set(note, events[index] as EncodedEvent);
    const sent: Sent = { notes, node, key, outcome: undefined, failure: undefined };
    this.#sent.push(sent);
    const request = { channel: CHANNEL, events, ...(key && { deduplicate: key }) } as const;
    try {
      sent.outcome = await (this.#nodes[node % 2] as NatsAppends).append(request);
      return sent.outcome;
    } catch (error) {
      sent.failure = error;
      assert(error instanceof BrokerUnavailable || error instanceof OutcomeUnknown, `failed by ${error}`);
      throw error;
    }
  }

  #fail(note: string): void {
    if (!this.#counts(note)) this.#failed.add(note);
  }

  async #flow(rounds: number): Promise<void> {
    for (let round = 0; round < rounds * 4; round++) {
      this.#nats.advanceRequest(0);
      await settled();
      this.#look();
    }
  }

  #pass(milliseconds: number): void {
    this.#nats.pass(milliseconds);
    if (this.#nats.now - this.#lastAt >= TTL_MS - 1_000) {
      this.#hasLost = true;
      this.#hasExpired = true;
    }
  }

  #restart(asSaved: boolean): void {
    this.#nats.restart(asSaved);
    for (const node of this.#nodes) node.forget();
    if (!asSaved) return;
    this.#hasLost = true;
    this.#log = new Map(this.#savedLog);
  }

  async #trim(node: number): Promise<void> {
    const terms = { ttlMs: TTL_MS, keysKnownMs: KEYS_KNOWN_MS };
    await trimChannel(this.#streams[node % 2] as SimulatedStream, SUBJECTS, terms);
  }

  /** Reads from the last position that was read, as a watcher that resumes. */
  async #read(stream: SimulatedStream): Promise<HistoryPage> {
    const after = this.#positions.at(-1);
    const page = await readHistory(stream, SUBJECTS, TERMS, after, 1_000);
    const first = page.events[0]?.position.offset;
    if (after !== undefined && page.resumed && first !== undefined)
      assert(first === after.offset + 1, "a resumed page has a hole");
    for (const [index, { position }] of page.events.entries())
      assert(position.offset === (first ?? 0) + index, "offsets of a page have a hole");
    for (const { position, text } of page.events)
      assert(this.#texts.get(formatEventId(position)) === text, "a page has what never counted");
    const whole = await readHistory(this.#reader, SUBJECTS, TERMS, undefined, 1_000);
    if (
      stream === this.#reader &&
      after !== undefined &&
      page.resumed &&
      after.offset >= whole.kept.oldestKept
    )
      assert(
        whole.events.some(({ position }) => formatEventId(position) === formatEventId(after)),
        "a position is resumed that was lost",
      );
    if (
      stream === this.#reader &&
      after !== undefined &&
      !this.#hasExpired &&
      after.offset >= whole.kept.oldestKept - 1
    )
      assert(
        page.resumed === (this.#log.get(after.offset)?.id === formatEventId(after)),
        "a position is not judged by the events before it",
      );
    if (page.position.offset > 0) this.#positions.push(page.position);
    return stream === this.#reader ? whole : page;
  }

  /** Looks at what counts by now. */
  #look(): void {
    for (const message of this.#nats.messages) {
      if (message.subject !== SUBJECTS.events) continue;
      if (isVoid(message)) continue;
      this.#lastAt = Math.max(this.#lastAt, message.at);
      for (const { position, text } of eventsOfMessage(message.text).events) {
        const id = formatEventId(position);
        const before = this.#texts.get(id);
        assert(before === undefined || before === text, `${id} is two events`);
        this.#texts.set(id, text);
        this.#times.set(id, message.at);
        const note = String(JSON.parse(text).note);
        assert(!this.#failed.has(note), `${note} counts, though its failure was told`);
        this.#log.set(position.offset, { id, note });
      }
    }
  }

  #counts(note: string): boolean {
    return this.#nats.messages.some(
      (message) =>
        message.subject === SUBJECTS.events &&
        !isVoid(message) &&
        eventsOfMessage(message.text).events.some(({ text }) => JSON.parse(text).note === note),
    );
  }

  #judgeAcknowledged({ events }: HistoryPage): void {
    const kept = new Map(
      events.map(({ position, text }) => [formatEventId(position), JSON.parse(text).note]),
    );
    const oldest = events[0]?.position.offset ?? Number.POSITIVE_INFINITY;
    const stored = this.#sent.flatMap(({ outcome, ...sent }) =>
      outcome?.type === "stored" ? [{ ...sent, outcome }] : [],
    );
    for (const { outcome, notes } of stored) {
      for (const [index, note] of notes.entries()) {
        const id = formatEventId({ epoch: outcome.epoch, offset: outcome.firstOffset + index });
        assert(String(JSON.parse(this.#texts.get(id) ?? "{}").note) === note, `${id} is not what was stored`);
        if (!this.#hasLost && outcome.firstOffset + index >= oldest)
          assert(kept.get(id) === note, `${id} was acknowledged and is gone`);
      }
    }
    if (this.#hasLost) return;
    for (const node of [0, 1]) {
      const offsets = stored
        .filter((sent) => sent.node % 2 === node)
        .map(({ outcome }) => outcome.firstOffset);
      assert(
        offsets.every((offset, n) => n === 0 || offset > (offsets[n - 1] ?? 0)),
        "PS-4",
      );
    }
    this.#judgeKeys(stored);
    const counted = [...this.#log.values()].map(({ note }) => note);
    assert(new Set(counted).size === counted.length, "an event is stored twice");
    for (const note of this.#workers.due)
      assert(counted.includes(note), `${note} of a worker is taken and not stored`);
    for (const { outcome, key } of this.#sent) {
      if (outcome?.type !== "duplicate" || key?.by !== "key") continue;
      const { note } = this.#log.get(outcome.firstOffset) ?? {};
      const first = this.#sent.find(({ notes }) => notes[0] === note);
      assert(first?.key?.by === "key" && first.key.name === key.name, "PS-9");
    }
  }

  /** No two requests of one key are stored within its window. */
  #judgeKeys(
    stored: readonly { readonly key: DeduplicationKey | undefined; readonly outcome: Stored }[],
  ): void {
    const keyed = stored.flatMap(({ key, outcome }) =>
      key?.by === "key" ? [{ name: key.name, outcome }] : [],
    );
    for (const [name, all] of Map.groupBy(keyed, (one) => one.name)) {
      const times = all
        .map(
          ({ outcome: { epoch, firstOffset } }) =>
            this.#times.get(formatEventId({ epoch, offset: firstOffset })) ?? 0,
        )
        .sort((a, b) => a - b);
      for (const [index, at] of times.entries()) {
        const before = times[index - 1];
        assert(before === undefined || at - before >= WINDOW_MS, `${name} is stored twice`);
      }
    }
  }

  /** The state of the channel is what the rules make of all its events, kept or trimmed. */
  async #judgeSnapshot({ position }: HistoryPage): Promise<void> {
    const terms = { ...TERMS, heardAt: async () => undefined, now: () => this.#nats.now };
    const snapshot = await readSnapshot(this.#reader, SUBJECTS, terms);
    assert(snapshot.position.offset === position.offset, "the snapshot is of another position");
    if (this.#hasLost) return;
    const record = newRecord("");
    for (let offset = 1; offset <= position.offset; offset++) {
      const event = this.#events.get(this.#log.get(offset)?.note ?? "");
      assert(
        event !== undefined && appendToRecord(record, [event]).type === "accepted",
        "an event may not be there",
      );
    }
    const state = [snapshot.lastStatus, snapshot.currentTerminal].map((event) => event?.position.offset);
    const wanted = [record.lastStatus, record.currentTerminal].map((event) => event?.position.offset);
    assert(`${state}` === `${wanted}`, `the state is ${state} and not ${wanted}`);
    assert(snapshot.attemptId === record.attempts.current, "another attempt is current");
    assert(JSON.stringify(snapshot.stages) === JSON.stringify(record.stages), "the stage marks are others");
  }

  #node(stream: SimulatedStream): NatsAppends {
    return new NatsAppends({
      stream,
      clock: { stopwatch: () => this.#nats.now, deadlineIn: (milliseconds) => stream.now() + milliseconds },
      history: { size: SIZE, ttlMs: TTL_MS },
      ready: async () => {},
      mostMembers: () => Number.POSITIVE_INFINITY,
      mostBytes: () => Number.POSITIVE_INFINITY,
      cancels: { heard: { tell: async () => {} }, during: async () => async () => ({}) },
      onStored: () => {},
      newName: () => `x${this.#names++}`,
    });
  }

  /** A trim or a read may fail with the server; it must not break anything. */
  #ignored(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (error instanceof BrokerUnavailable || error instanceof OutcomeUnknown) return;
      this.#fault ??= error;
    });
  }

  #fault: unknown;

  /** Throws what went wrong in work that nobody waits for. */
  assertSound(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}

function keyOf(name: number): DeduplicationKey {
  return { by: "key", name: `key${name}`, scope: "channel", windowMs: WINDOW_MS, rememberMs: WINDOW_MS };
}

/** Lets everything go on that waits for nothing but itself. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function assert(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(`broken: ${broken}`);
}
