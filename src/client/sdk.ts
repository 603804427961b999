// The bundle of modules in this order is smaller, and its size is limited.
import { watchOver } from "./watch/watch.ts";

export { WatchRefused } from "./watch/watch.ts";

import { eventStream, longPoll } from "./watch/event-stream-transport.ts";
import { CancelRefused, withCancel } from "./watch/request-cancel.ts";
import { choiceOf } from "./watch/transport-choice.ts";
import type { AnalysisWatch, WatchOptions } from "./watch/watch-options.ts";
import { webSocket } from "./watch/web-socket-transport.ts";

export type {
  DataResult,
  ErrorEvent,
  Notice,
  ResultUpdate,
  StatusUpdate,
  SuspiciousRegion,
} from "../domain/analysis-event.ts";
export type { AnalysisState, AnalysisStatus } from "../domain/analysis-state.ts";
export type { CancelRequest } from "../domain/cancel-request.ts";
export type { Environment } from "./watch/environment.ts";
export type {
  AnalysisWatch,
  ConnectionStatus,
  TokenSource,
  WatchOptions,
  WatchSnapshot,
} from "./watch/watch-options.ts";
export type { WatchedEvent } from "./watch/watched-events.ts";
export { CancelRefused };

/**
 * Watches one analysis, from now on, over whatever gets through: a WebSocket, server-sent events, or reads that wait. It comes back by
 * itself and goes on after the last event. All watches of a page that have the same `url` and `token` share one connection.
 */
export function watch(options: WatchOptions): AnalysisWatch {
  return withCancel(bareWatch(options), options);
}

const bareWatch = watchOver(choiceOf([webSocket, eventStream, longPoll]));
