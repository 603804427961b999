import { computed, effect, signal } from "@preact/signals";
import {
  type AnalysisWatch,
  type ConnectionStatus,
  type TokenSource,
  type WatchedEvent,
  WatchRefused,
  type WatchSnapshot,
  watch,
} from "../../client/sdk.ts";
import { isEnd } from "../../domain/analysis-state.ts";
import { type GatewayTrouble, gatewayTrouble } from "../words/gateway-trouble.ts";
import { isBrokerAway } from "./broker-question.ts";

/** The analysis that a page watches, as signals for its views. All of it comes from the snapshot of one watch. */

const NOTHING: WatchSnapshot = {
  connection: { status: "closed" },
  analysis: null,
  stalled: false,
  cancelRequested: null,
};
/** An analysis just started has said nothing yet: only one that is silent for so long is called unknown. */
const SILENCE_MEANS_UNKNOWN_MS = 1_200;

const snapshot = signal(NOTHING);
/** When the link was lost, in milliseconds since 1970; undefined while there is one, or never was. */
const lostAt = signal<number | undefined>(undefined);

export const analysisId = signal<string | undefined>(undefined);
/** In milliseconds since 1970, as long as it matters. */
export const now = signal(Date.now());
export const connection = computed(() => snapshot.value.connection);
/** Undefined until the gateway has said how the analysis is doing, and while nothing is known of it. */
export const analysis = computed(() => {
  const state = snapshot.value.analysis;
  return state === null || state.status === "unknown" ? undefined : state;
});
/** Nothing is known of the analysis. */
export const unknown = signal(false);
/** Why nothing comes, as far as the page has been told; it stays while the page tries to connect. */
export const trouble = signal<GatewayTrouble | undefined>(undefined);
/** The time up to which the page has news: the times that it shows must not go on counting without news. */
export const asOf = computed(() => lostAt.value ?? now.value);
/** Whether the analysis has ended, as far as the page knows. */
export const over = computed(() => isEnd(analysis.value?.status ?? "unknown"));
/** Whether work is seen to go on: connected, under way, and not silent for too long. */
export const moving = computed(
  () => connection.value.status === "live" && analysis.value?.status === "running",
);
/** Whether anything on the page changes by time alone. */
const ticking = computed(
  () => (analysis.value !== undefined && !over.value) || connection.value.status === "waiting",
);
const isSilent = computed(() => snapshot.value.analysis?.status === "unknown");

let watching: AnalysisWatch | undefined;

interface PageWatch {
  readonly url: string;
  readonly analysisId: string;
  readonly token: TokenSource;
  /** Called with each event as it comes, once and in order. */
  readonly onEvent?: (event: WatchedEvent) => void;
}

/** Turns to an analysis before the page can watch it, and shows this connection meanwhile. */
export function turnTo(id: string, status: ConnectionStatus): void {
  if (analysisId.peek() !== id) leaveAnalysis();
  analysisId.value = id;
  trouble.value = gatewayTrouble(status);
  snapshot.value = { ...NOTHING, connection: status };
}

/** Watches this analysis from now on, and no other any more. */
export function watchOnPage(asked: PageWatch): void {
  const { onEvent, ...options } = asked;
  leaveAnalysis();
  analysisId.value = options.analysisId;
  const mine = watch(options);
  watching = mine;
  const take = () => {
    const next = mine.getSnapshot();
    const wasLive = connection.peek().status === "live";
    now.value = Date.now();
    if (next.connection.status === "live") lostAt.value = undefined;
    else if (wasLive) lostAt.value = now.value;
    if (next.connection.status !== "connecting") judge(next.connection);
    snapshot.value = next;
  };
  const judge = (status: ConnectionStatus) => {
    const next = gatewayTrouble(status);
    // The gateway has said before what keeps it busy.
    if (next === "busy" && trouble.peek() === "broker_away") return;
    trouble.value = next;
    if (next !== "busy") return;
    void isBrokerAway(asked).then((isAway) => {
      if (isAway && watching === mine && trouble.peek() === "busy") trouble.value = "broker_away";
    });
  };
  take();
  mine.subscribe(take);
  if (onEvent !== undefined) void passOn(mine, onEvent);
}

/** Watches nothing any more. */
export function leaveAnalysis(): void {
  const left = watching;
  watching = undefined;
  left?.close();
  analysisId.value = undefined;
  lostAt.value = undefined;
  trouble.value = undefined;
  snapshot.value = NOTHING;
}

export function retryNow(): void {
  watching?.retryNow();
}

/** Asks for the end of the analysis. Rejects with `CancelRefused` if the gateway does not take the request, or does not answer. */
export async function cancelWatched(): Promise<void> {
  await watching?.cancel();
}

/** Keeps the signals up to date that change by time alone. Call it once. */
export function followTime(): void {
  effect(() => {
    if (!ticking.value) return;
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 250);
    return () => clearInterval(timer);
  });
  effect(() => {
    unknown.value = false;
    if (!isSilent.value) return;
    const timer = setTimeout(() => {
      unknown.value = true;
    }, SILENCE_MEANS_UNKNOWN_MS);
    return () => clearTimeout(timer);
  });
}

async function passOn(mine: AnalysisWatch, onEvent: (event: WatchedEvent) => void): Promise<void> {
  try {
    for await (const event of mine) if (watching === mine) onEvent(event);
  } catch (error) {
    // The snapshot says it to the views.
    if (!(error instanceof WatchRefused)) throw error;
  }
}
