import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../../application/ports/client-connection-port.ts";
import {
  type Block,
  piecesOf,
  SSE_COMMENT,
  someRetryMs,
  sseBlock,
  sseBlockOfMany,
  sseClosing,
  sseRetry,
} from "./sse-block.ts";

/** The bytes that may wait in the stream before the client counts as blocked. */
const HIGH_WATER_BYTES = 64 * 1024;

export interface StreamHandlers {
  /** The client took everything that waited. */
  drained(): void;
  /** The client went away. */
  left(): void;
  /** A frame was written. */
  sent(frame: Frame): void;
}

/** One client's event stream. It begins with the time after which the client comes back by itself, and closing it says why it ends. */
export class SseConnection implements ClientConnectionPort {
  readonly id = crypto.randomUUID();
  readonly stream: ReadableStream<Uint8Array>;
  readonly #handlers: StreamHandlers;
  readonly #cut: () => void;
  readonly #position: (() => string) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #blocked = false;
  /** All bytes written to the stream, and those of them that the client had taken when the session last asked. */
  #written = 0;
  #taken = 0;

  /**
   * `cut` ends the connection below the stream once it was idle for some seconds, because its client may never read. `position`
   * is the `id` of events on a stream of many analyses.
   */
  constructor(handlers: StreamHandlers, cut: () => void, position?: () => string) {
    this.#handlers = handlers;
    this.#cut = cut;
    this.#position = position;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          if (!this.#blocked) return;
          this.#blocked = false;
          handlers.drained();
        },
        cancel: () => {
          this.#controller = undefined;
          handlers.left();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_BYTES }),
    );
  }

  get unsent(): number {
    return HIGH_WATER_BYTES - (this.#controller?.desiredSize ?? HIGH_WATER_BYTES);
  }

  send(frame: Frame): SendOutcome {
    const outcome = this.#write(
      this.#position === undefined ? sseBlock(frame) : sseBlockOfMany(frame, this.#position),
    );
    this.#handlers.sent(frame);
    return outcome;
  }

  batch(write: () => void): SendOutcome {
    write();
    return this.#outcome();
  }

  tookSome(): boolean {
    const taken = this.#written - this.unsent;
    const took = this.unsent === 0 || taken > this.#taken;
    this.#taken = taken;
    return took;
  }

  /** Writes a comment, unless something still waits. */
  ping(): void {
    if (this.unsent === 0) this.#write(SSE_COMMENT);
  }

  close(code: number, reason: string): void {
    // A stream that nothing was written to is never handed out: its request is answered by a status.
    if (this.#controller !== undefined && this.#written > 0) this.#write(piecesOf(sseClosing(code, reason)));
    this.end();
  }

  /** Ends the stream and says nothing. */
  end(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    const waits = this.unsent > 0;
    this.#controller = undefined;
    controller.close();
    // The end waits behind bytes that the client may never read.
    if (waits) this.#cut();
  }

  #write(block: Block): SendOutcome {
    // Before all else the client learns how long it waits if the link breaks.
    if (this.#written === 0) this.#enqueue(sseRetry(someRetryMs()));
    this.#enqueue(block);
    return this.#outcome();
  }

  #enqueue(block: Block): void {
    for (const piece of block) {
      this.#controller?.enqueue(piece);
      this.#written += piece.length;
    }
  }

  #outcome(): SendOutcome {
    if (this.#controller === undefined) return "gone";
    this.#blocked = (this.#controller.desiredSize ?? 0) <= 0;
    return this.#blocked ? "blocked" : "sent";
  }
}
