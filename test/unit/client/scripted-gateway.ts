import type { PublisherClock, PublisherFetch } from "../../../src/client/publish-attempts.ts";

/** A request that waits for the test to answer it. */
export class HeldRequest {
  readonly url: string;
  readonly init: RequestInit;
  readonly headers: Headers;
  readonly #settle: { resolve(response: Response): void; reject(error: Error): void };

  constructor(
    url: string,
    init: RequestInit,
    settle: { resolve(response: Response): void; reject(error: Error): void },
  ) {
    this.url = url;
    this.init = init;
    this.headers = new Headers(init.headers);
    this.#settle = settle;
  }

  get key(): string | null {
    return this.headers.get("Idempotency-Key");
  }

  get body(): unknown {
    return JSON.parse(String(this.init.body));
  }

  answer(status: number, body?: unknown, headers: Record<string, string> = {}): void {
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
    this.#settle.resolve(new Response(text, { status, headers }));
  }

  accept(...eventIds: string[]): void {
    this.answer(202, { event_ids: eventIds, duplicate: false });
  }

  cutOff(): void {
    this.#settle.reject(new Error("connection reset"));
  }
}

/** A gateway of which the test plays every answer: requests are held in the order in which they came. */
export class ScriptedGateway {
  /** Every request so far. */
  readonly requests: HeldRequest[] = [];
  readonly #unseen: HeldRequest[] = [];
  readonly #waiting: ((request: HeldRequest) => void)[] = [];

  readonly fetch: PublisherFetch = (url, init) =>
    new Promise((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      const request = new HeldRequest(url, init, { resolve, reject });
      this.requests.push(request);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#unseen.push(request);
      else waiting(request);
    });

  /** The next request that was not asked for yet, as soon as there is one. */
  next(): Promise<HeldRequest> {
    const request = this.#unseen.shift();
    return request === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(request);
  }
}

/** Pauses take no time and are written down; the time they would have taken passes. */
export class PausingClock implements PublisherClock {
  readonly pauses: number[] = [];
  #now = Date.UTC(2026, 10, 24);

  now(): number {
    return this.#now;
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }

  sleep(milliseconds: number): Promise<void> {
    this.pauses.push(milliseconds);
    this.#now += milliseconds;
    return Promise.resolve();
  }
}
