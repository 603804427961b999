import type { ChannelName } from "../domain/channel.ts";
import { EVENT_RULES, type EventRules } from "../domain/event-rules.ts";
import { appendWorkerEvent } from "./append-worker-event.ts";
import type { BrokerTrouble } from "./broker-trouble.ts";
import { reasonLabel } from "./dead-letter-reason.ts";
import { reasonOf, TelltaleError } from "./errors.ts";
import { InboxTrouble } from "./inbox-trouble.ts";
import { noteAppended } from "./note-appended.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import { type DeadLetterPort, kindOfDeadLetter } from "./ports/dead-letter-port.ts";
import { INBOX, type InboxEntry, type InboxPort } from "./ports/inbox-port.ts";
import type { AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";
import { type AddressedEntry, type RefusedEntry, readEntry } from "./read-entry.ts";
import { SignsOfRefused } from "./signs-of-refused.ts";

/** The pause after a failure of the broker. Another node may take meanwhile. */
export const INBOX_RETRY_MS = 1_000;

/**
 * Turns entries of the inbox into numbered events, in order per analysis, once, however many nodes take and die.
 *
 * - A node begins at the head and skips nothing.
 * - It removes an entry only after the broker stored its event or kept it as a dead letter.
 * - Entries of one channel never overtake one another, for the channel knows only the last entry that it stored. The node
 *   appends those in one turn that can only succeed or fail together, and every other one alone.
 */
export class IngestInboxEntries {
  readonly #inbox: InboxPort;
  readonly #pubSub: PubSubPort;
  readonly #deadLetters: Pick<DeadLetterPort, "keep">;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #rules: EventRules;
  #stopping = false;
  #wake = () => {};
  #ended: Promise<void> = Promise.resolve();
  readonly #trouble: InboxTrouble;
  readonly #signs: SignsOfRefused;

  constructor(
    inbox: InboxPort,
    pubSub: PubSubPort,
    deadLetters: Pick<DeadLetterPort, "keep">,
    clock: ClockPort,
    telemetry: TelemetryPort,
    rules = EVENT_RULES,
  ) {
    this.#rules = rules;
    this.#inbox = inbox;
    this.#pubSub = pubSub;
    this.#deadLetters = deadLetters;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#trouble = new InboxTrouble(telemetry);
    this.#signs = new SignsOfRefused(pubSub, clock, telemetry);
  }

  /** The trouble that the broker had in the last round; undefined if it had none. */
  get trouble(): BrokerTrouble | undefined {
    return this.#trouble.now;
  }

  /** To be called once. Takes from then on, and goes on after every failure of the broker. */
  start(): void {
    this.#ended = this.#run();
  }

  /** Takes nothing more. Resolves when every entry taken is stored or given back. Never rejects. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    return this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#takeBatch();
        this.#trouble.recovered();
      } catch (error) {
        this.#trouble.failed(error);
        await this.#release();
        await this.#pause(INBOX_RETRY_MS);
      }
    }
    await this.#release();
  }

  async #takeBatch(): Promise<void> {
    const taken = await this.#inbox.take();
    if (taken.type === "elsewhere") return this.#pause(taken.againMs);
    if (taken.entries.length === 0) return this.#untilArrival();
    const done: string[] = [];
    const failures = await this.#ingest(taken.entries, done);
    await this.#inbox.remove(done);
    if (failures.length > 0) throw failures[0];
  }

  /** Adds the ids of the entries that were ingested to `done`. Resolves with the failures of the others. */
  async #ingest(entries: readonly InboxEntry[], done: string[]): Promise<unknown[]> {
    const events = new Map<ChannelName, AddressedEntry[]>();
    const work: Promise<void>[] = [];
    for (const entry of entries) {
      const taken = { now: this.#clock.now(), mostBytes: this.#pubSub.mostBytes, rules: this.#rules };
      const read = readEntry(entry, taken);
      if (read.type === "dead_letter") work.push(this.#keepFaulty(read, done));
      else if (events.has(read.request.channel)) events.get(read.request.channel)?.push(read);
      else events.set(read.request.channel, [read]);
    }
    for (const ofChannel of events.values()) work.push(this.#appendInOrder(ofChannel, done));
    const outcomes = await Promise.allSettled(work);
    return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  }

  /** Stops at the first append that fails, and rejects with its failure. */
  async #appendInOrder(events: readonly AddressedEntry[], done: string[]): Promise<void> {
    for (const together of inRuns(events)) {
      const outcomes = await Promise.allSettled(together.map((event) => this.#append(event)));
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === "rejected") throw outcome.reason;
        done.push((together[index] as AddressedEntry).id);
      }
    }
  }

  /** Keeps a dead letter after the append in its place: if the node dies in between, another one does both again. */
  async #append({ id, key, payload, request, lane, deadLetter }: AddressedEntry): Promise<void> {
    const reason = await this.#refusal(request, lane);
    if (deadLetter !== undefined) await this.#keep(deadLetter);
    else if (reason !== undefined) await this.#keep({ id, key, channel: request.channel, payload, reason });
  }

  async #refusal(request: AppendRequest, lane: AddressedEntry["lane"]): Promise<string | undefined> {
    try {
      const outcome = await appendWorkerEvent(this.#pubSub, request);
      if (typeof outcome === "string") return outcome;
      noteAppended(this.#telemetry, lane, request.channel, outcome);
      return undefined;
    } catch (error) {
      // A fault of this channel alone would last for ever: the other channels must not wait for it.
      if (error instanceof TelltaleError) throw error;
      return `fault: ${reasonOf(error)}`;
    }
  }

  async #keepFaulty(entry: RefusedEntry, done: string[]): Promise<void> {
    await this.#keep(entry);
    await this.#signs.heard(entry.channel, entry.payload);
    done.push(entry.id);
  }

  /** Names the dead letter by its entry, or by its key: entries with one key are one event, and each without a key is an event of its own. */
  async #keep({ id, key, channel, payload, reason }: RefusedEntry): Promise<void> {
    // A key may be used again within the time that a dead letter is known: then it has another payload.
    const name = key === undefined ? `${INBOX} ${id}` : JSON.stringify([INBOX, key, channel, payload]);
    await this.#deadLetters.keep({ channel, payload, reason, name });
    this.#telemetry.count("telltale_dead_letters_total", { reason: reasonLabel(reason) });
    this.#telemetry.log("warn", "an inbox entry was refused", {
      kind: kindOfDeadLetter(channel),
      entry: id,
      channel,
      reason,
    });
  }

  #untilArrival(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wakeableBy(resolve);
      this.#inbox.arrival().then(resolve, reject);
    });
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(milliseconds, resolve);
      this.#wakeableBy(() => {
        cancel();
        resolve();
      });
    });
  }

  #wakeableBy(wake: () => void): void {
    this.#wake = wake;
    // A stop that came before this wait woke nobody.
    if (this.#stopping) wake();
  }

  /** Ends the lease, so that another node goes on at once. If that fails, the others wait until the lease ends. */
  async #release(): Promise<void> {
    try {
      await this.#inbox.release();
    } catch (error) {
      this.#telemetry.log("debug", "the lease of the inbox was not released", { reason: reasonOf(error) });
    }
  }
}

/**
 * Splits the events of one channel into those that are appended in one turn.
 *
 * The broker may refuse an event of an attempt and store the events behind it. If the node died then, the refused entry
 * would be a duplicate and never a dead letter, so such an event goes alone. The broker refuses no other event.
 */
function inRuns(events: readonly AddressedEntry[]): AddressedEntry[][] {
  const runs: AddressedEntry[][] = [];
  let last: AddressedEntry[] | undefined;
  for (const event of events) {
    const alone = event.request.events.some(({ attemptId }) => attemptId !== undefined);
    if (last !== undefined && !alone) {
      last.push(event);
      continue;
    }
    const run = [event];
    runs.push(run);
    last = alone ? undefined : run;
  }
  return runs;
}
