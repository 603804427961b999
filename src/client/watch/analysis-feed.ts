import type { AnalysisState } from "../../domain/analysis-state.ts";
import { afterFrame } from "./after-frame.ts";
import type { Environment } from "./environment.ts";
import { backoff } from "./retry-plan.ts";
import type { SharedConnection, Watcher } from "./shared-connection.ts";
import { snapshotOf } from "./snapshot.ts";
import type { ConnectionStatus, WatchSnapshot } from "./watch-options.ts";
import type { WatchedEvent } from "./watched-events.ts";

/** Called after each change, with the event that made it, if one did. */
export type FeedListener = (event?: WatchedEvent) => void;

/** One analysis on a shared connection, for all watches of it. */
export interface AnalysisFeed extends Watcher {
  readonly snapshot: WatchSnapshot;
  /** Whether everything that had happened when it last connected was delivered. */
  readonly isCaughtUp: boolean;
  /** Comes back now if it waits, with the others of its connection or by itself. */
  retryNow(): void;
  /** Watches until the returned function is called. */
  attach(listener: FeedListener): () => void;
}

export const INITIAL_SNAPSHOT = snapshotOf({ status: "connecting" }, null);

/** The refusals that another attempt does not cure, with the close codes that say the same. */
const FINAL: Readonly<Record<string, number>> = { not_an_analysis_id: 4004, not_allowed: 4003 };

export function openFeed(
  analysisId: string,
  connection: SharedConnection<AnalysisFeed>,
  environment: Environment,
): AnalysisFeed {
  const listeners = new Set<FeedListener>();
  let snapshot = INITIAL_SNAPSHOT;
  let shared = snapshot.connection;
  let isCaughtUp = false;
  let refusals = 0;
  let stopRetry = () => {};

  const change = (connection: ConnectionStatus, event?: WatchedEvent, analysis = snapshot.analysis) => {
    snapshot = snapshotOf(connection, analysis);
    // It would be refused again.
    if ((connection as { readonly reason?: string }).reason === "position_gone") feed.position = undefined;
    for (const listener of [...listeners]) listener(event);
  };
  const askAgain = () => {
    stopRetry();
    connection.renew(feed);
    change({ status: "connecting" });
  };
  const refused = (refusal: string) => {
    isCaughtUp = false;
    const code = FINAL[refusal];
    if (code !== undefined) return change({ status: "refused", code, reason: refusal });
    const inMs = backoff(refusals++, environment.random);
    stopRetry();
    stopRetry = environment.after(inMs, askAgain);
    const retryAt = environment.now() + inMs;
    change({ status: "waiting", code: 4003, reason: refusal, retryAt });
  };

  const feed: AnalysisFeed = {
    analysisId,
    position: undefined,
    connectionChanged(status) {
      stopRetry();
      isCaughtUp = false;
      shared = status;
      change(status);
    },
    took(frame) {
      const { event_type: type } = frame;
      const event = frame as unknown as WatchedEvent;
      const { analysis } = snapshot;
      if (type === "notice") return change(snapshot.connection, event);
      if (type === "subscription_refused") return refused(frame.code as string);
      stopRetry();
      refusals = 0;
      if (type === "subscribed" || type === "connection_established") {
        // The state so far is void, and shown until the one comes that takes its place.
        if (frame.resumed === false) feed.position = undefined;
        if (snapshot.connection !== shared) change(shared);
      } else if (type === "analysis_state") {
        const { event_type: _, ...state } = frame;
        isCaughtUp = false;
        feed.position = state.last_event_id as string;
        change(shared, event, state as unknown as AnalysisState);
      } else if (feed.position !== undefined && analysis) {
        // A stream that begins anew, for an analysis beside this one, goes on where it was.
        if (type === "caught_up" && isCaughtUp) return;
        isCaughtUp ||= type === "caught_up";
        const next = afterFrame(analysis, frame);
        feed.position = next?.last_event_id ?? feed.position;
        if (next) change(shared, event, next);
      }
    },
    get snapshot() {
      return snapshot;
    },
    get isCaughtUp() {
      return isCaughtUp;
    },
    retryNow() {
      if (snapshot.connection === shared) connection.retryNow();
      else if (snapshot.connection.status === "waiting") askAgain();
    },
    attach(listener) {
      listeners.add(listener);
      if (listeners.size === 1) connection.add(feed);
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        stopRetry();
        connection.remove(feed);
      };
    },
  };
  return feed;
}
