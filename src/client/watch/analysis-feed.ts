import type { AnalysisState } from "../../domain/analysis-state.ts";
import { afterFrame } from "./after-frame.ts";
import type { Environment } from "./environment.ts";
import { backoff } from "./retry-plan.ts";
import type { SharedConnection, Watcher } from "./shared-connection.ts";
import type { ConnectionStatus, WatchSnapshot } from "./watch-options.ts";
import type { WatchedEvent } from "./watched-events.ts";

/** Called after each change, with the event that made it, if one did. */
export type FeedListener = (event?: WatchedEvent) => void;

/** One analysis on a shared connection, for all watches of it. */
export interface AnalysisFeed {
  readonly snapshot: WatchSnapshot;
  /** Whether everything that had happened when it last connected was delivered. */
  readonly isCaughtUp: boolean;
  /** Watches until the returned function is called. */
  attach(listener: FeedListener): () => void;
}

export const INITIAL_SNAPSHOT: WatchSnapshot = {
  connection: { status: "connecting" },
  analysis: null,
  stalled: false,
  cancelRequested: null,
};

/** The refusals that another attempt does not cure, with the close codes that say the same. */
const FINAL: Readonly<Record<string, number>> = { not_an_analysis_id: 4004, not_allowed: 4003 };

export function openFeed(
  analysisId: string,
  connection: SharedConnection,
  environment: Environment,
  onIdle: () => void,
): AnalysisFeed {
  const listeners = new Set<FeedListener>();
  let snapshot = INITIAL_SNAPSHOT;
  let shared = snapshot.connection;
  let isCaughtUp = false;
  let refusals = 0;
  let stopRetry = () => {};

  const change = (connection: ConnectionStatus, analysis: AnalysisState | null, event?: WatchedEvent) => {
    snapshot = {
      connection,
      analysis,
      stalled: analysis?.status === "stalled",
      cancelRequested: analysis?.cancel_requested ?? null,
    };
    const { reason } = connection as { readonly reason?: string };
    // It would be refused again.
    if (reason === "position_gone") watcher.position = undefined;
    for (const listener of [...listeners]) listener(event);
  };
  const refused = (refusal: string) => {
    isCaughtUp = false;
    const code = FINAL[refusal];
    if (code !== undefined) return change({ status: "refused", code, reason: refusal }, snapshot.analysis);
    const inMs = backoff(refusals++, environment.random);
    stopRetry();
    stopRetry = environment.after(inMs, () => connection.renew(watcher));
    const retryAt = environment.now() + inMs;
    change({ status: "waiting", code: 4003, reason: refusal, retryAt }, snapshot.analysis);
  };

  const watcher: Watcher = {
    analysisId,
    position: undefined,
    connectionChanged(status) {
      stopRetry();
      isCaughtUp = false;
      shared = status;
      change(status, snapshot.analysis);
    },
    took(frame) {
      const { event_type: type } = frame;
      const event = frame as unknown as WatchedEvent;
      const { analysis } = snapshot;
      if (type === "notice") return change(snapshot.connection, analysis, event);
      if (type === "subscription_refused") return refused(frame.code as string);
      stopRetry();
      refusals = 0;
      if (type === "subscribed" || type === "connection_established") {
        // The state so far is void, and shown until the one comes that takes its place.
        if (frame.resumed === false) watcher.position = undefined;
        if (snapshot.connection !== shared) change(shared, analysis);
      } else if (type === "analysis_state") {
        const { event_type: _, ...state } = frame;
        isCaughtUp = false;
        watcher.position = state.last_event_id as string;
        change(shared, state as unknown as AnalysisState, event);
      } else if (watcher.position !== undefined && analysis) {
        // A stream that begins anew, for an analysis beside this one, goes on where it was.
        if (type === "caught_up" && isCaughtUp) return;
        isCaughtUp ||= type === "caught_up";
        const next = afterFrame(analysis, frame);
        watcher.position = next?.last_event_id ?? watcher.position;
        if (next) change(shared, next, event);
      }
    },
  };

  return {
    get snapshot() {
      return snapshot;
    },
    get isCaughtUp() {
      return isCaughtUp;
    },
    attach(listener) {
      listeners.add(listener);
      if (listeners.size === 1) connection.add(watcher);
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        stopRetry();
        connection.remove(watcher);
        onIdle();
      };
    },
  };
}
