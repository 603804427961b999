import type { AnalysisChannel } from "../domain/channel.ts";
import type { BrokerTrouble } from "./broker-trouble.ts";
import { reasonLabel } from "./dead-letter-reason.ts";
import { TelltaleError } from "./errors.ts";
import { InboxTrouble } from "./inbox-trouble.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import { type DeadLetterPort, kindOfDeadLetter } from "./ports/dead-letter-port.ts";
import { INBOX, type InboxEntry, type InboxPort } from "./ports/inbox-port.ts";
import type { AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";
import { type AddressedEntry, type EntryLetter, readEntry } from "./read-entry.ts";
import { reasonOf } from "./reason-of.ts";

/** Between two attempts at what the broker could not take; others may try meanwhile. */
export const INBOX_RETRY_MS = 1_000;

/**
 * Entries of the inbox become numbered events, in order per analysis, once, however many nodes take and die: each goes
 * from the head, skips nothing and removes an entry only after its event was stored or buried. The channel knows the
 * last entry it took, so entries of one channel must never overtake one another: those that can only succeed or fail
 * together are appended in one turn, every other one alone.
 */
export class IngestInboxEntries {
  readonly #inbox: InboxPort;
  readonly #pubSub: PubSubPort;
  readonly #deadLetters: Pick<DeadLetterPort, "keep">;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  #stopping = false;
  #wake = () => {};
  #ended: Promise<void> = Promise.resolve();
  readonly #trouble: InboxTrouble;

  constructor(
    inbox: InboxPort,
    pubSub: PubSubPort,
    deadLetters: Pick<DeadLetterPort, "keep">,
    clock: ClockPort,
    telemetry: TelemetryPort,
  ) {
    this.#inbox = inbox;
    this.#pubSub = pubSub;
    this.#deadLetters = deadLetters;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#trouble = new InboxTrouble(telemetry);
  }

  /** What the broker failed at in the last round; undefined where it did not. */
  get trouble(): BrokerTrouble | undefined {
    return this.#trouble.now;
  }

  /** To be called once. Takes from then on, whatever happens to the broker meanwhile. */
  start(): void {
    this.#ended = this.#run();
  }

  /** Takes nothing more. Resolves when what was taken is stored or given back; never rejects. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    return this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#takeLot();
        this.#trouble.recovered();
      } catch (error) {
        this.#trouble.failed(error);
        await this.#release();
        await this.#pause(INBOX_RETRY_MS);
      }
    }
    await this.#release();
  }

  async #takeLot(): Promise<void> {
    const taken = await this.#inbox.take();
    if (taken.type === "elsewhere") return this.#pause(taken.againMs);
    if (taken.entries.length === 0) return this.#untilArrival();
    const done: string[] = [];
    const failures = await this.#ingest(taken.entries, done);
    await this.#inbox.remove(done);
    if (failures.length > 0) throw failures[0];
  }

  /** Adds the ids of what was stored or buried to `done`; answers what kept the others from it. */
  async #ingest(entries: readonly InboxEntry[], done: string[]): Promise<unknown[]> {
    const events = new Map<AnalysisChannel, AddressedEntry[]>();
    const work: Promise<void>[] = [];
    for (const entry of entries) {
      const read = readEntry(entry, this.#clock.now());
      if (read.type === "letter") work.push(this.#bury(read).then(() => void done.push(entry.id)));
      else if (events.has(read.request.channel)) events.get(read.request.channel)?.push(read);
      else events.set(read.request.channel, [read]);
    }
    for (const ofChannel of events.values()) work.push(this.#appendInOrder(ofChannel, done));
    const outcomes = await Promise.allSettled(work);
    return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  }

  /** Up to the first that fails; rejects with its failure. */
  async #appendInOrder(events: readonly AddressedEntry[], done: string[]): Promise<void> {
    for (const together of inRuns(events)) {
      const outcomes = await Promise.allSettled(together.map((event) => this.#append(event)));
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === "rejected") throw outcome.reason;
        done.push((together[index] as AddressedEntry).id);
      }
    }
  }

  /** An entry that is a dead letter whatever its append comes to is buried after it: a death between is made good. */
  async #append({ id, payload, request, letter }: AddressedEntry): Promise<void> {
    const reason = await this.#refusal(request);
    if (letter !== undefined) await this.#bury(letter);
    else if (reason !== undefined) await this.#bury({ id, channel: request.channel, payload, reason });
  }

  async #refusal(request: AppendRequest): Promise<string | undefined> {
    try {
      const outcome = await this.#pubSub.append(request);
      if (outcome.type === "refused") return outcome.code;
      this.#telemetry.count("telltale_publish_total", {
        lane: "inbox",
        outcome: outcome.type === "duplicate" ? "duplicate" : "stored",
      });
      return undefined;
    } catch (error) {
      // What the broker says of this channel alone, it would say for ever: the others must not wait for it.
      if (error instanceof TelltaleError) throw error;
      return `fault: ${reasonOf(error)}`;
    }
  }

  /** Every entry is an event of its own, so its letter is known by the entry, not by what it holds. */
  async #bury({ id, channel, payload, reason }: EntryLetter): Promise<void> {
    await this.#deadLetters.keep({ channel, payload, reason, name: `${INBOX} ${id}` });
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
    // A stop that came while something else was awaited woke nobody.
    if (this.#stopping) wake();
  }

  /** So that another node goes on at once. Where it fails, the others wait until the lease has ended. */
  async #release(): Promise<void> {
    try {
      await this.#inbox.release();
    } catch (error) {
      this.#telemetry.log("debug", "the lease of the inbox was not released", { reason: reasonOf(error) });
    }
  }
}

/**
 * An event of an attempt may be refused while those after it are stored. It would then count as seen before it was
 * buried, so it goes alone; nothing else is refused.
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
