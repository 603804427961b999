import { readState } from "../../../client/read-state.ts";
import { runtimeClock } from "../../../client/watched-socket.ts";
import { type AnalysisState, type ConnectionStatus, watchAnalysis } from "../../../client/watcher.ts";
import type { AnalysisEvent } from "../../../domain/analysis-event.ts";
import { emptyState, fold } from "../../../domain/analysis-state.ts";
import type { GatewayAccess } from "../gateway-access.ts";
import { TimeLeft } from "./time-left.ts";
import type { WatchOutput } from "./watch-output.ts";

/** How a watch came to its end. */
export type WatchEnd =
  | { readonly kind: "ended"; readonly status: AnalysisState["status"] }
  | { readonly kind: "refused"; readonly code: number; readonly reason: string }
  /** `signal` was aborted. */
  | { readonly kind: "stopped" };

export interface WatchRequest {
  readonly access: GatewayAccess;
  readonly analysisId: string;
  readonly output: WatchOutput;
  /** Every event that is kept, after `after` if it is given, and none left out; else the state first, and then what is new. */
  readonly whole: { readonly after: string | undefined } | undefined;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Milliseconds that a result has to follow stage `completed`. Default: 5,000. */
  readonly resultWithinMs?: number | undefined;
}

const REDRAW_MS = 1_000;
const RESULT_WITHIN_MS = 5_000;

/**
 * Watches until the current terminal event, or until stage `completed` was the latest for a while: a result may follow it, and
 * need not. It comes back by itself from the last event, for
 * as long as it takes.
 */
export async function watchUntilEnd({
  access,
  analysisId,
  output,
  whole,
  signal,
  resultWithinMs = RESULT_WITHIN_MS,
}: WatchRequest): Promise<WatchEnd> {
  const timeLeft = new TimeLeft();
  const over = Promise.withResolvers<ConnectionStatus>();
  let state = emptyState(analysisId);
  let connection: ConnectionStatus = { kind: "connecting" };
  let awaited: ReturnType<typeof setTimeout> | undefined;
  const awaitResult = ({ status, result }: AnalysisState) => {
    clearTimeout(awaited);
    if (status !== "completed" || result !== null) return;
    awaited = setTimeout(() => over.resolve({ kind: "finished" }), resultWithinMs);
  };
  const shown = () => ({ state, secondsLeft: timeLeft.seconds(Date.now()), connection });
  const become = (next: AnalysisState) => {
    state = next;
    timeLeft.note(state);
    awaitResult(state);
    output.show(shown());
  };
  const watch = watchAnalysis({
    url: access.url,
    analysisId,
    token: access.token,
    ...(whole === undefined
      ? { onState: become, query: { until: "terminal" } }
      : {
          query: { until: "terminal", replay: "all", conflate: "none" },
          ...(whole.after !== undefined && { lastEventId: whole.after }),
        }),
    onEvent(event, text) {
      output.event(event, text);
      // The gateway sends an event as its rules have it, with the type of the event in it.
      if (event.event_type !== "notice") become(fold(state, event as unknown as AnalysisEvent));
    },
    onRestart: () => become(emptyState(analysisId)),
    onConnection(status) {
      connection = status;
      output.show(shown());
      // Resumed behind stage `completed`, it is sent no event.
      if (status.kind === "live" && whole?.after !== undefined && state.status === "unknown")
        void stateOf(access, analysisId).then((now) => state.status === "unknown" && now && awaitResult(now));
      if (["finished", "refused", "closed"].includes(status.kind)) over.resolve(status);
    },
  });
  const stop = () => watch.close();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const redraw = setInterval(() => output.show(shown()), REDRAW_MS);
  try {
    const last = await over.promise;
    if (last.kind === "refused") return last;
    if (last.kind !== "finished") return { kind: "stopped" };
    // A watch that resumed behind the end was sent no event.
    if (state.status === "unknown") state = (await stateOf(access, analysisId)) ?? state;
    return { kind: "ended", status: state.status };
  } finally {
    clearInterval(redraw);
    clearTimeout(awaited);
    watch.close();
    signal.removeEventListener("abort", stop);
    output.end(shown());
  }
}

async function stateOf(
  { url, token }: GatewayAccess,
  analysisId: string,
): Promise<AnalysisState | undefined> {
  const request = { url, analysisId, token: await token(), fetch: globalThis.fetch, clock: runtimeClock };
  return new Promise((resolve) => readState(request, resolve));
}
