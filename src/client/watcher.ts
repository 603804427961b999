import { planReconnect } from "./reconnect-plan.ts";
import { type Frame, isEvent, parseFrame, secondsOr, type WatchedEvent } from "./watched-frame.ts";
import {
  runtimeClock,
  subprotocols,
  type WatchedSocket,
  type WatchedSocketConstructor,
  type WatcherClock,
  watchAddress,
} from "./watched-socket.ts";

export type { WatchedEvent };

export type ConnectionStatus =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** `code` and `reason` say why the last connection ended; 1006 for a link that broke. */
  | { readonly kind: "waiting"; readonly retryInMs: number; readonly code: number; readonly reason: string }
  /** Final: coming back would not help. */
  | { readonly kind: "refused"; readonly code: number; readonly reason: string }
  /** Final: the server sent everything it was asked for. */
  | { readonly kind: "finished" }
  /** Final: `close()` was called. */
  | { readonly kind: "closed" };

export interface WatchOptions {
  /** Address of the gateway, `http(s):` or `ws(s):`, with any path prefix. */
  readonly url: string;
  readonly analysisId: string;
  /** Asked before every connection; answer a token that is still good. A rejection counts as a failed connection. */
  readonly token: () => string | Promise<string>;
  /** Every event of the analysis and every notice, in order. `text` is the frame as it came. */
  readonly onEvent: (event: WatchedEvent, text: string) => void;
  readonly onConnection: (status: ConnectionStatus) => void;
  /** The history before is gone or does not matter any more: forget what was folded; a replay follows. */
  readonly onRestart?: () => void;
  readonly webSocket?: WatchedSocketConstructor;
  readonly clock?: WatcherClock;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

export interface AnalysisWatch {
  /** Ends the watch; nothing is called after the final `closed`. */
  close(): void;
  /** Does not wait out the pause before the next attempt. */
  retryNow(): void;
}

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
/** What a browser reports for a link that broke. */
const LINK_BROKEN = 1006;

type Stage =
  | { readonly kind: "fetching_token" }
  | { readonly kind: "opening"; readonly socket: WatchedSocket; readonly stopTimers: () => void }
  | {
      readonly kind: "live";
      readonly socket: WatchedSocket;
      readonly since: number;
      readonly stopTimers: () => void;
    }
  | { readonly kind: "waiting"; readonly stopTimers: () => void }
  | { readonly kind: "over" };

class Watch implements AnalysisWatch {
  readonly #options: WatchOptions;
  readonly #clock: WatcherClock;
  readonly #random: () => number;
  #stage: Stage = { kind: "over" };
  #lastEventId: string | undefined;
  #lastHeard = 0;
  #failures = 0;
  #tokenRejections = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? runtimeClock;
    this.#random = options.random ?? Math.random;
  }

  connect(): void {
    const stage: Stage = { kind: "fetching_token" };
    this.#stage = stage;
    this.#options.onConnection({ kind: "connecting" });
    // The promise covers a `token` that throws as well as one that rejects.
    new Promise<string>((resolve) => resolve(this.#options.token())).then(
      (token) => {
        if (this.#stage === stage) this.#open(token);
      },
      (error: unknown) => {
        if (this.#stage === stage) this.#ended(LINK_BROKEN, `no token: ${messageOf(error)}`);
      },
    );
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

  #open(token: string): void {
    const address = watchAddress(this.#options.url, this.#options.analysisId, this.#lastEventId);
    const Socket = this.#options.webSocket ?? (WebSocket as WatchedSocketConstructor);
    let socket: WatchedSocket;
    try {
      socket = new Socket(address, subprotocols(token));
    } catch (error) {
      // An address or a token no WebSocket can carry: it will not get better by trying.
      this.#stage = { kind: "over" };
      this.#options.onConnection({ kind: "refused", code: LINK_BROKEN, reason: messageOf(error) });
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
    if (frame === undefined) {
      this.#ended(LINK_BROKEN, "a frame that is no event");
    } else if (frame.event_type === "connection_established") {
      this.#established(socket, frame);
    } else if (isEvent(frame)) {
      // A notice is numbered on its own channel: its event_id is no position of the analysis.
      if (frame.event_type !== "notice") this.#lastEventId = frame.event_id;
      this.#options.onEvent(frame, data as string);
    }
  }

  #established(socket: WatchedSocket, frame: Frame): void {
    if (frame.resumed === false && this.#lastEventId !== undefined) {
      this.#lastEventId = undefined;
      this.#options.onRestart?.();
    }
    if (this.#stage.kind !== "opening") return;
    this.#stage.stopTimers();
    const stopTimers = this.#keepAlive(
      socket,
      secondsOr(frame.heartbeat_interval_seconds, 15),
      secondsOr(frame.heartbeat_timeout_seconds, 30),
    );
    this.#stage = { kind: "live", socket, since: this.#clock.now(), stopTimers };
    this.#tokenRejections = 0;
    this.#options.onConnection({ kind: "live" });
  }

  /** Pings every interval, and gives the link up when nothing was heard for the timeout. */
  #keepAlive(socket: WatchedSocket, intervalMs: number, timeoutMs: number): () => void {
    let stopPing = () => {};
    let stopDeadline = () => {};
    const ping = () => {
      stopPing = this.#clock.after(intervalMs, ping);
      socket.send('{"type":"ping"}');
    };
    const checkDeadline = () => {
      const left = this.#lastHeard + timeoutMs - this.#clock.now();
      if (left > 0) stopDeadline = this.#clock.after(left, checkDeadline);
      else this.#ended(LINK_BROKEN, "the link went silent");
    };
    stopPing = this.#clock.after(intervalMs, ping);
    stopDeadline = this.#clock.after(timeoutMs, checkDeadline);
    return () => {
      stopPing();
      stopDeadline();
    };
  }

  #ended(code: number, reason: string): void {
    if (this.#stage.kind === "live" && this.#clock.now() - this.#stage.since >= LASTING_MS)
      this.#failures = 0;
    this.#tokenRejections = code === 4001 ? this.#tokenRejections + 1 : 0;
    const plan = planReconnect(
      { code, reason, failures: this.#failures, tokenRejections: this.#tokenRejections },
      this.#random,
    );
    this.#failures += 1;
    if (plan.next !== "retry") {
      this.#leaveStage({ kind: "over" });
      this.#options.onConnection(
        plan.next === "finished" ? { kind: "finished" } : { kind: "refused", code, reason },
      );
      return;
    }
    const stopTimers = this.#clock.after(plan.inMs, () => this.connect());
    this.#leaveStage({ kind: "waiting", stopTimers });
    this.#options.onConnection({ kind: "waiting", retryInMs: plan.inMs, code, reason });
  }

  /** Leaves nothing of the stage behind: its timers stop, its socket is closed and no longer listened to. */
  #leaveStage(next: Stage): void {
    const left = this.#stage;
    this.#stage = next;
    if ("stopTimers" in left) left.stopTimers();
    if ("socket" in left) left.socket.close(1000);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
