import { computed, signal } from "@preact/signals";
import type { WatchedEvent } from "../../client/sdk.ts";
import { analysis, analysisId, watchOnPage } from "../page/watched-analysis.ts";
import { fetchSession, type Outcome, type Session, startAnalysis } from "./demo-backend.ts";
import { clearLog, logEvent, logHistory } from "./logged-events.ts";

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

export const notice = signal<Notice | undefined>(undefined);
export const starting = signal<Starting>({ kind: "ready" });
/** The visitor's newest session. */
export const session = signal<Session | undefined>(undefined);
/** The analysis that this page has started. */
const startedHere = signal<string | undefined>(undefined);

/** Whether somebody looks at a video here, as far as the page can see. Any other analysis is shown without one. */
export const isVideo = computed(() => {
  const state = analysis.value;
  return (
    startedHere.value === analysisId.value ||
    state?.result?.event_type === "result_update" ||
    state?.stages.some(({ stage }) => stage === "frame_extraction") === true
  );
});

/** Starts an analysis and watches it; the page's address becomes a link to it. */
export async function start(outcome: Outcome): Promise<void> {
  starting.value = { kind: "starting" };
  try {
    const id = await startAnalysis(outcome);
    history.replaceState(null, "", `?analysis=${id}`);
    startedHere.value = id;
    watchNow(id);
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

/** A token of the visitor: one function, so that all watches of the page share a connection. */
export async function visitorToken(): Promise<string> {
  session.value = await fetchSession();
  return session.value.token;
}

/** Where the gateway is: this page's own folder. */
export function gatewayUrl(): string {
  return new URL(".", location.href).href;
}

function watchNow(id: string): void {
  clearLog();
  notice.value = undefined;
  watchOnPage({ url: gatewayUrl(), analysisId: id, token: visitorToken, onEvent });
}

function onEvent(event: WatchedEvent): void {
  if (event.event_type === "analysis_state") void logHistory(event);
  if (event.event_type === "notice") notice.value = { level: event.level, message: event.message };
  if ("event_id" in event) logEvent(event);
}
