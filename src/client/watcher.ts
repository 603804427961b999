import type { AnalysisState } from "../domain/analysis-state.ts";
import { CLOSE_CODES, isNotDeclared } from "../domain/close-code.ts";
import { readState } from "./read-state.ts";
import { atOnceThenBackoff, planReconnect } from "./reconnect-plan.ts";
import type { AnalysisWatch, ConnectionStatus, WatchOptions, WatchProblem } from "./watch-options.ts";
import {
  type Frame,
  isEvent,
  isNews,
  parseFrame,
  problemOf,
  refusalOf,
  secondsOr,
  type WatchedEvent,
} from "./watched-frame.ts";
import {
  keepAlive,
  runtimeClock,
  runtimeSocket,
  subprotocols,
  type WatchedSocket,
  type WatcherClock,
  watchAddress,
} from "./watched-socket.ts";
import { fetchToken, isSendable, messageOf } from "./watched-token.ts";

export type { AnalysisState, AnalysisWatch, ConnectionStatus, WatchedEvent, WatchOptions, WatchProblem };

/**
 * Watches one analysis for as long as it takes: reconnects by itself, from the last event seen, obeys the close
 * codes, and notices a link that has gone silent. Runs wherever there is a WebSocket.
 */
export function watchAnalysis(options: WatchOptions): AnalysisWatch {
  const watch = new Watch(options);
  watch.connect();
  return watch;
}

/** A server that accepts the connection and then says nothing is as good as none. */
const ESTABLISH_TIMEOUT_MS = 10_000;
/** A connection that lasted so long owes nothing to the failures before it. */
const LASTING_MS = 5_000;
/** The code that a browser reports for a link that broke. */
const LINK_BROKEN = 1006;
/** How often the watcher asks again for the state if it gets the socket and not the state. */
const MOST_RETRIES_FOR_STATE = 2;

type Stage =
  /** Waiting for a token, for the state, or for the next attempt. */
  | { readonly kind: "fetching" | "waiting"; readonly stopTimers: () => void }
  | { readonly kind: "opening"; readonly socket: WatchedSocket; readonly stopTimers: () => void }
  | {
      readonly kind: "live";
      readonly socket: WatchedSocket;
      readonly since: number;
      readonly stopTimers: () => void;
    }
  | { readonly kind: "over" };

