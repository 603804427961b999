/** How much of its rate a client may use at once, in seconds. A rate below the default allows one second of it. */
const BURST_SECONDS = 20;
const DEFAULT_RATE = 100;
/** The most protocol errors that are answered within `ERROR_WINDOW_MS`; the next one ends the connection. */
const MOST_ERRORS = 10;
const ERROR_WINDOW_MS = 60_000;
/** The most tokens of one client that wait to be verified. */
const MOST_WAITING_TOKENS = 16;
/** The most early frames on `/ws/analysis/{id}`: the eleventh ends the connection, as an eleventh error does. */
const MOST_EARLY_FRAMES = 10;
/** Early frames on `/ws` may name everything that a client watches: some 1,500 frames, in characters. */
const MOST_EARLY_CHARACTERS = 256 * 1024;
const CHARACTERS_PER_EARLY_FRAME = 64;
/** The answers that a client may ask for and leave unread, in characters: the socket keeps them. */
const MOST_UNREAD_CHARACTERS = 1024 * 1024;
/** The pongs that the runtime may have sent while the client reads nothing, in bytes. */
const MOST_UNREAD_PONG_BYTES = 16 * 1024;
const PONG_HEADER_BYTES = 2;

interface ClientLimitsOptions {
  /** Client frames a second, control frames included; 0: no limit. */
  readonly framesPerSecond: number;
  /** Whether the client subscribes by frames, as on `/ws`. */
  readonly subscribes: boolean;
}

/**
 * Everything that one client may send at a time, and everything that it may leave waiting or unread. Each method that
 * answers false tells the session to end the connection. Times are milliseconds since 1970.
 */
export class ClientLimits {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #mostEarly: number;
  /** The frames that the client may send now, as of `#refilledAt`. */
  #allowance: number;
  #refilledAt = 0;
  /** The times of the last errors, oldest first. */
  readonly #errors: number[] = [];
  #waitingTokens = 0;
  #early: (string | Uint8Array)[] = [];
  #earlyCharacters = 0;
  #unreadCharacters = 0;
  #unreadPongBytes = 0;

  constructor({ framesPerSecond, subscribes }: ClientLimitsOptions) {
    this.#perSecond = framesPerSecond;
    this.#burst = framesPerSecond < DEFAULT_RATE ? framesPerSecond : BURST_SECONDS * framesPerSecond;
    this.#allowance = this.#burst;
    this.#mostEarly = subscribes ? Number.POSITIVE_INFINITY : MOST_EARLY_FRAMES;
  }

  /** A frame came, of any kind. */
  mayTakeFrame(now: number): boolean {
    if (this.#perSecond === 0) return true;
    const refill = (Math.max(0, now - this.#refilledAt) * this.#perSecond) / 1000;
    this.#allowance = Math.min(this.#burst, this.#allowance + refill);
    this.#refilledAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  /** A frame broke the protocol. */
  mayErr(now: number): boolean {
    while (this.#errors.length > 0 && now - (this.#errors[0] as number) >= ERROR_WINDOW_MS)
      this.#errors.shift();
    if (this.#errors.length >= MOST_ERRORS) return false;
    this.#errors.push(now);
    return true;
  }

  /** A token came and is to be verified; `tokenVerified` follows once it was. */
  mayPresentToken(): boolean {
    return ++this.#waitingTokens <= MOST_WAITING_TOKENS;
  }

  tokenVerified(): void {
    this.#waitingTokens--;
  }

  /** Keeps a frame that came before `connection_established`. */
  keepEarly(frame: string | Uint8Array): boolean {
    this.#earlyCharacters += frame.length + CHARACTERS_PER_EARLY_FRAME;
    if (this.#early.length >= this.#mostEarly || this.#earlyCharacters > MOST_EARLY_CHARACTERS) return false;
    this.#early.push(frame);
    return true;
  }

  /** Hands over the frames that were kept, in the order they came. */
  takeEarly(): (string | Uint8Array)[] {
    const frames = this.#early;
    this.#early = [];
    return frames;
  }

  /** The session answers a frame while the socket takes no more. */
  mayLeaveUnread(characters: number): boolean {
    this.#unreadCharacters += characters;
    return this.#unreadCharacters <= MOST_UNREAD_CHARACTERS;
  }

  /** A ping frame came, and the runtime has answered it; `unsent` as in `ClientConnectionPort`. */
  mayLeavePongUnread(payloadBytes: number, unsent: number): boolean {
    this.#unreadPongBytes = unsent === 0 ? 0 : this.#unreadPongBytes + payloadBytes + PONG_HEADER_BYTES;
    return this.#unreadPongBytes <= MOST_UNREAD_PONG_BYTES;
  }

  /** The client read everything that waited. */
  readAll(): void {
    this.#unreadCharacters = 0;
    this.#unreadPongBytes = 0;
  }
}
