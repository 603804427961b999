/** What a client may ask for and leave unread, in characters: the socket keeps it. */
const MOST_CHARACTERS = 1024 * 1024;
/** What the runtime may have answered to ping frames while the client reads nothing, in bytes. */
const MOST_PONG_BYTES = 16 * 1024;
const PONG_HEADER_BYTES = 2;

/** What waits for a client that asks and does not read. Both answer false if that is too much. */
export class UnreadAnswers {
  #characters = 0;
  #pongBytes = 0;

  /** An answer to a frame, sent while the socket takes no more. */
  add(characters: number): boolean {
    this.#characters += characters;
    return this.#characters <= MOST_CHARACTERS;
  }

  /** A ping frame, which the runtime has answered by itself; `unsent` as of `ClientConnectionPort`. */
  addPong(payloadBytes: number, unsent: number): boolean {
    this.#pongBytes = unsent === 0 ? 0 : this.#pongBytes + payloadBytes + PONG_HEADER_BYTES;
    return this.#pongBytes <= MOST_PONG_BYTES;
  }

  /** The client read all of it. */
  read(): void {
    this.#characters = 0;
    this.#pongBytes = 0;
  }
}
