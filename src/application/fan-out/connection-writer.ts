import type {
  ClientConnectionPort,
  ControlFrame,
  Frame,
  SendOutcome,
} from "../ports/client-connection-port.ts";
import type { ClockPort } from "../ports/clock-port.ts";

/** Something that has frames for a connection and goes on when the connection takes more. */
export interface WriterSource {
  flush(): void;
}

/** Frames that wait, oldest first. */
export interface FrameQueue {
  peek(): Frame | undefined;
  /** Takes the frame that `peek` showed. */
  advance(): void;
  /** Whether more than one frame waits, so that sending them in one piece pays. */
  readonly many: boolean;
}

/** The most that one batch hands to the operating system before the outcome is looked at, in characters. */
const BATCH_CHARACTERS = 64 * 1024;

/**
 * The one way out to one client: knows whether the socket takes more, and lets every source of frames go on when it
 * does. Frames of one source keep their order.
 */
export class ConnectionWriter {
  readonly #connection: ClientConnectionPort;
  readonly #clock: ClockPort;
  readonly #sources = new Set<WriterSource>();
  #state: SendOutcome = "sent";
  #lastSentAt: number;
  /** Characters that wait for each source since the socket took no more, and in all. */
  readonly #waiting = new Map<WriterSource, number>();
  #allWaiting = 0;

  constructor(connection: ClientConnectionPort, clock: ClockPort) {
    this.#connection = connection;
    this.#clock = clock;
    this.#lastSentAt = clock.now();
  }

  get connection(): ClientConnectionPort {
    return this.#connection;
  }

  /** Whether the socket takes more now. */
  get open(): boolean {
    return this.#state === "sent";
  }

  get gone(): boolean {
    return this.#state === "gone";
  }

  /** Milliseconds since 1970 of the last frame. */
  get lastSentAt(): number {
    return this.#lastSentAt;
  }

  addSource(source: WriterSource): void {
    this.#sources.add(source);
  }

  removeSource(source: WriterSource): void {
    this.#allWaiting -= this.#waiting.get(source) ?? 0;
    this.#waiting.delete(source);
    this.#sources.delete(source);
  }

  /** Notes how many characters wait for one source while the socket takes no more; answers how many do for all. */
  noteWaiting(source: WriterSource, characters: number): number {
    this.#allWaiting += characters - (this.#waiting.get(source) ?? 0);
    this.#waiting.set(source, characters);
    return this.#allWaiting;
  }

  /**
   * Sends a frame of the protocol itself, ahead of the events that wait. A frame that the client can do without is
   * left out while the socket takes no more, so that a client which asks and never reads costs no memory.
   */
  sendControl(frame: ControlFrame, need: "required" | "dispensable" = "required"): void {
    if (this.gone || (need === "dispensable" && !this.open)) return;
    this.#note(this.#connection.send(frame));
  }

  /** Sends frames in their order until there are none or the socket takes no more. */
  drainFrom(frames: FrameQueue): void {
    while (this.open) {
      const frame = frames.peek();
      if (frame === undefined) return;
      if (!frames.many) {
        frames.advance();
        this.#note(this.#connection.send(frame));
        continue;
      }
      this.#note(this.#connection.batch(() => this.#sendBatch(frames)));
    }
  }

  #sendBatch(frames: FrameQueue): void {
    for (let characters = 0; characters < BATCH_CHARACTERS; ) {
      const frame = frames.peek();
      if (frame === undefined) return;
      frames.advance();
      characters += frame.text.length;
      this.#connection.send(frame);
    }
  }

  /** The socket took what was queued: every source goes on, the one that fills it again last the next time. */
  drained(): void {
    if (this.gone) return;
    this.#state = "sent";
    this.#waiting.clear();
    this.#allWaiting = 0;
    for (const source of [...this.#sources]) {
      const wasOpen = this.open;
      source.flush();
      if (!wasOpen || this.open || !this.#sources.delete(source)) continue;
      this.#sources.add(source);
    }
  }

  /** The socket is closed: nothing is sent from here on. */
  closed(): void {
    this.#state = "gone";
    this.#sources.clear();
  }

  #note(outcome: SendOutcome): void {
    this.#state = outcome;
    if (outcome !== "gone") this.#lastSentAt = this.#clock.now();
  }
}
