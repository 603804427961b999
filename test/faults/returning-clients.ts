import { setTimeout as pause } from "node:timers/promises";
import { retryAfter } from "../../src/client/watch/retry-plan.ts";

/** Counts the ends and the returns of many clients. */
export class Tally {
  /** By close code, how often a connection ended; a stream that broke off without a time to come back counts as 1006. */
  readonly ends = new Map<number, number>();
  /** When somebody came back, in milliseconds of `performance.now`. */
  readonly returns: number[] = [];

  ended(code: number): void {
    this.ends.set(code, (this.ends.get(code) ?? 0) + 1);
  }

  /** The most that came back within any second. */
  busiestSecond(): number {
    const times = this.returns.toSorted((one, other) => one - other);
    let most = 0;
    for (let from = 0, to = 0; to < times.length; to++) {
      while ((times[to] as number) - (times[from] as number) >= 1_000) from++;
      most = Math.max(most, to - from + 1);
    }
    return most;
  }
}

export interface ReturningOptions {
  /** The address of a gateway that is ready. */
  readonly address: () => string;
  readonly analysisId: string;
  readonly token: string;
  readonly tally: Tally;
}

interface End {
  readonly code: number;
  readonly reason: string;
  readonly wasEstablished: boolean;
}

/** A client that comes back when it is told to, as the SDK does, and notes the numbers of the events that it gets. */
export abstract class ReturningClient {
  readonly numbers: number[] = [];
  protected readonly options: ReturningOptions;
  protected readonly left = new AbortController();
  protected position: string | undefined;
  readonly #established = Promise.withResolvers<void>();

  constructor(options: ReturningOptions) {
    this.options = options;
  }

  get analysisId(): string {
    return this.options.analysisId;
  }

  /** Resolves when it is let in for the first time. */
  get established(): Promise<void> {
    return this.#established.promise;
  }

  /** Resolves when it has left. Rejects if a gateway tells it never to come back. */
  async stay(): Promise<void> {
    const { tally } = this.options;
    let failures = 0;
    while (!this.left.signal.aborted) {
      const end = await this.connect();
      if (this.left.signal.aborted) return;
      tally.ended(end.code);
      failures = end.wasEstablished ? 0 : failures + 1;
      const inMs = retryAfter(end.code, end.reason, failures, 0, Math.random);
      if (inMs === undefined) throw new Error(`refused: ${end.code} ${end.reason}`);
      await pause(inMs);
      tally.returns.push(performance.now());
    }
  }

  leave(): void {
    this.left.abort();
  }

  /** One connection, from the request to its end. Never rejects. */
  protected abstract connect(): Promise<End>;

  /** Takes one frame of the gateway. Answers whether it says that the client was let in. */
  protected take(text: string): boolean {
    const id = /^\{"event_id":"([^"]+)"/.exec(text)?.[1];
    if (id === undefined) {
      if (!text.includes('"connection_established"')) return false;
      this.#established.resolve();
      return true;
    }
    this.position = id;
    this.numbers.push(Number(/"number":(\d+)/.exec(text)?.[1]));
    return false;
  }

  protected get query(): URLSearchParams {
    const { position } = this;
    return new URLSearchParams({
      ...{ token: this.options.token, replay: "all", conflate: "none" },
      ...(position !== undefined && { last_event_id: position }),
    });
  }
}

/** Over a WebSocket. */
export class ReturningSocket extends ReturningClient {
  protected connect(): Promise<End> {
    const { address, analysisId } = this.options;
    const { promise, resolve } = Promise.withResolvers<End>();
    const socket = new WebSocket(
      `${address().replace("http", "ws")}/ws/analysis/${analysisId}?${this.query}`,
    );
    const close = () => socket.close(1000);
    this.left.signal.addEventListener("abort", close);
    let wasEstablished = false;
    socket.addEventListener("message", ({ data }) => {
      if (this.take(String(data))) wasEstablished = true;
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.left.signal.removeEventListener("abort", close);
      resolve({ code, reason, wasEstablished });
    });
    return promise;
  }
}

/** Over server-sent events. */
export class ReturningStream extends ReturningClient {
  protected async connect(): Promise<End> {
    const { address, analysisId } = this.options;
    let wasEstablished = false;
    let closing: { readonly code: number; readonly reason: string } | undefined;
    try {
      const answer = await fetch(`${address()}/v1/analyses/${analysisId}/events?${this.query}`, {
        headers: { Accept: "text/event-stream" },
        signal: this.left.signal,
      });
      if (answer.status !== 200 || answer.body === null) {
        const seconds = Number(answer.headers.get("Retry-After") ?? 1);
        return { code: 1013, reason: `retry_after_ms=${seconds * 1_000}`, wasEstablished };
      }
      const decoder = new TextDecoder();
      let rest = "";
      for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
        const blocks = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data === undefined) continue;
          if (/^event: closing$/m.test(block)) closing = JSON.parse(data) as typeof closing;
          else if (this.take(data)) wasEstablished = true;
        }
      }
    } catch {
      // The link broke, or nobody answered there: an end without a word.
      return { code: 1006, reason: "", wasEstablished };
    }
    const { code, reason } = closing ?? { code: 1006, reason: "" };
    return { code, reason, wasEstablished };
  }
}
