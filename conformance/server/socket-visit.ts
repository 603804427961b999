import type { ServerWebSocket } from "bun";
import type { Ending } from "./case-format.ts";
import type { Frame } from "./frames.ts";
import { ClientFault, type Established, endingOf, reasonOf, strangeAnswer, type Visit } from "./visit.ts";

/** A socket of `/ws`, or of `/ws/analysis/{id}`: the client of the second says all that it asks for in the address. */
export interface SocketRequest {
  readonly url: URL;
  readonly token: string;
  readonly analysisId: string;
  /** Completes the handshake. */
  upgrade(visit: SocketVisit): void;
  answer(response: Response): void;
  /** The client asks again on the same socket. */
  again(visit: Visit): void;
  /** Something came that breaks the rules of the wire. */
  fault(fault: ClientFault): void;
}

export class SocketVisit implements Visit {
  readonly transport = "websocket";
  readonly #request: SocketRequest;
  readonly #isMany: boolean;
  readonly #opened = Promise.withResolvers<ServerWebSocket<SocketVisit>>();
  readonly #taken: Frame[] = [];
  #subscriptions: Record<string, unknown>[] = [];
  #asked: ((subscription: Record<string, unknown>) => void) | undefined;
  #socket: ServerWebSocket<SocketVisit> | undefined;
  #isOver = false;
  #isEstablished = false;

  constructor(request: SocketRequest) {
    this.#request = request;
    this.#isMany = request.url.pathname === "/ws";
  }

  get token(): string {
    return this.#request.token;
  }

  get isOpen(): boolean {
    return !this.#isOver;
  }

  async accept(as: Established): Promise<string> {
    const isFirst = !this.#isEstablished;
    if (isFirst) await this.#open();
    const { timestamp, heartbeat_interval_seconds, heartbeat_timeout_seconds } = as;
    const query = this.#request.url.searchParams;
    const establish = (resumed: boolean | null) => {
      this.#isEstablished = true;
      const event_type = "connection_established";
      const analysis_id = this.#isMany ? null : this.#request.analysisId;
      const beat = { heartbeat_interval_seconds, heartbeat_timeout_seconds };
      const message = "connected";
      this.#write({ event_type, analysis_id, message, timestamp, connection_id: "c-1", ...beat, resumed });
    };
    if (!this.#isMany) {
      const position = positionIn(query.get("last_event_id"), query.get("replay"));
      establish(as.resumed(position));
      return position;
    }
    if (isFirst) establish(null);
    const { last_event_id, replay } = await this.#subscription();
    const position = positionIn(last_event_id, replay);
    const { analysisId: analysis_id } = this.#request;
    this.#write({ event_type: "subscribed", analysis_id, resumed: as.resumed(position) });
    return position;
  }

  async refuseAnalysis(code: string): Promise<void> {
    if (!this.#isMany) return this.refuse(endingOf(code));
    await this.#open();
    if (!this.#isEstablished)
      this.#write({ event_type: "connection_established", analysis_id: null, resumed: null });
    this.#isEstablished = true;
    await this.#subscription();
    const { analysisId: analysis_id } = this.#request;
    this.#write({ event_type: "subscription_refused", analysis_id, code, message: code });
  }

  async refuse(ending: Ending): Promise<void> {
    await this.#open();
    this.end(ending);
  }

  block(how: "not_found" | "silence" | "page"): void {
    if (how === "silence") return;
    this.#isOver = true;
    this.#request.answer(strangeAnswer(how));
  }

  send(frame: Frame): void {
    this.#write(frame);
  }

  garble(): void {
    this.#socket?.send("hello");
  }

  reset(): void {
    const { analysisId: analysis_id } = this.#request;
    const event_type = this.#isMany ? "subscribed" : "connection_established";
    this.#write({ event_type, analysis_id, resumed: false });
  }

  beat(): void {
    this.#write({ event_type: "heartbeat", message: "ping", timestamp: new Date().toISOString() });
  }

  end(ending: Ending): void {
    this.#isOver = true;
    this.#socket?.close(ending.code, reasonOf(ending));
  }

  cut(): void {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  took(type: "ping" | "authenticate"): Frame | undefined {
    const index = this.#taken.findIndex(({ event_type }) => event_type === type);
    return index < 0 ? undefined : this.#taken.splice(index, 1)[0];
  }

  socketOpened(socket: ServerWebSocket<SocketVisit>): void {
    this.#socket = socket;
    this.#opened.resolve(socket);
  }

  socketClosed(): void {
    this.#isOver = true;
  }

  socketSent(text: string | Buffer): void {
    const { type, ...rest } = JSON.parse(String(text)) as Record<string, unknown>;
    if (type === "ping" || type === "authenticate") this.#taken.push({ event_type: type, ...rest });
    else if (type === "subscribe" && rest.analysis_id === this.#request.analysisId) this.#subscribed(rest);
    else if (type !== "unsubscribe") this.#request.fault(new ClientFault(`the client sent ${text}`));
  }

  #subscribed(subscription: Record<string, unknown>): void {
    if (this.#asked) this.#asked(subscription);
    else {
      this.#subscriptions.push(subscription);
      this.#request.again(this);
    }
    this.#asked = undefined;
  }

  #subscription(): Promise<Record<string, unknown>> {
    const waiting = this.#subscriptions.shift();
    if (waiting) return Promise.resolve(waiting);
    return new Promise((resolve) => {
      this.#asked = resolve;
    });
  }

  async #open(): Promise<void> {
    if (this.#socket === undefined) this.#request.upgrade(this);
    await this.#opened.promise;
  }

  #write(frame: Frame): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}

/** `none` if the client asks for the state. */
export function positionIn(position: unknown, replay: unknown): string {
  if (typeof position === "string" && position !== "") return position;
  if (replay !== "state") throw new ClientFault(`without a position it asks for replay=${replay}, not state`);
  return "none";
}
