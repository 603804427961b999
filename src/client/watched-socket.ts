/** As much of the WebSocket interface as watching needs: browsers, Bun, Deno, Node and the `ws` package have it. */
export interface WatchedSocket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: "error", listener: () => void): void;
}

export type WatchedSocketConstructor = new (url: string, protocols: string[]) => WatchedSocket;

/** Timers and time in milliseconds; pass another for tests. */
export interface WatcherClock {
  now(): number;
  /** Runs `task` once after `milliseconds`, unless the returned function is called before. */
  after(milliseconds: number, task: () => void): () => void;
}

export const runtimeClock: WatcherClock = {
  now: () => Date.now(),
  after: (milliseconds, task) => {
    const timer = setTimeout(task, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** `http:` becomes `ws:`; the token never goes into the address, since proxies log it. */
export function watchAddress(url: string, analysisId: string, lastEventId: string | undefined): string {
  const base = url.replace(/^http/i, "ws").replace(/\/+$/, "");
  const query = lastEventId === undefined ? "" : `?last_event_id=${encodeURIComponent(lastEventId)}`;
  return `${base}/ws/analysis/${encodeURIComponent(analysisId)}${query}`;
}

export function subprotocols(token: string): string[] {
  return ["telltale.v1", `bearer.${token}`];
}
