import { LEASE_MS } from "../../application/ports/inbox-port.ts";

export interface AddedEntry {
  readonly fields: readonly [name: string, value: string][];
  /** The channel that the worker addressed, if it did. */
  readonly channel?: string | undefined;
}

/** The inbox of a broker in memory. Times are the caller's, in milliseconds. */
export class KeptInbox {
  readonly #entries = new Map<string, AddedEntry>();
  readonly #waiting = new Set<() => void>();
  #last = { ms: 0, sequence: -1 };
  #lease: { readonly node: string; readonly until: number } | undefined;

  /** Answers the id. */
  add(entry: AddedEntry, now: number): string {
    const { ms, sequence } = this.#last;
    this.#last = now > ms ? { ms: now, sequence: 0 } : { ms, sequence: sequence + 1 };
    const id = `${this.#last.ms}-${this.#last.sequence}`;
    this.#entries.set(id, entry);
    for (const arrived of [...this.#waiting]) arrived();
    return id;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Oldest first. */
  entries(): IterableIterator<[id: string, entry: AddedEntry]> {
    return this.#entries.entries();
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }

  /** Milliseconds until another node's lease ends; undefined if `node` has the lease from now on. */
  lease(node: string, now: number): number | undefined {
    if (this.#lease !== undefined && this.#lease.node !== node && now < this.#lease.until) {
      return this.#lease.until - now;
    }
    this.#lease = { node, until: now + LEASE_MS };
    return undefined;
  }

  release(node: string): void {
    if (this.#lease?.node === node) this.#lease = undefined;
  }

  /** Calls `arrived` at each entry that is added, until the returned function is called. */
  onArrival(arrived: () => void): () => void {
    this.#waiting.add(arrived);
    return () => this.#waiting.delete(arrived);
  }

  loseEverything(): void {
    this.#entries.clear();
    this.#lease = undefined;
  }
}
