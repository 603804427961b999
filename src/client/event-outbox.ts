import type { EventWay, WorkerClock } from "./event-way.ts";
import type { PublishAnswer } from "./publish-answer.ts";
import { pauseAfter } from "./publish-attempts.ts";
import { PublishRefused } from "./publish-errors.ts";

/** An event that was encoded. A status may be left out if too many wait; an end may not. */
export interface WaitingEvent {
  readonly kind: "status" | "end";
  readonly text: string;
}

export interface OutboxOptions {
  readonly way: EventWay;
  readonly clock: WorkerClock;
  readonly random: () => number;
  /** Takes one line for whoever runs the worker. */
  readonly log: (line: string) => void;
  /** Asked before each beat: while the work stands still, nobody is told that it goes on. */
  readonly isAlive: () => boolean;
  /** Called once: somebody asked for the end of the analysis. */
  readonly onCancel: () => void;
  /** Called with an end that the gateway refuses for good; answers the event that takes its place. */
  readonly onRefusedEnd: (end: WaitingEvent, error: PublishRefused) => WaitingEvent | undefined;
}

const BEAT_MS = 10_000;
/** So long whoever closes waits for a gateway that takes no event of this worker: its token is no good, or it is no gateway. */
const DENIED_MS = 5_000;
const PAUSES = { firstPauseMs: 250, longestPauseMs: 2_000 };
const MOST_WAITING = 1_000;
const MOST_CHARACTERS = 16 * 1024 * 1024;
const MOST_AT_ONCE = 100;
/** A body of the gateway has at most 1 MiB, and a character at most 3 bytes. */
const CHARACTERS_AT_ONCE = 256 * 1024;

type Life =
  | { readonly name: "open" }
  | { readonly name: "closing"; readonly since: number; readonly done: () => void }
  | { readonly name: "closed" };

/**
 * The events of one analysis that wait for the gateway. They are stored in order, each at most once, and are tried again for as long
 * as the outbox is open. If it has sent nothing for ten seconds, it says that the worker lives. Nothing here throws.
 */
