import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";

/** `up`: from the client to the server. `down`: from the server to the client. */
export type Direction = "up" | "down";

/** One connection through a `TcpProxy`. */
export interface ProxiedConnection {
  /** The first bytes that the client sent, at most 16 KiB, as text: by them a test tells connections apart. */
  readonly opening: string;
  /** From now on nothing gets through that way, not even the end of the stream; it waits here. Both without a name. */
  pause(direction?: Direction): void;
  /** The bytes that wait go on, in order. */
  resume(direction?: Direction): void;
  /** While `on`, what is sent that way is lost without a trace. */
  lose(direction: Direction, on: boolean): void;
  /** Ends both sides at once. The bytes that wait are gone. */
  cut(): void;
}

/** A network between a client and a server on loopback, at the mercy of a test. */
export class TcpProxy {
  readonly host: string;
  #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #open = new Set<Relay>();
  readonly #paused = new Set<Direction>();
  #refusing = false;
  /** Told of every piece that a peer sent, before it is passed on. */
  onData: (connection: ProxiedConnection, direction: Direction, bytes: Uint8Array) => void = () => {};

  private constructor(target: { readonly host: string; readonly port: number }, host: string) {
    this.host = host;
    this.#target = target;
    // Half-open, so that the end of one side travels through the proxy as everything else does.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Resolves when it takes connections, on a free port of this address. */
  static async start(
    target: { readonly host: string; readonly port: number },
    host = "127.0.0.1",
  ): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, host);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, proxy.host, resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return address.port;
  }

  /** Those that are open, the oldest first. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.#open];
  }

  /** As `ProxiedConnection.pause`, of all connections, also those still to come: a cut cable. */
  pause(direction?: Direction): void {
    for (const one of directions(direction)) this.#paused.add(one);
    for (const relay of this.#open) relay.pause(direction);
  }

  resume(direction?: Direction): void {
    for (const one of directions(direction)) this.#paused.delete(one);
    for (const relay of this.#open) relay.resume(direction);
  }

  /** Ends every open connection; new ones are taken. */
  cut(): void {
    for (const relay of this.#open) relay.cut();
  }

  /** While `on`, a new connection is ended as soon as it is made. */
  refuse(on: boolean): void {
    this.#refusing = on;
  }

  /** New connections go there; those that are open stay where they are. */
  retarget({ host, port }: { readonly host: string; readonly port: number }): void {
    this.#target = { host, port };
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.on("error", () => {});
      client.destroy();
      return;
    }
    const { host, port } = this.#target;
    const server = tcpConnect({ host, port, allowHalfOpen: true });
    const relay: Relay = new Relay(client, server, {
      sent: (direction, bytes) => this.onData(relay, direction, bytes),
      closed: () => this.#open.delete(relay),
    });
    this.#open.add(relay);
    for (const direction of this.#paused) relay.pause(direction);
  }
}

interface RelayOwner {
  sent(direction: Direction, bytes: Uint8Array): void;
  closed(): void;
}

const OPENING_BYTES = 16 * 1024;

class Relay implements ProxiedConnection {
  opening = "";
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #lanes: Readonly<Record<Direction, Lane>>;
  readonly #owner: RelayOwner;

  constructor(client: Socket, server: Socket, owner: RelayOwner) {
    this.#client = client;
    this.#server = server;
    this.#owner = owner;
    this.#lanes = { up: new Lane(server), down: new Lane(client) };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // A connection that breaks on one side breaks on the other: that is all a proxy can do about it.
      socket.on("error", () => this.cut());
      socket.on("close", () => {
        if (this.#client.destroyed && this.#server.destroyed) this.#owner.closed();
      });
    }
    this.#read(client, "up");
    this.#read(server, "down");
  }

  pause(direction?: Direction): void {
    for (const one of directions(direction)) this.#lanes[one].paused = true;
  }

  resume(direction?: Direction): void {
    for (const one of directions(direction)) this.#lanes[one].resume();
  }

  lose(direction: Direction, on: boolean): void {
    this.#lanes[direction].losing = on;
  }

  cut(): void {
    this.#client.destroy();
    this.#server.destroy();
    this.#owner.closed();
  }

  #read(from: Socket, direction: Direction): void {
    from.on("data", (bytes: Buffer) => {
      if (direction === "up" && this.opening.length < OPENING_BYTES) {
        this.opening += bytes.subarray(0, OPENING_BYTES - this.opening.length).toString("latin1");
      }
      this.#owner.sent(direction, bytes);
      this.#lanes[direction].pass((to) => to.write(bytes));
    });
    from.on("end", () => this.#lanes[direction].pass((to) => to.end()));
  }
}

/** One way of a connection: what is passed on while it is paused waits, in order. */
class Lane {
  paused = false;
  losing = false;
  readonly #to: Socket;
  readonly #waiting: ((to: Socket) => void)[] = [];

  constructor(to: Socket) {
    this.#to = to;
  }

  pass(deed: (to: Socket) => void): void {
    if (this.losing) return;
    if (this.paused) this.#waiting.push(deed);
    else if (!this.#to.destroyed) deed(this.#to);
  }

  resume(): void {
    this.paused = false;
    for (const deed of this.#waiting.splice(0)) this.pass(deed);
  }
}

function directions(direction: Direction | undefined): readonly Direction[] {
  return direction === undefined ? ["up", "down"] : [direction];
}
