import type { AnalysisState } from "../domain/analysis-state.ts";
import type { WatcherClock } from "./watched-socket.ts";

export type StateFetch = (url: string, init: RequestInit) => Promise<Response>;

export interface StateRequest {
  /** Address of the gateway, `http(s):` or `ws(s):`, with any path prefix. */
  readonly url: string;
  readonly analysisId: string;
  readonly token: string;
  readonly fetch: StateFetch;
  readonly clock: WatcherClock;
}

/** A state that is not there by then is not waited for. */
const READ_TIMEOUT_MS = 10_000;

/**
 * Reads the folded state of an analysis. Calls `done` once, with undefined if there is no answer within ten seconds,
 * a refusal, or anything else that is no state; never after the returned function was called.
 */
export function readState(
  request: StateRequest,
  done: (state: AnalysisState | undefined) => void,
): () => void {
  const abort = new AbortController();
  let settled = false;
  const settle = (state: AnalysisState | undefined) => {
    if (settled) return;
    cancel();
    done(state);
  };
  const stopTimer = request.clock.after(READ_TIMEOUT_MS, () => settle(undefined));
  const cancel = () => {
    settled = true;
    stopTimer();
    abort.abort();
  };
  ask(request, abort.signal).then(settle, () => settle(undefined));
  return cancel;
}

async function ask(
  { url, analysisId, token, fetch }: StateRequest,
  signal: AbortSignal,
): Promise<AnalysisState | undefined> {
  const base = url.replace(/^ws/i, "http").replace(/\/+$/, "");
  const response = await fetch(`${base}/v1/analyses/${encodeURIComponent(analysisId)}`, {
    headers: { Authorization: `Bearer ${token}` },
    // A redirect would take the token elsewhere.
    redirect: "error",
    signal,
  });
  if (response.status !== 200) return undefined;
  const body: unknown = await response.json();
  return isState(body) ? body : undefined;
}

function isState(body: unknown): body is AnalysisState {
  if (typeof body !== "object" || body === null) return false;
  const { status, stages, last_event_id } = body as Record<string, unknown>;
  return typeof status === "string" && typeof last_event_id === "string" && Array.isArray(stages);
}
