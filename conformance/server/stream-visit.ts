import type { Ending } from "./case-format.ts";
import type { Frame } from "./frames.ts";
import { positionIn } from "./socket-visit.ts";
import { ClientFault, type Established, endingOf, problemOf, strangeAnswer, type Visit } from "./visit.ts";

/** A request over HTTP that is not answered yet. */
export interface PendingRequest {
  readonly url: URL;
  readonly headers: Headers;
  readonly token: string;
  readonly analysisId: string;
  readonly isAborted: boolean;
  answer(response: Response): void;
}

/** Server-sent events: of one analysis, or of several below `/v1/events`. */
export class StreamVisit implements Visit {
  readonly transport = "sse";
  readonly #request: PendingRequest;
  readonly #isMany: boolean;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #again: (visit: StreamVisit) => void;
  #isOver = false;
  #isLeft = false;

  /** `again` is called if the client has been refused the analysis for now: the gateway tries by itself. */
  constructor(request: PendingRequest, again: (visit: StreamVisit) => void = () => {}) {
    this.#request = request;
    this.#again = again;
    this.#isMany = request.url.pathname === "/v1/events";
  }

  get token(): string {
    return this.#request.token;
  }

  get isOpen(): boolean {
    return !this.#isOver && !this.isLeft;
  }

  /** Whether the client has gone before the end. */
  get isLeft(): boolean {
    return this.#isLeft || (!this.#isOver && this.#request.isAborted);
  }

  async accept(as: Established): Promise<string> {
    const { position } = this;
    const resumed = as.resumed(position);
    if (this.#controller === undefined) this.#begin(as, this.#isMany ? null : resumed);
    const { analysisId: analysis_id } = this.#request;
    if (this.#isMany) this.send({ event_type: "subscribed", analysis_id, resumed });
    return position;
  }

  async refuseAnalysis(code: string): Promise<void> {
    if (!this.#isMany) return this.refuse(endingOf(code));
    const timestamp = new Date().toISOString();
    const beat = { heartbeat_interval_seconds: 15, heartbeat_timeout_seconds: 45 };
    if (this.#controller === undefined) this.#begin({ timestamp, ...beat }, null);
    const { analysisId: analysis_id } = this.#request;
    this.send({ event_type: "subscription_refused", analysis_id, code, message: code });
    if (code === "not_declared") this.#again(this);
  }

  /** Ends the stream without a word. */
  finish(): void {
    if (this.isOpen) this.#controller?.close();
    this.#isOver = true;
  }

  async refuse(ending: Ending): Promise<void> {
    this.#isOver = true;
    this.#request.answer(problemOf(ending));
  }

  block(how: "not_found" | "silence" | "page"): void {
    if (how === "silence") return;
    this.#isOver = true;
    this.#request.answer(strangeAnswer(how));
  }

  send(frame: Frame): void {
    const { event_type, event_id, last_event_id } = frame;
    const id =
      event_type === "analysis_state" ? last_event_id : event_type === "notice" ? undefined : event_id;
    const idLine = typeof id === "string" ? `id: ${id}\n` : "";
    this.#write(`${idLine}event: ${event_type}\ndata: ${JSON.stringify(frame)}\n\n`);
  }

  #write(text: string): void {
    if (this.isOpen) this.#controller?.enqueue(new TextEncoder().encode(text));
  }

  garble(): void {
    this.#write('event: status_update\ndata: {"task_id": \n\n');
  }

  reset(): void {
    const { analysisId: analysis_id } = this.#request;
    const event_type = this.#isMany ? "subscribed" : "connection_established";
    this.send({ event_type, analysis_id, resumed: false });
  }

  beat(): void {
    this.#write(": \n\n");
    this.send({ event_type: "heartbeat", message: "ping", timestamp: new Date().toISOString() });
  }

  end({ code, reason, retry_after_ms }: Ending): void {
    const reconnect = ![1009, 4003, 4004, 4010, 4400].includes(code);
    const wait = retry_after_ms === undefined ? {} : { retry_after_ms };
    if (retry_after_ms !== undefined) this.#write(`retry: ${retry_after_ms}\n\n`);
    this.#write(`event: closing\ndata: ${JSON.stringify({ code, reason, reconnect, ...wait })}\n\n`);
    this.finish();
  }

  cut(): void {
    if (this.isOpen) this.#controller?.error();
    this.#isOver = true;
  }

  took(): undefined {
    return undefined;
  }

  /** From which the client asks; `none` if it asks for the state. Throws ClientFault if it asks in another way. */
  get position(): string {
    const { url, headers, analysisId } = this.#request;
    const { searchParams: query } = url;
    const own = query
      .getAll("analysis")
      .map((each) => each.split("@"))
      .find(([id]) => id === analysisId);
    if (this.#isMany && own === undefined) throw new ClientFault(`it does not ask for ${analysisId}`);
    const given = headers.get("Last-Event-ID") || query.get("last_event_id") || own?.[1];
    return positionIn(given, query.get("replay"));
  }

  #begin(as: Omit<Established, "resumed">, resumed: boolean | null): void {
    const { heartbeat_interval_seconds, heartbeat_timeout_seconds, timestamp } = as;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#isLeft = true;
      },
    });
    const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform" };
    this.#request.answer(new Response(body, { headers }));
    this.#write("retry: 2000\n\n");
    const analysis_id = this.#isMany ? null : this.#request.analysisId;
    const beat = { heartbeat_interval_seconds, heartbeat_timeout_seconds };
    const event_type = "connection_established";
    this.send({
      event_type,
      analysis_id,
      message: "connected",
      timestamp,
      connection_id: "c-1",
      ...beat,
      resumed,
    });
  }
}
