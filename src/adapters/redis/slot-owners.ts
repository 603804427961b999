import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { ALL_SLOTS, type SlotRange } from "./cluster-slots.ts";
import type { RedisTarget } from "./redis-connection.ts";
import type { OwnChannels } from "./redis-scripts.ts";

/** A place that owns slots: one Redis owns them all, each primary of a Cluster some. */
export interface RedisPrimary {
  /** Tells the primaries of a Cluster apart, as `host:port`; "" if there is only one. */
  readonly name: string;
  readonly target: RedisTarget;
  /** How channels are published there. */
  readonly ownChannels: OwnChannels;
  /** The slots that it owns at present, or the last ones that it owned. There is at least one. */
  readonly slots: readonly SlotRange[];
}

/** A place that a Cluster names. */
export interface ClusterAddress {
  readonly host: string;
  readonly port: number;
}

/** Knows which primary owns which slot. A primary keeps its object for as long as it owns any. */
export interface SlotOwners {
  /** Those that own a slot; none before they are known. */
  readonly primaries: readonly RedisPrimary[];
  /** Resolves when the first attempt to find the owners has ended, well or not. */
  readonly started: Promise<void>;
  /** Why a slot has no owner that is known, or undefined if each has one. */
  readonly trouble: BrokerTrouble | undefined;
  /** The owner of the key's slot, or of a sharded channel's; undefined if nobody knows one. */
  ownerOf(key: string): RedisPrimary | undefined;
  /** Calls `listener` after each change of an owner, until the returned function is called. */
  onChange(listener: () => void): () => void;
  /** Call it when a connection was lost, or anything else hints at a change. */
  lookAgain(): void;
  /** Call it with the address to which `asked` refers the slot. It counts at once. A host of "" is that of `asked`. */
  moved(slot: number, to: ClusterAddress, asked: RedisPrimary): void;
  close(): void;
}

/** One Redis, wherever its address leads, which owns all slots for good. */
export class OneOwner implements SlotOwners {
  readonly primaries: readonly [RedisPrimary];
  readonly started = Promise.resolve();
  readonly trouble = undefined;

  constructor(target: RedisTarget) {
    this.primaries = [{ name: "", target, ownChannels: "plain", slots: ALL_SLOTS }];
  }

  ownerOf(): RedisPrimary {
    return this.primaries[0];
  }

  onChange(): () => void {
    return () => {};
  }

  lookAgain(): void {}

  moved(): void {}

  close(): void {}
}
