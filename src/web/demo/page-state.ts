import { computed, signal } from "@preact/signals";
import {
  type AnalysisState,
  type AnalysisWatch,
  type ConnectionStatus,
  type WatchedEvent,
  watchAnalysis,
} from "../../client/watcher.ts";
import type { AnalysisEvent } from "../../domain/analysis-event.ts";
import { emptyState } from "../../domain/analysis-state.ts";
import { gatewayTrouble, hearingOfBroker } from "../words/gateway-trouble.ts";
import { type AnalysisView, FoldedAnalysis, isOver } from "./analysis-view.ts";
import { fetchSession, type Outcome, type Session, startAnalysis } from "./demo-backend.ts";

/** One event as it came, for the list of raw events. */
interface LoggedEvent {
  readonly key: number;
  readonly eventId: string;
  readonly eventType: string;
  readonly receivedAt: number;
  readonly text: string;
}

export interface Notice {
  readonly level: string;
  readonly message: string;
}

/** How starting an analysis goes. */
export type Starting =
  | { readonly kind: "ready" }
  | { readonly kind: "starting" }
  /** `reason` is a sentence. */
  | { readonly kind: "failed"; readonly reason: string };

const MOST_LOGGED = 200;
/** The code of a link that ended without one. */
const LINK_BROKEN = 1006;
/** An analysis just started has said nothing yet: only one that is silent for so long is called unknown. */
const SILENCE_MEANS_UNKNOWN_MS = 1_200;

export const analysisId = signal<string | undefined>(undefined);
export const view = signal<AnalysisView | undefined>(undefined);
export const connection = signal<ConnectionStatus>({ kind: "closed" });
/** When the connection last changed, in milliseconds since 1970: what "in 5 s" counts from. */
export const connectionSince = signal(0);
export const log = signal<readonly LoggedEvent[]>([]);
export const heard = signal(0);
export const notice = signal<Notice | undefined>(undefined);
export const starting = signal<Starting>({ kind: "ready" });
/** Nothing is known of the analysis. */
export const unknown = signal(false);
/** The visitor's newest session. */
export const session = signal<Session | undefined>(undefined);
export const now = signal(Date.now());

/** When the link was lost, in milliseconds since 1970; undefined while there is one, or never was. */
const lostAt = signal<number | undefined>(undefined);
/** Since when the gateway says that its broker is away, in milliseconds since 1970; undefined if it does not. */
const brokerAwaySince = signal<number | undefined>(undefined);
/** Why nothing comes, as far as the page has been told. */
export const trouble = computed(() => gatewayTrouble(connection.value, brokerAwaySince.value !== undefined));
/** The time up to which the page has news: the times that it shows must not go on counting without news. */
export const asOf = computed(() => lostAt.value ?? brokerAwaySince.value ?? now.value);
/** Whether the analysis has ended, as far as the page knows. */
export const over = computed(() => view.value !== undefined && isOver(view.value));
/** Whether work is seen to go on: connected, under way, and not silent for too long. */
export const moving = computed(
  () => connection.value.kind === "live" && trouble.value === undefined && view.value?.status === "running",
);
/** Whether anything on the page changes by time alone. */
export const ticking = computed(
  () => (view.value !== undefined && !over.value) || connection.value.kind === "waiting",
);

let watch: AnalysisWatch | undefined;
let folded: FoldedAnalysis | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Starts an analysis and watches it; the page's address becomes a link to it. */
export async function start(outcome: Outcome): Promise<void> {
  starting.value = { kind: "starting" };
  try {
    const id = await startAnalysis(outcome);
    history.replaceState(null, "", `?analysis=${id}`);
    // Nothing came before what this page has started: a state that is read first would only cost time.
    watchNow(id, "0");
    starting.value = { kind: "ready" };
  } catch (error) {
    starting.value = { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Watches the analysis that the page's address names, if it names one. */
export function watchFromAddress(): void {
  const id = new URLSearchParams(location.search).get("analysis");
  if (id !== null && id !== "") watchNow(id);
}

export function retryNow(): void {
  watch?.retryNow();
}

function watchNow(id: string, lastEventId?: string): void {
  watch?.close();
  clearTimeout(silence);
  folded = new FoldedAnalysis(id);
  if (lastEventId === "0") folded.seed(emptyState(id));
  analysisId.value = id;
  view.value = undefined;
  unknown.value = false;
  lostAt.value = undefined;
  brokerAwaySince.value = undefined;
  log.value = [];
  heard.value = 0;
  notice.value = undefined;
  watch = watchAnalysis({
    url: new URL(".", location.href).href,
    analysisId: id,
    token: async () => {
      session.value = await fetchSession();
      return session.value.token;
    },
    ...(lastEventId !== undefined && { lastEventId }),
    onState,
    onEvent,
    fetch: hearingOfBroker((url, init) => fetch(url, init), heardOfBroker),
    onConnection: (status) => {
      now.value = Date.now();
      // A link that broke says that the gateway is gone, whatever it said before.
      if (status.kind === "waiting" && status.code === LINK_BROKEN) heardOfBroker(false);
      if (status.kind === "live") lostAt.value = undefined;
      else if (connection.value.kind === "live") lostAt.value = now.value;
      connection.value = status;
      connectionSince.value = now.value;
      if (status.kind === "live" && view.value === undefined && !unknown.value) expectNews();
    },
    // The page shows the old state until a state or a replay comes, so that nothing flickers if the history survived.
    onRestart: () => folded?.restart(),
  });
}

function heardOfBroker(away: boolean): void {
  brokerAwaySince.value = away ? (brokerAwaySince.value ?? Date.now()) : undefined;
}

function expectNews(): void {
  clearTimeout(silence);
  silence = setTimeout(() => {
    view.value = undefined;
    unknown.value = true;
  }, SILENCE_MEANS_UNKNOWN_MS);
}

function onState(state: AnalysisState): void {
  clearTimeout(silence);
  now.value = Date.now();
  const seeded = folded?.seed(state);
  if (seeded === undefined) {
    expectNews();
    return;
  }
  view.value = seeded;
  unknown.value = false;
}

function onEvent(event: WatchedEvent, text: string): void {
  heard.value += 1;
  const entry = {
    key: heard.value,
    eventId: event.event_id,
    eventType: event.event_type,
    receivedAt: Date.now(),
    text,
  };
  log.value = [entry, ...log.value].slice(0, MOST_LOGGED);
  if (event.event_type === "notice") {
    notice.value = { level: String(event.level ?? "info"), message: String(event.message ?? "") };
    return;
  }
  clearTimeout(silence);
  heardOfBroker(false);
  unknown.value = false;
  now.value = Date.now();
  // The gateway lets nothing through that breaks the rules of an event.
  if (folded !== undefined) view.value = folded.take(event as unknown as AnalysisEvent);
}
