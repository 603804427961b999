import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerError, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { SharedAnswer } from "../../application/shared-answer.ts";
import type { OutageLog } from "../broker/outage-log.ts";
import { type OwnedSlots, readClusterSlots } from "./cluster-reading.ts";
import { SLOTS, type SlotRange, slotOf } from "./cluster-slots.ts";
import type { ClusterTarget, RedisTarget } from "./redis-connection.ts";
import type { ClusterAddress, RedisPrimary, SlotOwners } from "./slot-owners.ts";

interface ClusterMapOptions {
  readonly target: ClusterTarget;
  readonly clock: ClockPort;
  readonly outages: OutageLog;
}

const LOOK_EVERY_MS = 10_000;
/** The servers of a Cluster take a moment to agree. */
const AGAIN_MS = 500;
const SOURCE = "slots";

/**
 * The owners of the slots of a Cluster. It asks any server that answers, of those in the settings and of all that were
 * named since: every ten seconds, if anything hints at a change, and over and over until each slot has an owner.
 */
export class ClusterMap implements SlotOwners {
  readonly #options: ClusterMapOptions;
  readonly #started = Promise.withResolvers<void>();
  readonly #reading = new SharedAnswer(() => this.#read());
  readonly #stop: () => void;
  readonly #listeners = new Set<() => void>();
  /** Those that own a slot, by name. */
  #known: ReadonlyMap<string, ClusterPrimary> = new Map();
  #owners: readonly (ClusterPrimary | undefined)[] = new Array(SLOTS).fill(undefined);
  /** The servers to ask, in this order. */
  #servers: readonly ClusterAddress[];
  #trouble: BrokerTrouble | undefined = { cause: "connecting" };
  #lookDue = false;
  #closed = false;

  constructor(options: ClusterMapOptions) {
    this.#options = options;
    this.#servers = options.target.cluster.servers;
    this.#stop = options.clock.every(LOOK_EVERY_MS, () => void this.#reading.get());
    void this.#reading.get();
  }

  get primaries(): readonly RedisPrimary[] {
    return [...this.#known.values()];
  }

  get started(): Promise<void> {
    return this.#started.promise;
  }

  get trouble(): BrokerTrouble | undefined {
    return this.#trouble;
  }

  ownerOf(key: string): RedisPrimary | undefined {
    return this.#owners[slotOf(key)];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lookAgain(): void {
    if (this.#lookDue || this.#closed) return;
    this.#lookDue = true;
    this.#options.clock.after(AGAIN_MS, () => {
      this.#lookDue = false;
      void this.#reading.get();
    });
  }

  moved(slot: number, to: ClusterAddress, asked: RedisPrimary): void {
    if (this.#closed) return;
    const host = to.host === "" ? hostOf(asked) : to.host;
    const owners = [...this.#owners];
    owners[slot] = this.#primaryAt({ host, port: to.port }, new Map(this.#known));
    this.#take(owners);
    this.lookAgain();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#started.resolve();
    this.#listeners.clear();
    this.#options.outages.forget(SOURCE);
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    if (this.#closed) return;
    try {
      const { target, clock } = this.#options;
      const { answered, owned } = await readClusterSlots(target, this.#servers, clock);
      if (!this.#closed) this.#found(answered, owned);
    } catch (error) {
      if (!this.#closed) this.#failed(error);
    }
    this.#started.resolve();
  }

  #found(answered: ClusterAddress, owned: readonly OwnedSlots[]): void {
    const named = owned.flatMap(({ servers }) => servers);
    this.#servers = distinct([answered, ...named, ...this.#options.target.cluster.servers]);
    const owners: (ClusterPrimary | undefined)[] = new Array(SLOTS).fill(undefined);
    const primaries = new Map(this.#known);
    for (const { slots, servers } of owned) {
      const [first, last] = slots;
      owners.fill(this.#primaryAt(servers[0], primaries), first, last + 1);
    }
    this.#take(owners);
    this.#trouble = owners.includes(undefined) ? { cause: "cluster" } : undefined;
    if (this.#trouble === undefined) this.#options.outages.clear(SOURCE);
    else this.#fails(this.#trouble, "a slot has no owner");
  }

  #failed(error: unknown): void {
    const trouble = error instanceof BrokerError ? error.trouble : ({ cause: "fault" } as const);
    // The owners that are known remain. They say by themselves if they are away.
    if (this.#trouble !== undefined) this.#trouble = trouble;
    this.#fails(trouble, reasonOf(error));
  }

  #fails(trouble: BrokerTrouble, detail: string): void {
    this.#options.outages.report(SOURCE, trouble, detail);
    this.lookAgain();
  }

  /** The one of `primaries` at this address, or else a new one, which is added to them. */
  #primaryAt(address: ClusterAddress, primaries: Map<string, ClusterPrimary>): ClusterPrimary {
    const name = `${address.host}:${address.port}`;
    const known = primaries.get(name);
    if (known !== undefined) return known;
    const { cluster: _, ...user } = this.#options.target;
    const made = { name, target: { ...user, ...address }, ownChannels: "sharded" as const, slots: [] };
    primaries.set(name, made);
    return made;
  }

  #take(owners: readonly (ClusterPrimary | undefined)[]): void {
    if (owners.every((owner, slot) => owner === this.#owners[slot])) return;
    this.#owners = owners;
    const slots = new Map<ClusterPrimary, SlotRange[]>();
    for (const [owner, run] of runsOf(owners)) slots.set(owner, [...(slots.get(owner) ?? []), run]);
    // One that owns nothing any more keeps its last slots: its connections probe them until they are closed.
    for (const [owner, its] of slots) owner.slots = its;
    this.#known = new Map([...slots.keys()].map((primary) => [primary.name, primary]));
    for (const listener of this.#listeners) listener();
  }
}

interface ClusterPrimary extends RedisPrimary {
  readonly target: RedisTarget & ClusterAddress;
  slots: readonly SlotRange[];
}

/** The slots that follow each other and have the same owner. */
function runsOf(owners: readonly (ClusterPrimary | undefined)[]): [ClusterPrimary, SlotRange][] {
  const runs: [ClusterPrimary, SlotRange][] = [];
  let first = 0;
  for (let slot = 1; slot <= owners.length; slot++) {
    const owner = owners[first];
    if (slot < owners.length && owners[slot] === owner) continue;
    if (owner !== undefined) runs.push([owner, [first, slot - 1]]);
    first = slot;
  }
  return runs;
}

function hostOf({ name }: RedisPrimary): string {
  return name.slice(0, name.lastIndexOf(":"));
}

function distinct(servers: readonly ClusterAddress[]): ClusterAddress[] {
  return [...new Map(servers.map((server) => [`${server.host}:${server.port}`, server])).values()];
}
