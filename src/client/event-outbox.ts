import type { EventWay, WorkerClock } from "./event-way.ts";
import type { PublishAnswer } from "./publish-answer.ts";
import { pauseAfter } from "./publish-attempts.ts";
import { isOfEvents, type PublishRefused } from "./publish-errors.ts";
import { wordsOf } from "./thrown-fields.ts";
import { tried } from "./tried.ts";
import { isEnd, MOST_WAITING, type WaitingEvent, WaitingEvents } from "./waiting-events.ts";

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
  /** Called with the stage of a status that the gateway refuses for it. */
  readonly onRefusedStage: (stage: unknown) => void;
  /** Called with an end that the gateway refuses for good; answers the event that takes its place. */
  readonly onRefusedEnd: (end: WaitingEvent, error: PublishRefused) => WaitingEvent | undefined;
  /** Called when an end is stored, or was refused and nothing takes its place. */
  readonly onEndSettled: () => void;
}

const BEAT_MS = 10_000;
/** So long whoever closes waits for a gateway that takes no event of this worker: its token is no good, or it is no gateway. */
const DENIED_MS = 5_000;
const PAUSES = { firstPauseMs: 250, longestPauseMs: 2_000 };
const MOST_AT_ONCE = 100;
const MOST_TOLD = 20;

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
  readonly #waiting = new WaitingEvents();
  #underWay = 0;
  /** One request at a time, beats included: a way knows by its key what it has sent before. */
  #isSending = false;
  #isWithdrawn = false;
  /** Why nobody takes the events; empty while the gateway does. */
  readonly #causes = new Set<string>();
  #isCancelled = false;
  #life: Life = { name: "open" };
  /** When the gateway last took an event, or was last told that the worker lives. */
  #toldAt: number;
  #stopBeat: () => void;
  readonly #told = new Set<string>();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#toldAt = options.clock.now();
    this.#stopBeat = options.clock.after(BEAT_MS, () => this.#beat(), "idle");
  }

  add(event: WaitingEvent): void {
    if (this.#life.name === "closed") return;
    this.#waiting.add(event);
    void this.#send();
  }

  /** Sends no status from now on, also none that waits: somebody else tells how far the analysis is. */
  withdraw(): void {
    this.#isWithdrawn = true;
    this.#waiting.refuseStatuses();
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
      const batch = this.#waiting.take(singly > 0 ? 1 : MOST_AT_ONCE);
      this.#underWay = batch.length;
      const answer = await this.#sendUntilAnswered(batch);
      this.#underWay = 0;
      singly -= 1;
      if (answer?.type === "accepted") {
        this.#tellDropped();
        if (batch.some(isEnd)) this.#options.onEndSettled();
      } else if (answer === undefined) this.#waiting.putBack(batch);
      else {
        // One of them is at fault, and none was stored.
        if (batch.length > 1) {
          this.#waiting.putBack(batch);
          singly = batch.length;
        } else this.#refused(batch, answer.error);
        if (this.#isSilent()) await this.#sayAlive();
      }
    }
    this.#isSending = false;
    if (this.#life.name === "closing") this.#life.done();
  }

  /** Undefined if the outbox closed, or was withdrawn, before there was an answer. */
  async #sendUntilAnswered(batch: readonly WaitingEvent[]) {
    const events = batch.map(({ text }) => text);
    const key = crypto.randomUUID();
    for (let attempts = 1; ; attempts += 1) {
      const answer = await tried(() => this.#options.way.send(events, key));
      if (answer.type === "accepted" || (answer.type === "refused" && isOfEvents(answer.error))) {
        this.#answered(answer);
        return answer;
      }
      this.#away(answer);
      const { clock, random } = this.#options;
      const retryAfterMs = answer.type === "retry" ? answer.retryAfterMs : undefined;
      const pause = pauseAfter(attempts, retryAfterMs, PAUSES, random);
      if (!this.#isClosed()) await new Promise<void>((resolve) => void clock.after(pause, resolve));
      if (this.#isClosed() || (this.#isWithdrawn && !batch.some(isEnd))) return undefined;
    }
  }

  /** It may have been closed during a request or a pause. */
  #isClosed(): boolean {
    return this.#life.name === "closed";
  }

  #refused(batch: readonly WaitingEvent[], error: PublishRefused): void {
    // The first element of a path is the event's place in the batch.
    const where = error.issues.map(
      ({ path, message }) => `; ${path.slice(1).join(".") || "event"}: ${message}`,
    );
    this.#tell(`${counted(batch.length)} refused (${error.code}): ${error.message}${where.join("")}`);
    const end = batch.find(isEnd);
    if (end === undefined) {
      if (error.issues.some(({ path }) => path.at(-1) === "current_stage"))
        for (const { text } of batch) this.#options.onRefusedStage(JSON.parse(text).current_stage);
      return;
    }
    const instead = this.#options.onRefusedEnd(end, error);
    if (instead === undefined) this.#options.onEndSettled();
    else this.#waiting.putBack([instead]);
  }

  async #beat(): Promise<void> {
    const { clock } = this.#options;
    if (this.#isSilent() && !this.#isSending) {
      this.#isSending = true;
      await this.#sayAlive();
      this.#isSending = false;
      void this.#send();
    }
    const left = this.#toldAt + BEAT_MS - clock.now();
    if (this.#life.name === "open")
      this.#stopBeat = clock.after(left > 0 ? left : BEAT_MS, () => this.#beat(), "idle");
  }

  #isSilent(): boolean {
    return this.#options.clock.now() - this.#toldAt >= BEAT_MS;
  }

  /** A refused event is no sign of life, and its answer does not say whether somebody asked for the end. */
  async #sayAlive(): Promise<void> {
    const { clock, way } = this.#options;
    if (!this.#isAlive()) return;
    this.#toldAt = clock.now();
    const answer = await tried(() => way.beat());
    if (answer.type === "accepted") this.#answered(answer);
    // A gateway of a former release knows no beats.
    else if (answer.type === "refused" && answer.error.status !== 404)
      this.#tell(`a beat was refused (${answer.error.code}): ${answer.error.message}`);
  }

  /** Work that cannot be asked counts as alive: it is the question that is at fault. */
  #isAlive(): boolean {
    try {
      return this.#options.isAlive();
    } catch (error) {
      this.#tell(`isAlive throws: ${wordsOf(error)}`);
      return true;
    }
  }

  #answered(answer: Exclude<PublishAnswer, { type: "retry" }>): void {
    if (this.#causes.size > 0) this.#options.log("events are sent again");
    this.#causes.clear();
    if (answer.type !== "accepted") return;
    this.#toldAt = this.#options.clock.now();
    if (this.#isCancelled) return;
    const { cancel_requested } = (answer.body ?? {}) as { readonly cancel_requested?: unknown };
    if (cancel_requested !== true) return;
    this.#isCancelled = true;
    this.#options.onCancel();
  }

  #away(answer: Exclude<PublishAnswer, { type: "accepted" }>): void {
    const why =
      answer.type === "retry" ? answer.cause.message : `${answer.error.code}: ${answer.error.message}`;
    if (!this.#causes.has(why) && this.#causes.size < MOST_TOLD) {
      this.#causes.add(why);
      this.#options.log(`events wait: ${why}`);
    }
    const [life, now] = [this.#life, this.#options.clock.now()];
    if (answer.type === "refused" && life.name === "closing" && now - life.since >= DENIED_MS) life.done();
  }

  #tellDropped(): void {
    const dropped = this.#waiting.takeDropped();
    if (dropped > 0) this.#options.log(`${counted(dropped)} dropped: more than ${MOST_WAITING} waited`);
  }

  /** Says each thing once: a loop repeats the same fault. */
  #tell(line: string): void {
    if (this.#told.has(line) || this.#told.size >= MOST_TOLD) return;
    this.#told.add(line);
    this.#options.log(line);
  }
}

function counted(count: number): string {
  return count === 1 ? "1 event was" : `${count} events were`;
}
