import type { FairQueue, Place } from "./fair-queue.ts";

/** The client that asks: `abandoned` is aborted when it has gone. */
export interface Asker {
  readonly userId: string;
  readonly abandoned: AbortSignal;
}

/**
 * Reads once for all users who ask for the same key before the read begins, at the first turn that any of them has in a
 * `FairQueue`. Every answer was read after it was asked for. A user has one place in the queue for a key, however often
 * they ask.
 */
export class GatheredReads<Key, Answer> {
  readonly #queue: FairQueue;
  readonly #read: (key: Key) => Promise<Answer>;
  /** Gatherings whose read has not begun. One is dropped when it begins, and when nobody waits for it any more. */
  readonly #open = new Map<Key, Gathering<Answer>>();

  constructor(queue: FairQueue, read: (key: Key) => Promise<Answer>) {
    this.#queue = queue;
    this.#read = read;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Rejects as the read does, with `TooManyReads`, and with `ReadAbandoned` when all of this user's clients have gone. */
  async get(key: Key, { userId, abandoned }: Asker): Promise<Answer> {
    const gathering = this.#open.get(key) ?? {
      answer: undefined,
      handedOut: undefined,
      users: new Map<string, Share<Answer>>(),
    };
    const share = gathering.users.get(userId) ?? this.#join(key, gathering, userId);
    share.readers++;
    const leave = () => {
      share.readers--;
      if (share.readers > 0 || gathering.answer !== undefined) return;
      gathering.users.delete(userId);
      if (gathering.users.size === 0 && this.#open.get(key) === gathering) this.#open.delete(key);
      share.place.leave();
    };
    if (abandoned.aborted) leave();
    else abandoned.addEventListener("abort", leave, { once: true });
    try {
      const answer = await share.answer;
      await this.#handOut(gathering);
      return answer;
    } finally {
      abandoned.removeEventListener("abort", leave);
    }
  }

  /** Hands the answer to one after the other: a large one for a thousand would keep everybody else waiting. */
  async #handOut(gathering: Gathering<Answer>): Promise<void> {
    const before = gathering.handedOut;
    gathering.handedOut = before?.then(() => this.#queue.laterTurn()) ?? Promise.resolve();
    await gathering.handedOut;
  }

  #join(key: Key, gathering: Gathering<Answer>, userId: string): Share<Answer> {
    const place = this.#queue.enter(userId);
    const share = { place, readers: 0, answer: this.#answerAt(place, key, gathering) };
    gathering.users.set(userId, share);
    this.#open.set(key, gathering);
    return share;
  }

  async #answerAt(place: Place, key: Key, gathering: Gathering<Answer>): Promise<Answer> {
    try {
      return await place.read(() => this.#begin(key, gathering, place));
    } catch (error) {
      // Another user's turn came first, and brought the answer.
      if (gathering.answer !== undefined) return await gathering.answer;
      throw error;
    } finally {
      place.leave();
    }
  }

  #begin(key: Key, gathering: Gathering<Answer>, own: Place): Promise<Answer> {
    if (this.#open.get(key) === gathering) this.#open.delete(key);
    gathering.answer = this.#read(key);
    for (const { place } of gathering.users.values()) if (place !== own) place.leave();
    return gathering.answer;
  }
}

interface Gathering<Answer> {
  /** Undefined until the read has begun. */
  answer: Promise<Answer> | undefined;
  /** Resolves when the last of the readers has it; undefined before the first. */
  handedOut: Promise<void> | undefined;
  readonly users: Map<string, Share<Answer>>;
}

interface Share<Answer> {
  readonly place: Place;
  /** Requests of this user that wait for it. */
  readers: number;
  readonly answer: Promise<Answer>;
}
