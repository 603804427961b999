import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../../application/ports/client-connection-port.ts";
import { retryAfterOf } from "../../../domain/close-code.ts";
import { type Block, SSE_COMMENT, sseBlock, sseRetry } from "./sse-block.ts";

/** What may wait in the stream before the client counts as blocked, in bytes. */
const HIGH_WATER_BYTES = 64 * 1024;

export interface StreamHandlers {
  /** The client took what waited. */
  drained(): void;
  /** The client has gone. */
  closed(): void;
}

/** One client's event stream. Closing it is all that can be said of why: the next request is told by its status. */
export class SseConnection implements ClientConnectionPort {
  readonly id = crypto.randomUUID();
  readonly stream: ReadableStream<Uint8Array>;
  readonly #cut: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #blocked = false;
  /** Bytes that were ever handed over, and of those the ones taken when that was last asked. */
  #handedOver = 0;
  #taken = 0;

  /** `cut` has the connection below the stream ended once it was idle for some seconds: its client may never read. */
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
          handlers.closed();
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
    const taken = this.#handedOver - this.unsent;
    const took = this.unsent === 0 || taken > this.#taken;
    this.#taken = taken;
    return took;
  }

  /** A comment. One that still waits is enough. */
  ping(): void {
    if (this.unsent === 0) this.#write(SSE_COMMENT);
  }

  close(_code: number, reason: string): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    const retryMs = retryAfterOf(reason);
    if (retryMs !== undefined) this.#write(sseRetry(retryMs));
    const waits = this.unsent > 0;
    this.#controller = undefined;
    controller.close();
    // The end waits behind what the client may never read.
    if (waits) this.#cut();
  }

  #write(block: Block): SendOutcome {
    for (const piece of block) {
      this.#controller?.enqueue(piece);
      this.#handedOver += piece.length;
    }
    return this.#outcome();
  }

  #outcome(): SendOutcome {
    if (this.#controller === undefined) return "gone";
    this.#blocked = (this.#controller.desiredSize ?? 0) <= 0;
    return this.#blocked ? "blocked" : "sent";
  }
}
