import type { SocketConstructor, SocketLike } from "../../../src/client/watch/environment.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

/** One end of a wire that exists in memory only: the test plays the server. */
export class FakeSocket implements SocketLike {
  readonly url: string;
  readonly protocols: string[];
  readonly sent: string[] = [];
  closedWith: number | undefined;
  readonly #listeners = new Map<string, ((event: never) => void)[]>();

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code?: number): void {
    this.closedWith ??= code;
  }

  serverSends(frame: unknown): void {
    this.#emit("message", { data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  establish(fields: Record<string, unknown> = {}): void {
    this.serverSends({
      event_type: "connection_established",
      heartbeat_interval_seconds: 15,
      heartbeat_timeout_seconds: 30,
      resumed: null,
      ...fields,
    });
  }

  serverCloses(code: number, reason = ""): void {
    this.#emit("close", { code, reason });
  }

  /** Says no more, not even that it closed. */
  fails(): void {
    this.#emit("error", {});
  }

  #emit(type: string, event: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}

/** A `WebSocket` constructor that keeps every socket it made. */
export function socketFactory(): { readonly made: FakeSocket[]; readonly Socket: SocketConstructor } {
  const made: FakeSocket[] = [];
  class Socket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      made.push(this);
    }
  }
  return { made, Socket };
}

/** Also knows how many timers wait, so that a test can see that none was left behind. */
export class CountingClock extends ManualClock {
  pending = 0;

  override after(milliseconds: number, task: () => void): () => void {
    let waiting = true;
    this.pending += 1;
    const settle = () => {
      if (waiting) this.pending -= 1;
      waiting = false;
    };
    const stop = super.after(milliseconds, () => {
      settle();
      task();
    });
    return () => {
      settle();
      stop();
    };
  }
}
