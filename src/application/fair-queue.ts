import { ReadAbandoned, TooManyReads } from "./errors.ts";
import type { ClockPort } from "./ports/clock-port.ts";

export interface FairQueueLimits {
  /** Answers of one user that wait or are read. */
  readonly perUser: number;
  /** Answers of all users that wait or are read. */
  readonly total: number;
  /** Answers that are half read: so many hold memory at once. */
  readonly begun: number;
}

/** The limits of a gateway's reads over HTTP that do not wait. A begun answer holds at most 4 MiB. */
const READ_LIMITS: FairQueueLimits = { perUser: 100, total: 1_000, begun: 16 };

/**
 * Runs the gateway's reads one at a time. Users take turns, each for one read, so nobody's small answer waits for the
 * whole of another user's large one. One user's answers are read one after the other, in the order in which they came.
 * The next read begins in a later turn of the event loop.
 */
export class FairQueue {
  readonly #clock: ClockPort;
  readonly #limits: FairQueueLimits;
  /** Each user's answers in their order. The user whose turn was longest ago comes first. */
  readonly #lines = new Map<string, WaitingPlace[]>();
  #total = 0;
  #begun = 0;
  #reading = false;

  constructor(clock: ClockPort, limits: FairQueueLimits = READ_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Answers that wait or are read. */
  get size(): number {
    return this.#total;
  }

  /** A place for one answer, to be left in any case. Throws `TooManyReads` when there is none. */
  enter(userId: string): Place {
    const line = this.#lines.get(userId) ?? [];
    if (line.length >= this.#limits.perUser) throw new TooManyReads("too_many_connections");
    if (this.#total >= this.#limits.total) throw new TooManyReads("over_capacity");
    const place = new WaitingPlace({
      asked: () => this.#next(),
      readOver: () => void this.#readOver(userId),
      left: () => this.#remove(userId, place),
    });
    line.push(place);
    this.#lines.set(userId, line);
    this.#total++;
    return place;
  }

  /** Resolves in a later turn of the event loop. */
  laterTurn(): Promise<void> {
    return new Promise((resolve) => this.#clock.soon(resolve));
  }

  #next(): void {
    if (this.#reading) return;
    for (const [first] of this.#lines.values()) {
      if (first === undefined || !first.asks) continue;
      if (!first.begun && this.#begun >= this.#limits.begun) continue;
      if (!first.begun) this.#begun++;
      this.#reading = true;
      first.begin();
      return;
    }
  }

  async #readOver(userId: string): Promise<void> {
    const line = this.#lines.get(userId);
    if (line !== undefined) {
      this.#lines.delete(userId);
      this.#lines.set(userId, line);
    }
    await this.laterTurn();
    this.#reading = false;
    this.#next();
  }

  #remove(userId: string, place: WaitingPlace): void {
    const line = this.#lines.get(userId) ?? [];
    line.splice(line.indexOf(place), 1);
    if (line.length === 0) this.#lines.delete(userId);
    this.#total--;
    if (place.begun) this.#begun--;
    this.#next();
  }
}

/** One answer's place in the queue. */
export interface Place {
  /** Waits for the turn, then reads. Rejects as `one` does, and with `ReadAbandoned` when the place was left before. */
  read<Part>(one: () => Promise<Part>): Promise<Part>;
  /** Idempotent. A read that has begun goes on, none begins any more. */
  leave(): void;
}

interface QueueSide {
  asked(): void;
  readOver(): void;
  left(): void;
}

class WaitingPlace implements Place {
  /** Whether it had a turn. */
  begun = false;
  readonly #queue: QueueSide;
  #turn: PromiseWithResolvers<void> | undefined;
  #left = false;

  constructor(queue: QueueSide) {
    this.#queue = queue;
  }

  get asks(): boolean {
    return this.#turn !== undefined;
  }

  async read<Part>(one: () => Promise<Part>): Promise<Part> {
    if (this.#left) throw new ReadAbandoned();
    const turn = Promise.withResolvers<void>();
    this.#turn = turn;
    this.#queue.asked();
    await turn.promise;
    try {
      return await one();
    } finally {
      this.#queue.readOver();
    }
  }

  begin(): void {
    this.begun = true;
    this.#turn?.resolve();
    this.#turn = undefined;
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#turn?.reject(new ReadAbandoned());
    this.#turn = undefined;
    this.#queue.left();
  }
}

/** Does the work at a place of its own, which is left when the work is done or its client has gone. */
export async function inQueue<Answer>(
  queue: FairQueue,
  { userId, abandoned }: { readonly userId: string; readonly abandoned: AbortSignal },
  work: (place: Place) => Promise<Answer>,
): Promise<Answer> {
  const place = queue.enter(userId);
  const leave = () => place.leave();
  if (abandoned.aborted) leave();
  else abandoned.addEventListener("abort", leave, { once: true });
  try {
    return await work(place);
  } finally {
    abandoned.removeEventListener("abort", leave);
    leave();
  }
}
