import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../application/ports/client-connection-port.ts";
import { CUT_AFTER_SECONDS } from "./listening.ts";

/** The runtime takes the bytes piece by piece, and only then can the gateway see that a slow client reads. */
const PIECE_BYTES = 64 * 1024;
const TEXT_FRAME = 0x81;
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

interface SocketHandlers {
  /** The socket was blocked and took everything that waited. */
  drained(): void;
  /** The socket is closed, or the gateway has said its last word on it. Called at least once. */
  closed(): void;
}

/**
 * One client's WebSocket on Deno. `ws` reads the frames and writes the control frames. Text frames are written here, so
 * that a frame is encoded once for all watchers and the bytes that wait can be counted piece by piece.
 */
export class DenoConnection implements ClientConnectionPort {
  readonly id = crypto.randomUUID();
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #handlers: SocketHandlers;
  #blocked = false;
  /** The bytes that waited when the session last asked, or when a frame was added to them. */
  #waited = 0;
  /** The pieces of the batch that is being written; undefined outside of one. */
  #batch: Uint8Array[] | undefined;
  #cutting: ReturnType<typeof setTimeout> | undefined;

  constructor(webSocket: WebSocket, socket: Socket, handlers: SocketHandlers) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#handlers = handlers;
    webSocket.once("close", () => {
      clearTimeout(this.#cutting);
      handlers.closed();
    });
    writeInPieces(socket);
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  send(frame: Frame): SendOutcome {
    if (!this.#isOpen) return "gone";
    const pieces = encoded(frame);
    if (this.#batch === undefined) this.#write(pieces);
    else this.#batch.push(...pieces);
    return this.#outcome();
  }

  batch(write: () => void): SendOutcome {
    if (!this.#isOpen) return "gone";
    this.#batch = [];
    try {
      write();
    } finally {
      this.#endBatch();
    }
    return this.#isOpen ? this.#outcome() : "gone";
  }

  tookSome(): boolean {
    const { unsent } = this;
    const took = unsent === 0 || unsent < this.#waited;
    this.#waited = unsent;
    return took;
  }

  ping(): void {
    this.#endBatch();
    if (this.#isOpen) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    this.#endBatch();
    if (!this.#isOpen) return;
    this.#webSocket.close(code, reason);
    this.cutIfStalled();
    // The client may take its time to read what waits, and the session needs nothing of it any more.
    queueMicrotask(() => this.#handlers.closed());
  }

  /** Ends a socket that is to go once its client took nothing for some seconds, or took all and does not leave. */
  cutIfStalled(): void {
    clearTimeout(this.#cutting);
    this.#waited = this.unsent;
    this.#cutting = setTimeout(() => {
      const { unsent } = this;
      if (unsent > 0 && unsent < this.#waited) this.cutIfStalled();
      else this.#webSocket.terminate();
    }, CUT_AFTER_SECONDS * 1000);
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  #endBatch(): void {
    const bytes = Buffer.concat(this.#batch ?? []);
    this.#batch = undefined;
    if (bytes.length > 0 && this.#isOpen) this.#write(piecesOf(bytes));
  }

  #write(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#socket.write(piece, this.#written);
  }

  #outcome(): SendOutcome {
    if (this.unsent === 0) return "sent";
    this.#blocked = true;
    this.#waited = this.unsent;
    return "blocked";
  }

  readonly #written = (): void => {
    if (!this.#blocked || this.unsent > 0) return;
    this.#blocked = false;
    this.#handlers.drained();
  };
}

/**
 * If much waits, each piece is written by itself: otherwise the runtime writes all that waits as one, and reports nothing
 * until the client has taken it whole. A little still goes out in one packet, as the header of a frame with the rest.
 */
function writeInPieces(socket: Socket): void {
  const together: unknown = Reflect.get(socket, "_writev");
  Object.defineProperty(socket, "_writev", {
    get: () => (socket.writableLength > PIECE_BYTES ? null : together),
  });
}

let latest: { readonly frame: Frame; readonly pieces: readonly Uint8Array[] } | undefined;

/** The frame on the wire. The same frame goes to many watchers, one after the other. */
function encoded(frame: Frame): readonly Uint8Array[] {
  if (latest?.frame !== frame) latest = { frame, pieces: piecesOf(textFrame(frame.text)) };
  return latest.pieces;
}

function piecesOf(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) pieces.push(bytes.subarray(at, at + PIECE_BYTES));
  return pieces;
}

/** A whole text frame of a server, which is not masked (RFC 6455, section 5.2). */
function textFrame(text: string): Uint8Array {
  const payload = Buffer.from(text);
  return Buffer.concat([header(payload.length), payload]);
}

function header(length: number): Uint8Array {
  if (length < LENGTH_IN_2_BYTES) return Uint8Array.of(TEXT_FRAME, length);
  if (length <= 0xffff) return Uint8Array.of(TEXT_FRAME, LENGTH_IN_2_BYTES, length >> 8, length & 0xff);
  const bytes = Buffer.alloc(10);
  bytes.set([TEXT_FRAME, LENGTH_IN_8_BYTES]);
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes;
}
