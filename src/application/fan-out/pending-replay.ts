import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { DeliveryStart, ReplayRest } from "./delivery-start.ts";

/** What of a replay was read, and what is still to be read: kept only until it is sent. */
export type ReplayPart = Pick<DeliveryStart, "replay" | "from" | "to" | "rest">;

/** A replay on its way to one client. */
export class PendingReplay {
  readonly #events: readonly PublishedEvent[];
  readonly #to: number;
  #next: number;
  /** Follows when the events are sent. */
  readonly rest: ReplayRest | undefined;
  restIsBeingRead = false;

  private constructor({ replay, from, to, rest }: ReplayPart) {
    this.#events = replay;
    this.#next = from;
    this.#to = to;
    this.rest = rest;
  }

  /** Undefined where there is nothing of it. */
  static of(part: ReplayPart): PendingReplay | undefined {
    return part.from < part.to || part.rest !== undefined ? new PendingReplay(part) : undefined;
  }

  /** How many events can be sent now. */
  get left(): number {
    return this.#to - this.#next;
  }

  get isOver(): boolean {
    return this.left === 0 && this.rest === undefined;
  }

  peek(): PublishedEvent | undefined {
    return this.left > 0 ? this.#events[this.#next] : undefined;
  }

  advance(): void {
    this.#next++;
  }
}
