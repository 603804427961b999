import { watch } from "../../../../src/client/sdk.ts";
import type { Environment, SocketConstructor } from "../../../../src/client/watch/environment.ts";
import type { AnalysisWatch, WatchOptions } from "../../../../src/client/watch/watch-options.ts";
import type { WatchedEvent } from "../../../../src/client/watch/watched-events.ts";
import { emptyState } from "../../../../src/domain/analysis-state.ts";
import { turn } from "../../../support/turn.ts";
import { CountingClock, type FakeSocket, socketFactory } from "../fake-socket.ts";

export const ANALYSIS = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";
export const OTHER = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e22";

/** A request over HTTP, which the test answers. */
export interface ScriptedRequest {
  readonly url: URL;
  readonly init: RequestInit;
  readonly isAborted: () => boolean;
  answer(status: number, body?: unknown, headers?: Record<string, string>): void;
  /** Answers with a stream of events. */
  stream(): ScriptedStream;
  fail(): void;
}

export interface ScriptedStream {
  event(type: string, data: object): void;
  write(text: string): void;
  end(): void;
}

/** A gateway, a network and a page that exist in memory only, by a clock that the test drives. */
export class ScriptedGateway {
  readonly clock = new CountingClock();
  readonly sockets: FakeSocket[] = [];
  readonly requests: ScriptedRequest[] = [];
  readonly page = new EventTarget();
  readonly faults: unknown[] = [];
  readonly kept = new Map<string, string>();
  readonly #listening = new Map<string, number>();
  random = 0.5;
  readonly environment: Environment;

  constructor({ hasWebSocket = true }: { readonly hasWebSocket?: boolean } = {}) {
    const { made, Socket } = socketFactory();
    this.sockets = made;
    const page = {
      addEventListener: (type: string, listener: EventListener) => {
        this.#listening.set(type, (this.#listening.get(type) ?? 0) + 1);
        this.page.addEventListener(type, listener);
      },
      removeEventListener: (type: string, listener: EventListener) => {
        this.#listening.set(type, (this.#listening.get(type) ?? 0) - 1);
        this.page.removeEventListener(type, listener);
      },
    };
    this.environment = {
      now: () => this.clock.now(),
      after: (milliseconds, task) => this.clock.after(milliseconds, task),
      random: () => this.random,
      fetch: (url, init) => this.#request(url, init),
      WebSocket: hasWebSocket ? (Socket as SocketConstructor) : undefined,
      report: (fault) => void this.faults.push(fault),
      events: page as Environment["events"],
      storage: {
        getItem: (key) => this.kept.get(key) ?? null,
        setItem: (key, value) => void this.kept.set(key, value),
      },
    };
  }

  watch(options: Partial<WatchOptions> = {}): AnalysisWatch {
    return watch({
      url: "https://gateway.example/telltale/",
      analysisId: ANALYSIS,
      token: "a.b.c",
      environment: this.environment,
      ...options,
    });
  }

  /** The socket of this number, once it was made. */
  async socket(number = 1): Promise<FakeSocket> {
    while (this.sockets.length < number) await turn();
    return this.sockets[number - 1] as FakeSocket;
  }

  async request(number = 1): Promise<ScriptedRequest> {
    while (this.requests.length < number) await turn();
    return this.requests[number - 1] as ScriptedRequest;
  }

  /** Lets the pause before the next attempt pass, to the millisecond. */
  waitOut(watch: AnalysisWatch): void {
    const { connection } = watch.getSnapshot();
    if (connection.status === "waiting") this.clock.advance(connection.retryAt - this.clock.now());
  }

  says(type: string): void {
    this.page.dispatchEvent(new Event(type));
  }

  /** Timers and listeners of the page that were left behind. */
  get leftovers(): number {
    return this.clock.pending + [...this.#listening.values()].reduce((sum, count) => sum + count, 0);
  }

  #request(url: string, init: RequestInit): Promise<Response> {
    return new Promise((resolve, reject) => {
      const { signal } = init;
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      this.requests.push({
        url: new URL(url),
        init,
        isAborted: () => signal?.aborted ?? false,
        answer: (status, body = {}, headers = {}) =>
          resolve(new Response(status === 204 ? null : JSON.stringify(body), { status, headers })),
        stream: () => {
          let controller!: ReadableStreamDefaultController<Uint8Array>;
          const body = new ReadableStream<Uint8Array>({
            start: (given) => {
              controller = given;
            },
          });
          signal?.addEventListener("abort", () =>
            controller.error(new DOMException("aborted", "AbortError")),
          );
          resolve(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
          const write = (text: string) => controller.enqueue(new TextEncoder().encode(text));
          return {
            write,
            event: (type, data) => write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
            end: () => controller.close(),
          };
        },
        fail: () => reject(new TypeError("fetch failed")),
      });
    });
  }
}

/** The frames that a socket sent, read. */
export function sentBy(socket: FakeSocket): Record<string, unknown>[] {
  return socket.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
}

/** Answers a subscription with the state, as the gateway does. */
export function sendState(socket: FakeSocket, fields: Record<string, unknown> = {}): void {
  const state = { ...emptyState(ANALYSIS), ...fields };
  const { analysis_id, last_event_id } = state;
  socket.serverSends({ event_type: "subscribed", analysis_id, resumed: null });
  socket.serverSends({ event_type: "analysis_state", ...state });
  socket.serverSends({ event_type: "caught_up", analysis_id, last_event_id });
}

export function status(eventId: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    event_id: eventId,
    event_type: "status_update",
    analysis_id: ANALYSIS,
    task_id: "t",
    progress: 0.5,
    current_stage: "model_inference",
    message: "working",
    estimated_completion: null,
    error: null,
    timestamp: "2026-11-24T10:00:00Z",
    ...fields,
  };
}

export function verdict(eventId: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    event_id: eventId,
    event_type: "result_update",
    analysis_id: ANALYSIS,
    confidence_score: 0.9,
    is_fake: true,
    frames_processed: 1,
    total_frames: 1,
    suspicious_regions: [],
    timestamp: "2026-11-24T10:00:09Z",
    ...fields,
  };
}

/** Reads every event of a watch in the background. */
export function collect(watch: AnalysisWatch): {
  readonly events: WatchedEvent[];
  readonly over: Promise<unknown>;
} {
  const events: WatchedEvent[] = [];
  const over = (async () => {
    for await (const event of watch) events.push(event);
  })().catch((error: unknown) => error);
  return { events, over };
}

export async function settled(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await turn();
}

/** A socket whose watch is live and caught up at `e-1`. */
export async function live(
  gateway: ScriptedGateway,
  options: Partial<WatchOptions> = {},
): Promise<{ readonly watch: AnalysisWatch; readonly socket: FakeSocket; readonly events: WatchedEvent[] }> {
  const watch = gateway.watch(options);
  const { events } = collect(watch);
  const socket = await gateway.socket();
  socket.establish();
  sendState(socket, { status: "running", last_event_id: "e-1" });
  await settled();
  return { watch, socket, events };
}
