import { type WatchOptions, WatchRefused, watch } from "../../../client/sdk.ts";
import { choiceOf } from "../../../client/watch/transport-choice.ts";
import { watchOver } from "../../../client/watch/watch.ts";
import { type AnalysisState, emptyState, hasEnded } from "../../../domain/analysis-state.ts";
import { isNotDeclared } from "../../../domain/close-code.ts";
import type { GatewayAccess } from "../gateway-access.ts";
import { everyEvent } from "./every-event.ts";
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
  /** Milliseconds that somebody has to declare who may watch. Default: 30,000. */
  readonly declaredWithinMs?: number | undefined;
}

const REDRAW_MS = 1_000;
const RESULT_WITHIN_MS = 5_000;
const DECLARED_WITHIN_MS = 30_000;

/**
 * Watches until the current terminal event, or until stage `completed` was the latest for a while: a result may follow it, and
 * need not. It comes back by itself from the last event, for
 * as long as it takes.
 */
export async function watchUntilEnd(request: WatchRequest): Promise<WatchEnd> {
  const { access, analysisId, output, whole, signal } = request;
  const { resultWithinMs = RESULT_WITHIN_MS, declaredWithinMs = DECLARED_WITHIN_MS } = request;
  const over = new AbortController();
  const options = { ...access, analysisId, signal: AbortSignal.any([signal, over.signal]) };
  const every = whole && everyEvent(whole.after);
  const watching = every
    ? watchOver(choiceOf([every.transport]))({ ...options, until: "terminal" })
    : watch({ ...options, until: "terminal", conflate: "status" });
  const timeLeft = new TimeLeft();
  let last: AnalysisState | null = null;
  /** The end that the watch itself does not find. */
  let found: WatchEnd | undefined;
  const find = (end: WatchEnd) => {
    found ??= end;
    over.abort();
  };
  const undeclared = new Countdown(declaredWithinMs);
  const result = new Countdown(resultWithinMs);

  const judge = (state: AnalysisState) => {
    const lacksResult = state.status === "completed" && state.result === null;
    result.run(lacksResult, () => find({ kind: "ended", status: "completed" }));
  };
  const shown = () => {
    const { analysis, connection } = watching.getSnapshot();
    const state = analysis ?? emptyState(analysisId);
    return { state, secondsLeft: timeLeft.seconds(Date.now()), connection };
  };
  const changed = () => {
    const { analysis, connection } = watching.getSnapshot();
    if (connection.status === "waiting" && isNotDeclared(connection)) {
      const { code, reason } = connection;
      undeclared.run(true, () => find({ kind: "refused", code, reason }));
    } else if (connection.status === "live") undeclared.run(false);
    if (analysis !== null && analysis !== last) {
      last = analysis;
      timeLeft.note(analysis);
      judge(analysis);
    }
    output.show(shown());
  };
  const unsubscribe = watching.subscribe(changed);
  const redraw = setInterval(() => output.show(shown()), REDRAW_MS);
  try {
    for await (const event of watching) {
      const text = every?.textOf(event);
      if (text !== undefined) output.event(text);
      if (event.event_type !== "caught_up" || whole?.after === undefined) continue;
      // The events up to `after` are not folded, and the end may be among them.
      const state = await stateOf(options);
      if (state === undefined || state.last_event_id !== shown().state.last_event_id) continue;
      if (hasEnded(state)) find({ kind: "ended", status: state.status });
      else judge(state);
    }
  } catch (error) {
    if (!(error instanceof WatchRefused)) throw error;
    found ??= { kind: "refused", code: error.code, reason: error.message };
  } finally {
    clearInterval(redraw);
    undeclared.run(false);
    result.run(false);
    unsubscribe();
    watching.close();
    output.end(shown());
  }
  const isFinished = watching.getSnapshot().connection.status === "finished";
  return found ?? (isFinished ? { kind: "ended", status: shown().state.status } : { kind: "stopped" });
}

/** The state that the gateway folded of all events; undefined if the watch was stopped before. */
async function stateOf(options: WatchOptions & GatewayAccess): Promise<AnalysisState | undefined> {
  // With a token function of its own it has a connection of its own, which begins with the state.
  const watching = watch({ ...options, token: () => options.token() });
  for await (const event of watching) if (event.event_type === "analysis_state") return event;
  return undefined;
}

/** Runs a task when it was wanted without a break for so long. */
class Countdown {
  readonly #milliseconds: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  run(isWanted: boolean, task?: () => void): void {
    if (isWanted) {
      this.#timer ??= setTimeout(() => task?.(), this.#milliseconds);
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
