import type { CloseCode } from "../domain/close-code.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { FailsAlone } from "./alone.ts";
import type { ConnectionId } from "./ports/client-connection-port.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { Transport } from "./ports/metric-catalogue.ts";

/** A connection of any transport, as the use cases for all connections see it. */
export interface OpenConnection extends FailsAlone {
  readonly id: ConnectionId;
  readonly transport: Transport;
  /** Ends it with a code of the table. Does nothing if it is closed already. */
  close(code: CloseCode, reason: string): void;
  /** Whether the client took some of the frames that wait for it. Asked after the silence of a heartbeat timeout. */
  progresses(): boolean;
}

export type Admission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly limit: "total" | "user" | "draining" };

/** Every admitted connection of this node, kept in step with the registry. */
export class OpenConnections {
  readonly #registry: ConnectionRegistry;
  readonly #clock: ClockPort;
  readonly #open = new Map<ConnectionId, OpenConnection>();
  readonly #byTransport: Record<Transport, number> = { websocket: 0, sse: 0, wait: 0 };
  readonly #emptied = new Set<() => void>();
  #draining = false;

  constructor(registry: ConnectionRegistry, clock: ClockPort) {
    this.#registry = registry;
    this.#clock = clock;
  }

  get size(): number {
    return this.#open.size;
  }

  /** How many connections of each transport are open. */
  get byTransport(): Readonly<Record<Transport, number>> {
    return this.#byTransport;
  }

  admit(connection: OpenConnection, holder: { userId: string; tokenExpiresAt: number }): Admission {
    if (this.#draining) return { admitted: false, limit: "draining" };
    const { id } = connection;
    const admission = this.#registry.add({ id, userId: holder.userId, connectedAt: this.#clock.now() });
    if (!admission.admitted) return admission;
    this.#registry.setTokenExpiry(id, holder.tokenExpiresAt);
    this.#forget(id);
    this.#open.set(id, connection);
    this.#byTransport[connection.transport]++;
    return admission;
  }

  /** Admits nobody from now on. A drain would miss a connection that comes later. */
  stopAdmitting(): void {
    this.#draining = true;
  }

  find(id: ConnectionId): OpenConnection | undefined {
    return this.#open.get(id);
  }

  all(): IterableIterator<OpenConnection> {
    return this.#open.values();
  }

  /** Forgets a connection, however it ended. Idempotent. */
  remove(id: ConnectionId): void {
    this.#registry.remove(id);
    this.#forget(id);
    if (this.#open.size > 0) return;
    for (const resolve of this.#emptied) resolve();
    this.#emptied.clear();
  }

  #forget(id: ConnectionId): void {
    const connection = this.#open.get(id);
    if (connection === undefined) return;
    this.#open.delete(id);
    this.#byTransport[connection.transport]--;
  }

  /** Resolves when no connection is open: at once if there is none. */
  empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptied.add(resolve));
  }
}
