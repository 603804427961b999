import { TokenExpiries } from "./token-expiries.ts";

interface ConnectionLimits {
  /** 0: no limit. */
  readonly maxConnections: number;
  /** 0: no limit. */
  readonly maxPerUser: number;
  /** The analyses of one user, over all connections of this node; 0: no limit. */
  readonly maxSubscriptionsPerUser: number;
}

/** Times are milliseconds since 1970. */
interface NewConnection {
  readonly id: string;
  readonly userId: string;
  /** Watched from the start. */
  readonly analysisId?: string;
  readonly connectedAt: number;
}

interface RegisteredConnection {
  readonly userId: string;
  readonly connectedAt: number;
  readonly lastHeardAt: number;
  readonly analyses: ReadonlySet<string>;
}

export type Admission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly limit: "total" | "user" };

interface Entry extends RegisteredConnection {
  lastHeardAt: number;
  /** Taken with `takeSubscription` and not given back. */
  subscriptions: number;
  readonly analyses: Set<string>;
}

const NOBODY: ReadonlySet<string> = new Set();

/**
 * The connections of one node: what each watches, when each was last heard and when its token runs out.
 * A removed connection leaves nothing behind. The iterables of `expired` and `tokensExpiredBy` may be consumed while
 * connections are removed.
 */
export class ConnectionRegistry {
  readonly #limits: ConnectionLimits;
  /** The longest silent first: a connection that is heard moves to the end. */
  readonly #connections = new Map<string, Entry>();
  readonly #byAnalysis = new Map<string, Set<string>>();
  readonly #byUser = new Map<string, Set<string>>();
  readonly #subscriptionsOf = new Map<string, number>();
  readonly #tokens = new TokenExpiries();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Takes a connection in, unless a limit is reached. An id that is registered already begins anew. */
  add({ id, userId, analysisId, connectedAt }: NewConnection): Admission {
    this.remove(id);
    const { maxConnections, maxPerUser } = this.#limits;
    if (maxConnections > 0 && this.#connections.size >= maxConnections) {
      return { admitted: false, limit: "total" };
    }
    if (maxPerUser > 0 && this.connectionsOfUser(userId).size >= maxPerUser) {
      return { admitted: false, limit: "user" };
    }
    this.#connections.set(id, {
      userId,
      connectedAt,
      lastHeardAt: connectedAt,
      subscriptions: 0,
      analyses: new Set(),
    });
    join(this.#byUser, userId, id);
    if (analysisId !== undefined) this.watch(id, analysisId);
    return { admitted: true };
  }

  /** Idempotent. */
  remove(id: string): void {
    const entry = this.#connections.get(id);
    if (entry === undefined) return;
    this.#connections.delete(id);
    this.#tokens.forget(id);
    leave(this.#byUser, entry.userId, id);
    this.#count(entry.userId, -entry.subscriptions);
    for (const analysisId of entry.analyses) leave(this.#byAnalysis, analysisId, id);
  }

  /**
   * Counts one more analysis that the connection asks for, over all connections of its user: false, and nothing is
   * counted, if that is one too many or the connection is not registered.
   */
  takeSubscription(id: string): boolean {
    const entry = this.#connections.get(id);
    if (entry === undefined) return false;
    const { maxSubscriptionsPerUser } = this.#limits;
    const isFull = this.subscriptionsOfUser(entry.userId) >= maxSubscriptionsPerUser;
    if (maxSubscriptionsPerUser > 0 && isFull) return false;
    this.countSubscription(id);
    return true;
  }

  /** As `takeSubscription`, for a connection whose one analysis its own limits allow. */
  countSubscription(id: string): void {
    const entry = this.#connections.get(id);
    if (entry === undefined) return;
    entry.subscriptions++;
    this.#count(entry.userId, 1);
  }

  /** Gives one back. `remove` gives back all that are left. */
  giveBackSubscription(id: string): void {
    const entry = this.#connections.get(id);
    if (entry === undefined || entry.subscriptions === 0) return;
    entry.subscriptions--;
    this.#count(entry.userId, -1);
  }

  subscriptionsOfUser(userId: string): number {
    return this.#subscriptionsOf.get(userId) ?? 0;
  }

  /** A connection may watch several analyses. Does nothing for one that is not registered. */
  watch(id: string, analysisId: string): void {
    const entry = this.#connections.get(id);
    if (entry === undefined) return;
    entry.analyses.add(analysisId);
    join(this.#byAnalysis, analysisId, id);
  }

  unwatch(id: string, analysisId: string): void {
    if (this.#connections.get(id)?.analyses.delete(analysisId)) leave(this.#byAnalysis, analysisId, id);
  }

  /** Notes a sign of life; one that comes after the removal is ignored. */
  heard(id: string, now: number): void {
    const entry = this.#connections.get(id);
    if (entry === undefined) return;
    entry.lastHeardAt = now;
    this.#connections.delete(id);
    this.#connections.set(id, entry);
  }

  /** The ids silent for at least `timeoutMs`, the longest silent first. Looks at one more than it yields. */
  *expired(now: number, timeoutMs: number): Generator<string, void> {
    for (const [id, { lastHeardAt }] of this.#connections) {
      if (now - lastHeardAt < timeoutMs) return;
      yield id;
    }
  }

  /** Replaces the time when the connection's token runs out. */
  setTokenExpiry(id: string, at: number): void {
    if (this.#connections.has(id)) this.#tokens.set(id, at);
  }

  /** The ids whose token ran out, the earliest first, each until it is removed or given another token. */
  tokensExpiredBy(now: number): Generator<string, void> {
    return this.#tokens.expiredBy(now);
  }

  get(id: string): RegisteredConnection | undefined {
    return this.#connections.get(id);
  }

  connectionsOf(analysisId: string): ReadonlySet<string> {
    return this.#byAnalysis.get(analysisId) ?? NOBODY;
  }

  connectionsOfUser(userId: string): ReadonlySet<string> {
    return this.#byUser.get(userId) ?? NOBODY;
  }

  #count(userId: string, more: number): void {
    const count = (this.#subscriptionsOf.get(userId) ?? 0) + more;
    if (count > 0) this.#subscriptionsOf.set(userId, count);
    else this.#subscriptionsOf.delete(userId);
  }

  statistics(): { total_connections: number; active_analyses: number; users: number } {
    return {
      total_connections: this.#connections.size,
      active_analyses: this.#byAnalysis.size,
      users: this.#byUser.size,
    };
  }
}

function join(groups: Map<string, Set<string>>, name: string, id: string): void {
  const group = groups.get(name);
  if (group === undefined) groups.set(name, new Set([id]));
  else group.add(id);
}

function leave(groups: Map<string, Set<string>>, name: string, id: string): void {
  const group = groups.get(name);
  if (group?.delete(id) && group.size === 0) groups.delete(name);
}
