/** A frame as a client got it. */
export interface Frame {
  readonly event_type: string;
  readonly event_id?: string;
  readonly [field: string]: unknown;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A client that keeps all it got, and waits for frames instead of sleeping. */
export class WatchingSocket {
  readonly frames: Frame[] = [];
  readonly closed: Promise<Closed>;
  /** The upgrade is done; whether one is let in comes after it. */
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #waiting = new Set<() => void>();
  #ended: Closed | undefined;

  constructor(
    url: string,
    options: { headers?: Record<string, string>; protocols?: string[]; tls?: { ca: string } } = {},
  ) {
    // Bun's client takes headers and authorities beside the protocols, which the type of browsers does not know.
    this.#socket = new WebSocket(url, options as never);
    this.#socket.addEventListener("message", (message) => {
      this.frames.push(JSON.parse(String(message.data)) as Frame);
      this.#wake();
    });
    this.opened = new Promise((resolve) => {
      this.#socket.addEventListener("open", () => resolve());
    });
    this.closed = new Promise((resolve) => {
      this.#socket.addEventListener("close", ({ code, reason }) => {
        this.#ended = { code, reason };
        resolve(this.#ended);
        this.#wake();
      });
    });
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get events(): Frame[] {
    return this.frames.filter((frame) => frame.event_id !== undefined);
  }

  /** The first frame, among those that came and those to come, that `is` accepts. Rejects when the socket closes before. */
  async until(is: (frame: Frame) => boolean): Promise<Frame> {
    for (let looked = 0; ; ) {
      for (; looked < this.frames.length; looked++) {
        const frame = this.frames[looked] as Frame;
        if (is(frame)) return frame;
      }
      if (this.#ended !== undefined) throw new Error(`closed with ${this.#ended.code} ${this.#ended.reason}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  untilType(eventType: string): Promise<Frame> {
    return this.until((frame) => frame.event_type === eventType);
  }

  established(): Promise<Frame> {
    return this.untilType("connection_established");
  }

  send(frame: unknown): void {
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes);
  }

  async leave(): Promise<void> {
    this.#socket.close(1000);
    await this.closed;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** The address to watch an analysis at, with `query` after it. */
export function watchUrl(gatewayUrl: string, analysisId: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `${gatewayUrl.replace("http", "ws")}/ws/analysis/${analysisId}${search === "" ? "" : `?${search}`}`;
}
