import type { ClientConnectionPort, SendOutcome } from "../../../application/ports/client-connection-port.ts";
import { retryAfterOf } from "../../../domain/close-code.ts";
import { SSE_COMMENT, sseBlock, sseRetry } from "./sse-block.ts";

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
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #blocked = false;

  constructor(handlers: StreamHandlers) {
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

  send(frame: string): SendOutcome {
    return this.#write(sseBlock(frame));
  }

  batch(write: () => void): SendOutcome {
    write();
    return this.#outcome();
  }

  ping(): void {
    if (!this.#blocked) this.#write(SSE_COMMENT);
  }

  close(_code: number, reason: string): void {
    const retryMs = retryAfterOf(reason);
    if (retryMs !== undefined) this.#write(sseRetry(retryMs));
    this.#controller?.close();
    this.#controller = undefined;
  }

  #write(text: string): SendOutcome {
    this.#controller?.enqueue(this.#encoder.encode(text));
    return this.#outcome();
  }

  #outcome(): SendOutcome {
    if (this.#controller === undefined) return "gone";
    this.#blocked = (this.#controller.desiredSize ?? 0) <= 0;
    return this.#blocked ? "blocked" : "sent";
  }
}
