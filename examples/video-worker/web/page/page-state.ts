import { computed, signal } from "@preact/signals";
import { type AnalysisWatch, type ConnectionStatus, watchAnalysis } from "../../../../src/client/watcher.ts";
import type { AnalysisEvent } from "../../../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold, isEnd } from "../../../../src/domain/analysis-state.ts";
import { gatewayTrouble, hearingOfBroker } from "../../../../src/web/words/gateway-trouble.ts";
import { fetchSession, type Session, sendVideo } from "./backend.ts";

export type Sending =
  | { readonly kind: "idle" }
  /** `share` of the file is sent, 0 to 1. */
  | { readonly kind: "sending"; readonly name: string; readonly share: number }
  | { readonly kind: "failed"; readonly reason: string };

export const sending = signal<Sending>({ kind: "idle" });
export const analysisId = signal<string | undefined>(undefined);
/** Undefined until the gateway has said how the analysis is doing. */
export const analysis = signal<AnalysisState | undefined>(undefined);
export const connection = signal<ConnectionStatus>({ kind: "closed" });
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
export const over = computed(() => isEnd(analysis.value?.status ?? "unknown"));
/** Whether work is seen to go on: connected, under way, and not silent for too long. */
export const moving = computed(
  () =>
    connection.value.kind === "live" && trouble.value === undefined && analysis.value?.status === "running",
);
/** Whether anything on the page changes by time alone. */
export const ticking = computed(
  () => (analysis.value !== undefined && !over.value) || connection.value.kind === "waiting",
);

/** How long the page waits before it asks its own web application again. */
const SESSION_RETRY_MS = 3_000;
/** The code of a link that ended without one. */
const LINK_BROKEN = 1006;

let watch: AnalysisWatch | undefined;
let upload: AbortController | undefined;
/** Ends the pause before the next attempt to get a session. */
let hurry: (() => void) | undefined;

/** Sends the file and watches its analysis. */
export async function check(file: File): Promise<void> {
  upload?.abort();
  const mine = new AbortController();
  upload = mine;
  sending.value = { kind: "sending", name: file.name, share: 0 };
  const tell = (state: Sending) => {
    if (upload === mine) sending.value = state;
  };
  try {
    const { most_bytes: mostBytes } = await fetchSession();
    if (file.size > mostBytes) {
      throw new Error(`The file is larger than ${Math.floor(mostBytes / 1e6)} MB.`);
    }
    const id = await sendVideo(
      file,
      (share) => tell({ kind: "sending", name: file.name, share }),
      mine.signal,
    );
    tell({ kind: "idle" });
    if (upload === mine) location.hash = id;
  } catch (error) {
    tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
}

export function callOff(): void {
  upload?.abort();
  upload = undefined;
  sending.value = { kind: "idle" };
}

/** The page's address names the analysis: a reload, or the visitor's other tab, comes back to it. */
export function followAddress(): void {
  window.addEventListener("hashchange", watchFromAddress);
  watchFromAddress();
}

export function startOver(): void {
  location.hash = "";
}

export function retryNow(): void {
  hurry?.();
  watch?.retryNow();
}

function watchFromAddress(): void {
  watch?.close();
  watch = undefined;
  hurry?.();
  const id = location.hash.slice(1);
  analysis.value = undefined;
  lostAt.value = undefined;
  brokerAwaySince.value = undefined;
  analysisId.value = id === "" ? undefined : id;
  if (id !== "") void watchNow(id);
}

async function watchNow(id: string): Promise<void> {
  connection.value = { kind: "connecting" };
  const session = await sessionFor(id);
  if (session === undefined || analysisId.value !== id) return;
  let state = emptyState(id);
  watch = watchAnalysis({
    url: session.gateway_url,
    analysisId: id,
    token: async () => (await fetchSession()).token,
    onState: (read) => {
      state = read;
      show(read.status === "unknown" ? undefined : read);
    },
    onEvent: (event) => {
      if (event.event_type === "notice") return;
      // The gateway lets nothing through that breaks the rules of an event.
      heardOfBroker(false);
      state = fold(state, event as unknown as AnalysisEvent);
      show(state);
    },
    fetch: hearingOfBroker((url, init) => fetch(url, init), heardOfBroker),
    onConnection: (status) => {
      now.value = Date.now();
      // A link that broke says that the gateway is gone, whatever it said before.
      if (status.kind === "waiting" && status.code === LINK_BROKEN) heardOfBroker(false);
      if (status.kind === "live") lostAt.value = undefined;
      else if (connection.value.kind === "live") lostAt.value = now.value;
      connection.value = status;
    },
    onRestart: () => {
      // The page shows the old state until the new one comes.
      state = emptyState(id);
    },
  });
}

/** Undefined when the page has turned to another analysis meanwhile. */
async function sessionFor(id: string): Promise<Session | undefined> {
  while (analysisId.value === id) {
    try {
      return await fetchSession();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (analysisId.value !== id) return undefined;
      connection.value = { kind: "waiting", retryInMs: SESSION_RETRY_MS, code: 0, reason };
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, SESSION_RETRY_MS);
        hurry = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
  return undefined;
}

function heardOfBroker(away: boolean): void {
  brokerAwaySince.value = away ? (brokerAwaySince.value ?? Date.now()) : undefined;
}

function show(state: AnalysisState | undefined): void {
  now.value = Date.now();
  analysis.value = state;
}
