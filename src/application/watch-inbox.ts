import { type BrokerCause, wordsOf } from "./broker-trouble.ts";
import { BrokerError } from "./errors.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { InboxPort } from "./ports/inbox-port.ts";

export const WATCH_INBOX_MS = 2_000;
/** How long an entry may be the oldest before something is wrong, on whichever node. */
const LONGEST_AT_HEAD_MS = 30_000;

/**
 * The state of the inbox as this node last saw it. `stuck`: its oldest entry has not moved for 30 s, so nobody empties it.
 * `unsupported`: the broker has none.
 */
export type InboxHealth =
  | { readonly status: "unknown" | "unsupported" }
  | { readonly status: "down"; readonly cause: BrokerCause; readonly reason: string }
  | {
      readonly status: "up" | "stuck";
      readonly entries: number;
      /**
       * Milliseconds that the oldest entry has waited, by the broker's clock, or since this node first found it to be
       * the oldest if that is longer or the broker does not know. Undefined if there is none.
       */
      readonly oldestAgeMs: number | undefined;
      /** Why workers can add nothing before the inbox is empty, for anybody to read. Undefined if they can. */
      readonly reason?: string;
    };

/** Looks from time to time how long the inbox is and whether it moves, so that nobody who asks waits for the broker. */
export class WatchInbox {
  readonly #inbox: Pick<InboxPort, "backlog"> | undefined;
  readonly #clock: ClockPort;
  #health: InboxHealth;
  #head: { readonly id: string; readonly since: number } | undefined;
  #looking = false;

  /** Without an inbox its health is `unsupported` for ever. */
  constructor(inbox: Pick<InboxPort, "backlog"> | undefined, clock: ClockPort) {
    this.#inbox = inbox;
    this.#health = { status: inbox === undefined ? "unsupported" : "unknown" };
    this.#clock = clock;
  }

  get health(): InboxHealth {
    return this.#health;
  }

  /** To be called every `WATCH_INBOX_MS`. Never rejects; does nothing while the look before is still out. */
  async execute(): Promise<void> {
    if (this.#looking || this.#inbox === undefined) return;
    this.#looking = true;
    try {
      const { entries, oldest, refuses } = await this.#inbox.backlog();
      const watchedMs = this.#watchedMs(oldest?.id);
      const status = watchedMs !== undefined && watchedMs >= LONGEST_AT_HEAD_MS ? "stuck" : "up";
      const oldestAgeMs = watchedMs === undefined ? undefined : Math.max(oldest?.ageMs ?? 0, watchedMs);
      this.#health = { status, entries, oldestAgeMs, ...(refuses && { reason: wordsOf(refuses) }) };
    } catch (error) {
      // Whether it moves while it cannot be seen is not known: the time counts anew.
      this.#head = undefined;
      this.#health =
        error instanceof BrokerError
          ? { status: "down", cause: error.trouble.cause, reason: error.publicReason }
          : { status: "down", cause: "fault", reason: "the inbox cannot be read" };
    } finally {
      this.#looking = false;
    }
  }

  /** For how long this node has found the same entry to be the oldest; undefined if there is none. */
  #watchedMs(id: string | undefined): number | undefined {
    const now = this.#clock.now();
    if (id === undefined) this.#head = undefined;
    else if (id !== this.#head?.id) this.#head = { id, since: now };
    return this.#head && now - this.#head.since;
  }
}
