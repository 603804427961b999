import type {
  ClientConnectionPort,
  ControlFrame,
  Frame,
  SendOutcome,
} from "../ports/client-connection-port.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { DeliveryMeter } from "./delivery-meter.ts";

/** A source of frames for a connection, oldest first. */
export interface FrameSource {
  /** The connection takes more, or there are new frames. */
  flush(): void;
  peek(): Frame | undefined;
  /**
   * Takes the frame that `peek` showed. Answers when it was appended, in milliseconds since 1970; undefined if it is no
   * live event.
   */
  advance(): number | undefined;
  /** Whether more than one frame waits, so that sending them in one piece pays. */
  readonly many: boolean;
}

/**
 * How much may wait for one connection beyond the event being sent, in characters, over all that it watches. It waits
 * in the ring that all watchers of a channel share, so a thousand slow clients cost no more than one.
 */
export const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024;

/** A batch hands at most so much to the operating system before the writer looks at the outcome, in characters. */
const BATCH_CHARACTERS = 64 * 1024;

/**
 * One socket's way out: batches frames while the socket takes them, and flushes every source when it takes more again.
 * Frames of one source keep their order.
 */
export class ConnectionWriter {
  /** Counts what this writer and the others of its transport send. */
  readonly meter: DeliveryMeter;
  readonly #connection: ClientConnectionPort;
  readonly #clock: ClockPort;
  readonly #sources = new Set<FrameSource>();
  #state: SendOutcome = "sent";
  #lastSentAt: number;
  /** Characters that wait for each source since the socket took no more, and in all. */
  readonly #waiting = new Map<FrameSource, number>();
  #allWaiting = 0;

  constructor(connection: ClientConnectionPort, clock: ClockPort, meter: DeliveryMeter) {
    this.#connection = connection;
    this.#clock = clock;
    this.meter = meter;
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

  addSource(source: FrameSource): void {
    this.#sources.add(source);
  }

  removeSource(source: FrameSource): void {
    this.#noteAllWaiting(this.#allWaiting - (this.#waiting.get(source) ?? 0));
    this.#waiting.delete(source);
    this.#sources.delete(source);
  }

  /**
   * Notes how many characters wait for one source while the socket takes no more. Whether more than
   * `MAX_WAITING_CHARACTERS` wait for all of them.
   */
  noteWaiting(source: FrameSource, characters: number): boolean {
    this.#noteAllWaiting(this.#allWaiting + characters - (this.#waiting.get(source) ?? 0));
    this.#waiting.set(source, characters);
    return this.#allWaiting > MAX_WAITING_CHARACTERS;
  }

  /**
   * Sends a frame of the protocol itself, ahead of the events that wait. A dispensable frame is left out while the
   * socket takes no more, so that a client which asks and never reads costs no memory.
   */
  sendControl(frame: ControlFrame, need: "required" | "dispensable" = "required"): void {
    if (this.gone || (need === "dispensable" && !this.open)) return;
    this.#note(this.#connection.send(frame));
  }

  /** Sends frames in their order until there are none or the socket takes no more. */
  drainFrom(source: FrameSource): void {
    while (this.open) {
      const frame = source.peek();
      if (frame === undefined) return;
      if (!source.many) {
        const appendedAt = source.advance();
        this.#note(this.#connection.send(frame));
        this.#measure(appendedAt);
        continue;
      }
      const sent: (number | undefined)[] = [];
      this.#note(this.#connection.batch(() => this.#sendBatch(source, sent)));
      for (const appendedAt of sent) this.#measure(appendedAt);
    }
  }

  #sendBatch(source: FrameSource, sent: (number | undefined)[]): void {
    for (let characters = 0; characters < BATCH_CHARACTERS; ) {
      const frame = source.peek();
      if (frame === undefined) return;
      sent.push(source.advance());
      characters += frame.text.length;
      this.#connection.send(frame);
    }
  }

  /** Counts an event that the socket took. */
  #measure(appendedAt: number | undefined): void {
    if (this.gone) return;
    if (appendedAt === undefined) this.meter.written(1);
    else this.meter.delivered(this.#lastSentAt - appendedAt);
  }

  /** The socket took the queued frames: every source is flushed. The one that fills the socket again comes last next time. */
  drained(): void {
    if (this.gone) return;
    this.#state = "sent";
    this.#waiting.clear();
    this.#noteAllWaiting(0);
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
    this.#waiting.clear();
    this.#noteAllWaiting(0);
  }

  #noteAllWaiting(characters: number): void {
    this.meter.waiting += characters - this.#allWaiting;
    this.#allWaiting = characters;
  }

  #note(outcome: SendOutcome): void {
    this.#state = outcome;
    if (outcome !== "gone") this.#lastSentAt = this.#clock.now();
  }
}
