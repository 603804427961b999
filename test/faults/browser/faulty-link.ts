import { TcpProxy } from "../../support/tcp-proxy.ts";
import type { Blockable } from "./schedule.ts";

/** The network between one page and its gateway. */
export class FaultyLink {
  readonly #proxy: TcpProxy;
  #blocked: ReadonlySet<Blockable> = new Set();
  #how: "cut" | "swallow" = "cut";

  private constructor(proxy: TcpProxy) {
    this.#proxy = proxy;
    proxy.onData = (connection, direction, bytes) => {
      const kind = direction === "up" ? kindOf(bytes) : undefined;
      if (kind === undefined || !this.#blocked.has(kind)) return;
      if (this.#how === "cut") connection.cut();
      else connection.pause("down");
    };
  }

  static async to(port: number): Promise<FaultyLink> {
    return new FaultyLink(await TcpProxy.start({ host: "127.0.0.1", port }));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#proxy.port}`;
  }

  /** Requests of these kinds do not get through from now on; connections that are open stay open if they are of another kind. */
  block(kinds: readonly Blockable[], how: "cut" | "swallow" = "cut"): void {
    this.#blocked = new Set(kinds);
    this.#how = how;
    for (const connection of this.#proxy.connections) {
      if (kinds.some((kind) => kindOf(connection.opening) === kind)) connection.cut();
    }
  }

  freeze(way: "up" | "down" | "both"): void {
    this.#proxy.pause(way === "both" ? undefined : way);
  }

  thaw(): void {
    this.#proxy.resume();
  }

  refuse(isOn: boolean): void {
    this.#proxy.refuse(isOn);
    if (isOn) this.#proxy.cut();
  }

  cut(): void {
    this.#proxy.cut();
  }

  /** Nothing comes through those that are open now any more, though they stay open. */
  kill(): void {
    for (const connection of this.#proxy.connections) {
      connection.lose("up", true);
      connection.lose("down", true);
    }
  }

  stop(): Promise<void> {
    return this.#proxy.stop();
  }
}

/** Browsers send the head of a request in one piece, and none before the answer to the last. */
function kindOf(bytes: Uint8Array | string): Blockable | undefined {
  const head = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
  if (!head.startsWith("GET ")) return undefined;
  if (/^upgrade: websocket/im.test(head)) return "websocket";
  // A network that passes on nothing but whole answers lets streams through that end with the first news.
  return /^GET \S*\/v1\/events\?(?!.*&wait=)/.test(head) ? "sse" : undefined;
}