class Watch implements AnalysisWatch {
  readonly #options: WatchOptions;
  readonly #clock: WatcherClock;
  readonly #random: () => number;
  #stage: Stage = { kind: "over" };
  #token = "";
  #lastEventId: string | undefined;
  #lastHeard = 0;
  #failures = 0;
  #tokenRejections = 0;
  #undeclaredSince: number | undefined;
  #retriesForState = 0;
  #stopReading = () => {};

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? runtimeClock;
    this.#random = options.random ?? Math.random;
    this.#lastEventId = options.lastEventId;
  }

  connect(): void {
    const stopTimers = fetchToken(this.#options.token, this.#clock, (token, reason) => {
      if (token === undefined) this.#ended(LINK_BROKEN, reason);
      else this.#begin(token);
    });
    this.#stage = { kind: "fetching", stopTimers };
    this.#options.onConnection({ kind: "connecting" });
  }

  close(): void {
    if (this.#stage.kind === "over") return;
    this.#leaveStage({ kind: "over" });
    this.#options.onConnection({ kind: "closed" });
  }

  retryNow(): void {
    if (this.#stage.kind !== "waiting") return;
    this.#stage.stopTimers();
    this.connect();
  }

  /** A state that cannot be read holds nothing up: the socket says more precisely what is wrong. */
  #begin(token: string): void {
    this.#token = token;
    if (this.#options.onState === undefined || this.#lastEventId !== undefined) {
      this.#open();
      return;
    }
    const stopTimers = this.#readState((state) => {
      if (state !== undefined) this.#lastEventId = state.last_event_id;
      this.#open();
      if (state !== undefined && this.#stage.kind !== "over") this.#options.onState?.(state);
    });
    this.#stage = { kind: "fetching", stopTimers };
  }

  #readState(done: (state: AnalysisState | undefined) => void): () => void {
    const { url, analysisId, fetch = globalThis.fetch } = this.#options;
    return readState({ url, analysisId, token: this.#token, fetch, clock: this.#clock }, done);
  }

  #open(): void {
    const { url, analysisId, query } = this.#options;
    const address = watchAddress(url, analysisId, { ...query, last_event_id: this.#lastEventId });
    let socket: WatchedSocket;
    try {
      const Socket = this.#options.webSocket ?? runtimeSocket();
      if (!isSendable(this.#token)) throw new TypeError("the token holds characters that no token has");
      socket = new Socket(address, subprotocols(this.#token));
    } catch (error) {
      // No WebSocket here, or none that can carry this address or token: it will not get better by trying.
      this.#over({ kind: "refused", code: LINK_BROKEN, reason: messageOf(error) });
      return;
    }
    const stopTimers = this.#clock.after(ESTABLISH_TIMEOUT_MS, () =>
      this.#ended(LINK_BROKEN, "no answer from the server"),
    );
    this.#stage = { kind: "opening", socket, stopTimers };
    socket.addEventListener("message", ({ data }) => {
      if (this.#holds(socket)) this.#heard(socket, data);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.#holds(socket)) this.#ended(code, reason);
    });
    // Always followed by a close, which says more; but without a listener Node's `ws` would throw.
    socket.addEventListener("error", () => undefined);
  }

  #holds(socket: WatchedSocket): boolean {
    return "socket" in this.#stage && this.#stage.socket === socket;
  }

  #heard(socket: WatchedSocket, data: unknown): void {
    this.#lastHeard = this.#clock.now();
    const frame = parseFrame(data);
    if (frame === undefined) this.#ended(LINK_BROKEN, "a frame that is no event");
    else if (isEvent(frame)) this.#took(frame, data as string);
    else if (frame.event_type === "connection_established") this.#established(socket, frame);
    else if (isNews(frame) && this.#options.onState !== undefined) this.#readNews();
    else if (frame.event_type === "protocol_error") this.#options.onProblem?.(problemOf(frame));
    else if (frame.event_type === "subscription_refused") {
      const { code, reason } = refusalOf(frame);
      this.#ended(code, reason);
    }
  }

  /** The state is another one though no event came. One of another position than the last event seen would mislead. */
  #readNews(): void {
    const { onState } = this.#options;
    this.#stopReading();
    this.#stopReading = this.#readState((state) => {
      if (state?.last_event_id === (this.#lastEventId ?? "0")) onState?.(state);
    });
  }

  #took(event: WatchedEvent, text: string): void {
    // A notice is numbered on its own channel: its event_id is no position of the analysis.
    if (event.event_type !== "notice") this.#lastEventId = event.event_id;
    this.#options.onEvent(event, text);
  }

  #established(socket: WatchedSocket, frame: Frame): void {
    if (frame.resumed === false && this.#lastEventId !== undefined) {
      this.#lastEventId = undefined;
      this.#options.onRestart?.();
      if (!this.#holds(socket)) return;
    }
    if (this.#startsOverForState()) return;
    if (this.#stage.kind !== "opening") return;
    this.#stage.stopTimers();
    const stopTimers = keepAlive({
      socket,
      clock: this.#clock,
      intervalMs: secondsOr(frame.heartbeat_interval_seconds, 15),
      timeoutMs: secondsOr(frame.heartbeat_timeout_seconds, 30),
      lastHeard: () => this.#lastHeard,
      onSilent: () => this.#ended(LINK_BROKEN, "the link went silent"),
    });
    this.#stage = { kind: "live", socket, since: this.#clock.now(), stopTimers };
    this.#tokenRejections = 0;
    this.#undeclaredSince = undefined;
    this.#retriesForState = 0;
    this.#options.onConnection({ kind: "live" });
  }

  /** A program that folds a state cannot fold a replay into it: the watcher reads the state again, and events follow it. */
  #startsOverForState(): boolean {
    if (this.#options.onState === undefined || this.#lastEventId !== undefined) return false;
    if (this.#retriesForState >= MOST_RETRIES_FOR_STATE) return false;
    this.#retriesForState += 1;
    this.#retryIn(atOnceThenBackoff(this.#failures, this.#random));
    return true;
  }

  #ended(code: number, reason: string): void {
    const now = this.#clock.now();
    if (this.#stage.kind === "live" && now - this.#stage.since >= LASTING_MS) this.#failures = 0;
    if (code === CLOSE_CODES.unauthenticated.code && this.#stage.kind !== "live") this.#tokenRejections += 1;
    if (isNotDeclared({ code, reason })) this.#undeclaredSince ??= now;
    const undeclaredForMs = now - (this.#undeclaredSince ?? now);
    const tries = { failures: this.#failures, tokenRejections: this.#tokenRejections, undeclaredForMs };
    const plan = planReconnect({ code, reason, ...tries }, this.#random);
    if (plan.next === "retry") {
      this.#retryIn(plan.inMs);
      this.#options.onConnection({ kind: "waiting", retryInMs: plan.inMs, code, reason });
    } else {
      this.#over(plan.next === "finished" ? { kind: "finished" } : { kind: "refused", code, reason });
    }
  }

  #retryIn(milliseconds: number): void {
    this.#failures += 1;
    const stopTimers = this.#clock.after(milliseconds, () => this.connect());
    this.#leaveStage({ kind: "waiting", stopTimers });
  }

  #over(status: ConnectionStatus): void {
    this.#leaveStage({ kind: "over" });
    this.#options.onConnection(status);
  }

  /** Leaves nothing of the stage behind: its timers stop, its socket is closed and no longer listened to. */
  #leaveStage(next: Stage): void {
    const left = this.#stage;
    this.#stage = next;
    this.#stopReading();
    if ("stopTimers" in left) left.stopTimers();
    if ("socket" in left) left.socket.close(1000);
  }
}
