/** As much of the WebSocket interface as watching needs: browsers, Bun, Deno, Node and the `ws` package have it. */
export interface SocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: "error", listener: () => void): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** All that watching uses of the world around it. Tests and unusual runtimes pass their own. */
export interface Environment {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once after `milliseconds`, unless the returned function is called before. */
  after(milliseconds: number, task: () => void): () => void;
  /** From 0 up to 1. */
  random(): number;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Undefined if there is none: server-sent events take its place. */
  readonly WebSocket?: SocketConstructor | undefined;
  /** Sends `online`, `visibilitychange`, `pagehide` and `pageshow`: the window of a page. */
  readonly events?: PageEvents | undefined;
  /** Takes what a listener threw. */
  report(fault: unknown): void;
  /** Remembers which transport gets through, for the next page of this tab. To ask for it, and to use it, may throw. */
  readonly storage?: TextStorage | undefined;
}

export type PageEventListener = (event: { readonly type: string }) => void;

interface PageEvents {
  addEventListener(type: string, listener: PageEventListener): void;
  removeEventListener(type: string, listener: PageEventListener): void;
}

export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** The runtime's own. */
export const runtime: Environment = {
  now: Date.now,
  after(milliseconds, task) {
    const timer = setTimeout(task, milliseconds);
    return () => clearTimeout(timer);
  },
  random: Math.random,
  fetch: (url, init) => fetch(url, init),
  report(fault) {
    queueMicrotask(() => {
      throw fault;
    });
  },
  get WebSocket() {
    return globalThis.WebSocket as unknown as SocketConstructor | undefined;
  },
  get events() {
    return globalThis.document && globalThis;
  },
  get storage() {
    return globalThis.document && sessionStorage;
  },
};

/** The address of a gateway as requests use it: `http(s):`, without a slash at its end. */
export function baseOf(url: string): string {
  return url.replace(/^ws/i, "http").replace(/\/+$/, "");
}