export class EventOutbox {
  readonly #options: OutboxOptions;
  #waiting: WaitingEvent[] = [];
  #characters = 0;
  #dropped = 0;
  #underWay = 0;
  #isSending = false;
  #isAway = false;
  #isCancelled = false;
  #life: Life = { name: "open" };
  #heardAt: number;
  #stopBeat: () => void;
  readonly #told = new Set<string>();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#heardAt = options.clock.now();
    this.#stopBeat = options.clock.after(BEAT_MS, () => this.#beat(), "idle");
  }

  add(event: WaitingEvent): void {
    if (this.#life.name === "closed") return;
    this.#waiting.push(event);
    this.#characters += event.text.length;
    while (this.#waiting.length > MOST_WAITING || this.#characters > MOST_CHARACTERS) {
      const oldest = this.#waiting.findIndex(({ kind }) => kind === "status");
      if (oldest === -1) break;
      this.#remove(oldest, 1);
      this.#dropped += 1;
    }
    void this.#send();
  }

  /** Resolves when nothing waits any more, at the latest after `patienceMs`. No event is taken from then on. */
  async close(patienceMs: number): Promise<void> {
    if (this.#life.name !== "open") return;
    this.#stopBeat();
    if (this.#isSending) {
      const { clock } = this.#options;
      await new Promise<void>((resolve) => {
        const stop = clock.after(patienceMs, resolve);
        const done = () => {
          stop();
          resolve();
        };
        this.#life = { name: "closing", since: clock.now(), done };
      });
    }
    this.#life = { name: "closed" };
    const lost = this.#waiting.length + this.#underWay;
    if (lost > 0) this.#options.log(`${counted(lost)} left unsent: nobody took them in time`);
    this.#tellDropped();
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    let singly = 0;
    while (this.#waiting.length > 0 && !this.#isClosed()) {
      const batch = this.#nextBatch(singly > 0 ? 1 : MOST_AT_ONCE);
      this.#underWay = batch.length;
      const answer = await this.#sendUntilAnswered(batch.map(({ text }) => text));
      this.#underWay = 0;
      singly -= 1;
      if (answer?.type === "accepted") this.#tellDropped();
      else if (answer === undefined) this.#putBack(batch);
      else if (batch.length > 1) {
        // One of them is at fault, and none was stored.
        this.#putBack(batch);
        singly = batch.length;
      } else this.#refused(batch, answer.error);
    }
    this.#isSending = false;
    if (this.#life.name === "closing") this.#life.done();
  }

  /** Undefined if the outbox closed before there was an answer. */
  async #sendUntilAnswered(events: readonly string[]) {
    const key = crypto.randomUUID();
    for (let attempts = 1; ; attempts += 1) {
      const answer = await tried(() => this.#options.way.send(events, key));
      if (answer.type === "accepted" || (answer.type === "refused" && isOfEvents(answer.error))) {
        this.#heard(answer);
        return answer;
      }
      this.#away(answer);
      const { clock, random } = this.#options;
      const retryAfterMs = answer.type === "retry" ? answer.retryAfterMs : undefined;
      const pause = pauseAfter(attempts, retryAfterMs, PAUSES, random);
      if (!this.#isClosed()) await new Promise<void>((resolve) => void clock.after(pause, resolve));
      if (this.#isClosed()) return undefined;
    }
  }

  /** It may have been closed during a request or a pause. */
  #isClosed(): boolean {
    return this.#life.name === "closed";
  }

  #nextBatch(most: number): WaitingEvent[] {
    let characters = 0;
    let count = 0;
    for (const { text } of this.#waiting) {
      characters += text.length;
      if (count > 0 && (count >= most || characters > CHARACTERS_AT_ONCE)) break;
      count += 1;
    }
    return this.#remove(0, count);
  }

  #remove(from: number, count: number): WaitingEvent[] {
    const removed = this.#waiting.splice(from, count);
    for (const { text } of removed) this.#characters -= text.length;
    return removed;
  }

  #putBack(events: readonly WaitingEvent[]): void {
    this.#waiting.unshift(...events);
    for (const { text } of events) this.#characters += text.length;
  }

  #refused(batch: readonly WaitingEvent[], error: PublishRefused): void {
    // The first element of a path is the event's place in the batch.
    const where = error.issues.map(
      ({ path, message }) => `; ${path.slice(1).join(".") || "event"}: ${message}`,
    );
    this.#tell(`${counted(batch.length)} refused (${error.code}): ${error.message}${where.join("")}`);
    const end = batch.find(({ kind }) => kind === "end");
    if (end === undefined) return;
    const instead = this.#options.onRefusedEnd(end, error);
    if (instead !== undefined) this.#putBack([instead]);
  }

  async #beat(): Promise<void> {
    const { clock, way } = this.#options;
    const silent = clock.now() - this.#heardAt;
    let wait = BEAT_MS - silent;
    if (wait <= 0) {
      wait = BEAT_MS;
      const answer = this.#isSending || !this.#options.isAlive() ? undefined : await tried(() => way.beat());
      if (answer?.type === "accepted") this.#heard(answer);
      // A gateway of a former release knows no beats.
      else if (answer?.type === "refused" && answer.error.status !== 404)
        this.#tell(`a beat was refused (${answer.error.code}): ${answer.error.message}`);
    }
    if (this.#life.name === "open") this.#stopBeat = clock.after(wait, () => this.#beat(), "idle");
  }

  #heard(answer: Exclude<PublishAnswer, { type: "retry" }>): void {
    this.#heardAt = this.#options.clock.now();
    if (this.#isAway) this.#options.log("events are sent again");
    this.#isAway = false;
    if (answer.type !== "accepted" || this.#isCancelled) return;
    const { cancel_requested } = (answer.body ?? {}) as { readonly cancel_requested?: unknown };
    if (cancel_requested !== true) return;
    this.#isCancelled = true;
    this.#options.onCancel();
  }

  #away(answer: Exclude<PublishAnswer, { type: "accepted" }>): void {
    const why =
      answer.type === "retry" ? answer.cause.message : `${answer.error.code}: ${answer.error.message}`;
    if (!this.#isAway) this.#options.log(`events wait: ${why}`);
    this.#isAway = true;
    const [life, now] = [this.#life, this.#options.clock.now()];
    if (answer.type === "refused" && life.name === "closing" && now - life.since >= DENIED_MS) life.done();
  }

  #tellDropped(): void {
    if (this.#dropped > 0)
      this.#options.log(`${counted(this.#dropped)} dropped: more than ${MOST_WAITING} waited`);
    this.#dropped = 0;
  }

  /** Says each thing once: a loop repeats the same fault. */
  #tell(line: string): void {
    if (this.#told.has(line) || this.#told.size >= 20) return;
    this.#told.add(line);
    this.#options.log(line);
  }
}

/** A fault of this process, as a token that is none, counts as a refusal: a later token may be one. */
async function tried(attempt: () => Promise<PublishAnswer>): Promise<PublishAnswer> {
  try {
    return await attempt();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      type: "refused",
      error: new PublishRefused(message, { code: "not_sent", status: 0, issues: [] }),
    };
  }
}

/**
 * Whether the gateway refuses for what the events are: they would be refused again. Every other refusal may be mended while they wait: by
 * another token, or by a proxy that finds its gateway again.
 */
function isOfEvents({ status }: PublishRefused): boolean {
  return status === 400 || status === 409 || status === 413 || status === 422;
}

function counted(count: number): string {
  return count === 1 ? "1 event was" : `${count} events were`;
}
