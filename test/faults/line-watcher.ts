import { setTimeout as pause } from "node:timers/promises";
import type { WatcherOptions } from "./watchers.ts";

type Fields = Readonly<Record<string, unknown>>;

interface SocketHandlers {
  frame(text: string, type: string, fields: Fields, socket: WebSocket): void;
}

const PING_EVERY_MS = 1_000;
const LONGEST_HINT_MS = 3_000;
/** One gateway after the other, unless the watcher is loyal. */
const ESTABLISH_WITHIN_MS = 6_000;

/** Keeps a line open: connects, notices silence if it has no patience for it, and comes back. */
export abstract class LineWatcher {
  readonly #line: WatcherOptions;
  #seat: number;
  #left = false;
  #leave = new AbortController();
  #lastHeard = 0;

  constructor(options: WatcherOptions) {
    this.#line = options;
    this.#seat = options.seat;
  }

  /** One connection, to its end. Answers how many milliseconds to wait before the next. */
  protected abstract connect(base: string, signal: AbortSignal): Promise<number>;

  start(): void {
    void this.#run();
  }

  leave(): void {
    this.#left = true;
    this.#leave.abort();
  }

  protected heard(): void {
    this.#lastHeard = performance.now();
  }

  async #run(): Promise<void> {
    const { stage, patienceMs, base } = this.#line;
    while (!this.#left) {
      this.#leave = new AbortController();
      const { signal } = this.#leave;
      this.heard();
      const silence = setInterval(() => {
        if (patienceMs !== undefined && performance.now() - this.#lastHeard > patienceMs) this.#leave.abort();
      }, 200);
      let waitMs = 100;
      try {
        waitMs = await this.connect(base ?? stage.seats[this.#seat]?.url ?? "", signal);
      } catch {
        // The line broke, or was let go: it is made again.
        if (patienceMs !== undefined) this.#seat = 1 - this.#seat;
      } finally {
        clearInterval(silence);
      }
      if (!this.#left) await pause(waitMs);
    }
  }

  protected socket(
    url: string,
    signal: AbortSignal,
    hopMs: number | undefined,
    handlers: SocketHandlers,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      let over = false;
      let established = false;
      const end = (settle: () => void) => {
        if (over) return;
        over = true;
        for (const timer of [hop, late]) clearTimeout(timer);
        clearInterval(ping);
        socket.close(1000);
        settle();
      };
      // It leaves some time after it was let in: on a busy machine it would otherwise never be.
      let hop: ReturnType<typeof setTimeout> | undefined;
      const late = setTimeout(() => {
        if (!established) end(() => reject(new Error("not let in")));
      }, ESTABLISH_WITHIN_MS);
      const ping = setInterval(() => {
        if (socket.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}');
      }, PING_EVERY_MS);
      signal.addEventListener("abort", () => end(() => reject(new Error("the watcher was told to stop"))));
      socket.addEventListener("message", ({ data }) => {
        if (over) return;
        this.heard();
        const text = String(data);
        const fields = JSON.parse(text) as Fields;
        if (fields.event_type === "connection_established") {
          established = true;
          if (hopMs !== undefined) hop ??= setTimeout(() => end(() => resolve(0)), hopMs);
        }
        handlers.frame(text, String(fields.event_type), fields, socket);
      });
      socket.addEventListener("error", () => {});
      socket.addEventListener("close", ({ code, reason }) => {
        const hint = Number(/retry_after_ms=(\d+)/.exec(reason)?.[1] ?? Number.NaN);
        if (code === 1006 || code === 4008) end(() => reject(new Error(`closed with ${code}`)));
        else end(() => resolve(Number.isNaN(hint) ? 20 : Math.min(hint, LONGEST_HINT_MS)));
      });
    });
  }
}
