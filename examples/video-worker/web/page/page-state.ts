import { signal } from "@preact/signals";
import {
  analysisId,
  leaveAnalysis,
  now,
  retryNow as retryConnection,
  turnTo,
  watchOnPage,
} from "../../../../src/web/page/watched-analysis.ts";
import { fetchSession, type Session, sendVideo } from "./backend.ts";

export type Sending =
  | { readonly kind: "idle" }
  /** `share` of the file is sent, 0 to 1. */
  | { readonly kind: "sending"; readonly name: string; readonly share: number }
  | { readonly kind: "failed"; readonly reason: string };

export const sending = signal<Sending>({ kind: "idle" });

/** How long the page waits before it asks its own web application again. */
const SESSION_RETRY_MS = 3_000;

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
  retryConnection();
}

function watchFromAddress(): void {
  hurry?.();
  leaveAnalysis();
  const id = location.hash.slice(1);
  if (id !== "") void watchNow(id);
}

async function watchNow(id: string): Promise<void> {
  turnTo(id, { status: "connecting" });
  const session = await sessionFor(id);
  if (session === undefined || analysisId.value !== id) return;
  watchOnPage({ url: session.gateway_url, analysisId: id, token: visitorToken });
}

async function visitorToken(): Promise<string> {
  return (await fetchSession()).token;
}

/** Undefined when the page has turned to another analysis meanwhile. */
async function sessionFor(id: string): Promise<Session | undefined> {
  while (analysisId.value === id) {
    try {
      return await fetchSession();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (analysisId.value !== id) return undefined;
      now.value = Date.now();
      turnTo(id, { status: "waiting", code: 1006, reason, retryAt: now.value + SESSION_RETRY_MS });
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
