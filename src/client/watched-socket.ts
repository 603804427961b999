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
export function watchAddress(
  url: string,
  analysisId: string,
  query: Readonly<Record<string, string | undefined>>,
): string {
  const base = url.replace(/^http/i, "ws").replace(/\/+$/, "");
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  const search = given.length === 0 ? "" : `?${given.join("&")}`;
  return `${base}/ws/analysis/${encodeURIComponent(analysisId)}${search}`;
}

export function subprotocols(token: string): string[] {
  return ["telltale.v1", `bearer.${token}`];
}

/** The runtime's own WebSocket. Throws if there is none, and names the option to use. */
export function runtimeSocket(): WatchedSocketConstructor {
  const Socket: unknown = globalThis.WebSocket;
  if (typeof Socket === "function") return Socket as unknown as WatchedSocketConstructor;
  throw new TypeError(
    "this runtime has no WebSocket: pass one as the option webSocket, as that of the package ws (Node has its own from 22 on)",
  );
}

export interface KeepAlive {
  readonly socket: WatchedSocket;
  readonly clock: WatcherClock;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** When the server was last heard, in milliseconds. */
  readonly lastHeard: () => number;
  readonly onSilent: () => void;
}

/** Pings every interval, and gives the link up when nothing was heard for the timeout. */
export function keepAlive(link: KeepAlive): () => void {
  const { socket, clock, intervalMs, timeoutMs, lastHeard, onSilent } = link;
  let stopPing = () => {};
  let stopDeadline = () => {};
  const ping = () => {
    stopPing = clock.after(intervalMs, ping);
    socket.send('{"type":"ping"}');
  };
  const checkDeadline = () => {
    const left = lastHeard() + timeoutMs - clock.now();
    if (left > 0) stopDeadline = clock.after(left, checkDeadline);
    else onSilent();
  };
  stopPing = clock.after(intervalMs, ping);
  stopDeadline = clock.after(timeoutMs, checkDeadline);
  return () => {
    stopPing();
    stopDeadline();
  };
}
