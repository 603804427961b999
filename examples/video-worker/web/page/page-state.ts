import { computed, signal } from "@preact/signals";
import { type AnalysisWatch, type ConnectionStatus, watchAnalysis } from "../../../../src/client/watcher.ts";
import type { AnalysisEvent } from "../../../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../../../src/domain/analysis-state.ts";
import { fetchSession, sendVideo } from "./backend.ts";

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
/** Whether anything on the page changes by time alone. */
export const ticking = computed(
  () => analysis.value?.status === "running" || connection.value.kind === "waiting",
);

let watch: AnalysisWatch | undefined;
let upload: AbortController | undefined;

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

/** The analysis stands in the page's address: a reload, or the visitor's other tab, comes back to it. */
export function followAddress(): void {
  window.addEventListener("hashchange", watchFromAddress);
  watchFromAddress();
}

export function startOver(): void {
  location.hash = "";
}

export function retryNow(): void {
  watch?.retryNow();
}

function watchFromAddress(): void {
  watch?.close();
  watch = undefined;
  const id = location.hash.slice(1);
  analysis.value = undefined;
  analysisId.value = id === "" ? undefined : id;
  if (id !== "") void watchNow(id);
}

async function watchNow(id: string): Promise<void> {
  let session: Awaited<ReturnType<typeof fetchSession>> | undefined;
  connection.value = { kind: "connecting" };
  try {
    session = await fetchSession();
  } catch (error) {
    connection.value = {
      kind: "refused",
      code: 0,
      reason: error instanceof Error ? error.message : String(error),
    };
    return;
  }
  if (analysisId.value !== id) return;
  let state = emptyState(id);
  watch = watchAnalysis({
    url: session.gateway_url,
    analysisId: id,
    token: async () => (await fetchSession()).token,
    onEvent: (event) => {
      if (event.event_type === "notice") return;
      // The gateway lets nothing through that breaks the rules of an event.
      state = fold(state, event as unknown as AnalysisEvent);
      now.value = Date.now();
      analysis.value = state;
    },
    onConnection: (status) => {
      now.value = Date.now();
      connection.value = status;
    },
    onRestart: () => {
      // What is shown stays until the replay comes.
      state = emptyState(id);
    },
  });
}
