import { createHash } from "node:crypto";

/** The most messages that are remembered, some 300 bytes each. */
const MOST_REMEMBERED = 100_000;

/**
 * Makes one stream of the messages that several places hear, each of them the same messages in the same order: the first copy
 * of a message is new, the others are copies. The same bytes published twice are two messages. A message is remembered until
 * `forget`, though all places have heard it: a place that has just subscribed may hear it later still.
 */
export class HeardCopies<Place extends object> {
  /** The oldest first. */
  readonly #messages = new Set<Message>();
  readonly #named = new Map<string, Message[]>();

  /** Whether no other place has heard the message before. `now` is the time by the node's clock. */
  isNew(place: Place, channel: string, payload: Uint8Array, now: number): boolean {
    const name = `${channel} ${createHash("sha256").update(payload).digest("base64url")}`;
    const same = this.#named.get(name) ?? [];
    const copied = same.find(({ heardBy }) => !heardBy.includes(place));
    if (copied !== undefined) {
      copied.heardBy.push(place);
      return false;
    }
    const message = { name, at: now, heardBy: [place] };
    this.#messages.add(message);
    this.#named.set(name, [...same, message]);
    if (this.#messages.size > MOST_REMEMBERED) this.#forgetOldest();
    return true;
  }

  /** Forgets what was first heard before this time: each place has heard it since, or never will. */
  forget(before: number): void {
    for (const { at } of this.#messages) {
      if (at >= before) return;
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#messages;
    if (oldest === undefined) return;
    this.#messages.delete(oldest);
    const [, ...younger] = this.#named.get(oldest.name) ?? [];
    if (younger.length === 0) this.#named.delete(oldest.name);
    else this.#named.set(oldest.name, younger);
  }
}

interface Message {
  readonly name: string;
  /** When it was heard first. */
  readonly at: number;
  readonly heardBy: object[];
}
