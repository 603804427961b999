import type { AnalysisState } from "../domain/analysis-state.ts";
import type { StateFetch } from "./read-state.ts";
import type { WatchedEvent } from "./watched-frame.ts";
import type { WatchedSocketConstructor, WatcherClock } from "./watched-socket.ts";

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

/** The gateway did not understand something; the connection stays. */
export interface WatchProblem {
  /** Stable. */
  readonly code: string;
  readonly message: string;
}

export interface WatchOptions {
  /** Address of the gateway, `http(s):` or `ws(s):`, with any path prefix. */
  readonly url: string;
  readonly analysisId: string;
  /**
   * Asked before every connection; answer a token that is still good. A rejection, an answer that is no text, and no
   * answer within ten seconds each count as a failed connection: the watcher asks again, with backoff.
   */
  readonly token: () => string | Promise<string>;
  /** Begins after this event, without reading a state first; `"0"` is before the first event of all. */
  readonly lastEventId?: string;
  /**
   * As the gateway's query parameters of these names: `replay` if there is no event to go on after, `conflate: "none"` to miss
   * no status however slow the program is, `until: "terminal"` to be `finished` after the current terminal event.
   */
  readonly query?: {
    readonly replay?: "latest" | "all" | "none";
    readonly conflate?: "status" | "none";
    readonly until?: "terminal";
  };
  /** Every event of the analysis and every notice, in order. `text` is the frame as it came. */
  readonly onEvent: (event: WatchedEvent, text: string) => void;
  readonly onConnection: (status: ConnectionStatus) => void;
  /**
   * The folded state, read from `GET /v1/analyses/{id}`: what was folded before is void, and the events after
   * `last_event_id` follow. Called before the first event, after each restart, and again when the gateway says that the
   * analysis has stalled or runs on, or that somebody asked to cancel it. If it cannot be read, the watcher goes on with a replay instead.
   */
  readonly onState?: (state: AnalysisState) => void;
  /** The history before is gone or does not matter any more: forget what was folded; a replay or a state follows. */
  readonly onRestart?: () => void;
  /** The gateway sent a `protocol_error`; nothing has to be done. */
  readonly onProblem?: (problem: WatchProblem) => void;
  /** The global one if left out; Node before 22 has none: pass that of the `ws` package. */
  readonly webSocket?: WatchedSocketConstructor;
  readonly fetch?: StateFetch;
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
