import { BrokerUnavailable } from "../../application/errors.ts";
import { movedTo } from "./redis-errors.ts";
import type { RedisPrimary, SlotOwners } from "./slot-owners.ts";

interface OfPrimary {
  close(): void;
}

interface PerPrimaryOptions {
  /** Those that are wanted. Default: all that own slots. */
  readonly wanted?: () => readonly RedisPrimary[];
  /** Does this once all that is under way has surely ended. Default: at once. */
  readonly later?: (task: () => void) => void;
  readonly onClosed?: () => void;
}

/** Keeps something for each primary that owns slots, or for some. It opens and closes them as the owners change. */
export class PerPrimary<Of extends OfPrimary> {
  readonly #owners: SlotOwners;
  readonly #open: (primary: RedisPrimary) => Of;
  readonly #wanted: () => readonly RedisPrimary[];
  readonly #later: (task: () => void) => void;
  readonly #onClosed: () => void;
  readonly #stop: () => void;
  readonly #all = new Map<RedisPrimary, Of>();
  /** Those whose primary owns nothing any more. The calls that are under way get their answers. */
  readonly #leaving = new Set<Of>();
  #closed = false;

  constructor(
    owners: SlotOwners,
    open: (primary: RedisPrimary) => Of,
    {
      wanted = () => owners.primaries,
      later = (task) => task(),
      onClosed = () => {},
    }: PerPrimaryOptions = {},
  ) {
    this.#owners = owners;
    this.#open = open;
    this.#wanted = wanted;
    this.#later = later;
    this.#onClosed = onClosed;
    this.#stop = owners.onChange(() => this.#change());
    this.#change();
  }

  get all(): readonly Of[] {
    return [...this.#all.values()];
  }

  /** That of the owner of the key's slot; undefined if nobody knows one. */
  ownerOf(key: string): Of | undefined {
    const primary = this.#owners.ownerOf(key);
    return primary && this.#all.get(primary);
  }

  /**
   * Calls that of the owner of the key's slot. If a server answers that the slot has moved, nothing was done there, and the
   * new owner is called, once. Rejects as the call does, or with `BrokerUnavailable` if nobody knows an owner.
   */
  async at<Answer>(key: string, call: (owner: Of) => Promise<Answer>): Promise<Answer> {
    if (this.#owners.primaries.length === 0 && !this.#closed) await this.#owners.started;
    const primary = this.#owners.ownerOf(key);
    try {
      return await call(this.of(primary));
    } catch (error) {
      const moved = movedTo(error);
      if (moved === undefined || primary === undefined) throw error;
      this.#owners.moved(moved.slot, moved.to, primary);
      const next = this.#owners.ownerOf(key);
      if (next === primary) throw error;
      return call(this.of(next));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    for (const of of [...this.#all.values(), ...this.#leaving]) of.close();
    this.#all.clear();
    this.#leaving.clear();
    this.#onClosed();
  }

  /** That of the primary. Throws `BrokerUnavailable` if it owns nothing any more, or there is no primary. */
  of(primary: RedisPrimary | undefined): Of {
    const of = primary && this.#all.get(primary);
    if (of !== undefined) return of;
    const trouble = this.#closed ? ({ cause: "closed" } as const) : this.#owners.trouble;
    throw new BrokerUnavailable("nobody is known to own the slot", {
      trouble: trouble ?? { cause: "cluster" },
    });
  }

  #change(): void {
    const wanted = this.#wanted();
    for (const [primary, of] of this.#all) {
      if (wanted.includes(primary)) continue;
      this.#all.delete(primary);
      this.#leaving.add(of);
      this.#later(() => {
        if (this.#leaving.delete(of)) of.close();
      });
    }
    for (const primary of wanted) {
      if (!this.#all.has(primary)) this.#all.set(primary, this.#open(primary));
    }
  }
}
