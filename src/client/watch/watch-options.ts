import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { Environment } from "./environment.ts";
import type { ChooseTransport, TransportName } from "./transport.ts";
import type { WatchedEvent } from "./watched-events.ts";

/**
 * A token, or a function that gets one. A function is asked before each connection, before its last token ends, and after the gateway refused
 * one. It may answer the same token as long as that is good. If it throws, rejects or answers no text, it is asked again, with growing pauses.
 */
export type TokenSource = string | (() => string | Promise<string>);

export interface WatchOptions {
  /** Address of the gateway, `http(s):` or `ws(s):`, with any path prefix. */
  readonly url: string;
  readonly analysisId: string;
  /** All watches of a page with the same `url` and the same token (text or function) share one connection. */
  readonly token: TokenSource;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
  /** The watch is finished once the analysis has ended. Without it, the watch sees an analysis that is opened again. */
  readonly until?: "terminal" | undefined;
  /**
   * `none`, the default: every event arrives. `status`: if the link is slow, the gateway leaves statuses out in favour of newer ones;
   * the stages of the folded state may then lack some.
   */
  readonly conflate?: "none" | "status" | undefined;
  /** `tabs` of `telltale-client/tabs`: all tabs of this origin share one connection. The first watch of a connection decides. */
  readonly share?: ChooseTransport | undefined;
  readonly environment?: Environment | undefined;
}

/** The state of the way to the gateway. It says nothing about the analysis. */
export type ConnectionStatus =
  | { readonly status: "connecting" }
  | { readonly status: "live"; readonly transport: TransportName }
  /** `code` and `reason` say why the last connection ended; 1006 for a link that broke. `retryAt` is in milliseconds since 1970. */
  | {
      readonly status: "waiting";
      readonly code: number;
      readonly reason: string;
      readonly retryAt: number;
    }
  /** Final: coming back would not help. */
  | { readonly status: "refused"; readonly code: number; readonly reason: string }
  /** Final: the analysis has ended, and `until: "terminal"` asked for no more. */
  | { readonly status: "finished" }
  /** Final: `close()` was called, or the signal aborted. */
  | { readonly status: "closed" };

/** The same object until something in it changes. */
export interface WatchSnapshot {
  readonly connection: ConnectionStatus;
  /** All events, folded as the gateway folds them. Null until the gateway has said it. */
  readonly analysis: AnalysisState | null;
  /** Whether the worker of the running analysis has been silent for too long. */
  readonly stalled: boolean;
  /** The request to cancel that is in force. */
  readonly cancelRequested: CancelRequest | null;
}

/**
 * One watch of one analysis. Iterating gives every event from now on, once and in order, and first the state. The iteration ends
 * with the watch; it throws `WatchRefused` if the gateway refuses for good. A loop that is left ends a watch that has no
 * other loop and no subscriber.
 */
export interface AnalysisWatch extends AsyncIterable<WatchedEvent> {
  [Symbol.asyncIterator](): AsyncIterableIterator<WatchedEvent>;
  /** Calls `listener` after each change of the snapshot, until the returned function is called. */
  subscribe(listener: () => void): () => void;
  getSnapshot(): WatchSnapshot;
  /**
   * Asks for the end of the analysis; the token needs the scope `analysis:cancel`. Resolves when the gateway has taken the request, and
   * rejects with `CancelRefused` if it does not.
   */
  cancel(reason?: string): Promise<void>;
  /** Comes back now if the watch waits to come back: with all watches of its connection, or by itself if only its analysis was refused for now. */
  retryNow(): void;
  /** Ends the watch. Leaves no timer and no connection behind that another watch does not need. */
  close(): void;
}
