import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../../application/ports/client-connection-port.ts";
import { retryAfterOf } from "../../../domain/close-code.ts";
import { type Block, SSE_COMMENT, sseBlock, sseRetry } from "./sse-block.ts";

/** The bytes that may wait in the stream before the client counts as blocked. */
const HIGH_WATER_BYTES = 64 * 1024;

interface StreamHandlers {
  /** The client took everything that waited. */
  drained(): void;
  /** The client went away. */
  left(): void;
}

/** One client's event stream. Closing it says at most when to come back: the next request is told why by its status. */
export class SseConnection implements ClientConnectionPort {
  readonly id = crypto.randomUUID();
  readonly stream: ReadableStream<Uint8Array>;
  readonly #cut: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #blocked = false;
  /** All bytes written to the stream, and those of them that the client had taken when the session last asked. */
  #written = 0;
  #taken = 0;

  /** `cut` ends the connection below the stream once it was idle for some seconds, because its client may never read. */
  constructor(handlers: StreamHandlers, cut: () => void) {
    this.#cut = cut;
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
    return this.#write(sseBlock(frame));
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

  close(_code: number, reason: string): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    // A stream that nothing was written to is never handed out: its request is answered by a status.
    const retryMs = this.#written > 0 ? retryAfterOf(reason) : undefined;
    if (retryMs !== undefined) this.#write(sseRetry(retryMs));
    const waits = this.unsent > 0;
    this.#controller = undefined;
    controller.close();
    // The end waits behind bytes that the client may never read.
    if (waits) this.#cut();
  }

  #write(block: Block): SendOutcome {
    for (const piece of block) {
      this.#controller?.enqueue(piece);
      this.#written += piece.length;
    }
    return this.#outcome();
  }

  #outcome(): SendOutcome {
    if (this.#controller === undefined) return "gone";
    this.#blocked = (this.#controller.desiredSize ?? 0) <= 0;
    return this.#blocked ? "blocked" : "sent";
  }
}
