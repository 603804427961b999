import { eventually } from "../../src/testing/eventually.ts";
import type { RedisCluster } from "./redis-cluster.ts";
import type { RedisClusterNode } from "./redis-cluster-node.ts";

/** A slot on its way from one primary to another, as an operator moves it. */
export interface SlotMove {
  readonly from: RedisClusterNode;
  readonly to: RedisClusterNode;
  /** Moves these keys, or all that the slot has. Until then its owner answers for them. */
  moveKeys(keys?: readonly string[]): Promise<void>;
  /** Moves the keys that remain, and hands the slot over. Resolves when every running primary names the new owner. */
  finish(): Promise<void>;
  /** The slot stays where it was, with all its keys. */
  undo(): Promise<void>;
}

/** Marks the slot as on its way: from now on its owner refuses what needs keys that it lacks. */
export async function beginSlotMove(
  cluster: RedisCluster,
  slot: number,
  to: RedisClusterNode,
): Promise<SlotMove> {
  await cluster.untilAgreed();
  const from = await cluster.primaryOf(slot);
  if (from === to) throw new Error(`slot ${slot} is there already`);
  return begin(cluster, slot, from, to);
}

async function begin(
  cluster: RedisCluster,
  slot: number,
  from: RedisClusterNode,
  to: RedisClusterNode,
): Promise<SlotMove> {
  await to.cluster("SETSLOT", slot, "IMPORTING", from.id);
  await from.cluster("SETSLOT", slot, "MIGRATING", to.id);
  const moveKeys = (keys?: readonly string[]) => migrate(from, to, slot, keys);
  return {
    ...{ from, to, moveKeys },
    finish: async () => {
      await moveKeys();
      await handOver(cluster, slot, to);
      await settle(cluster, [slot], to);
    },
    undo: async () => {
      await from.cluster("SETSLOT", slot, "STABLE");
      await migrate(to, from, slot);
      await to.cluster("SETSLOT", slot, "STABLE");
    },
  };
}

/** Moves a slot with its keys, or one after the other from the first to the last. Those that are there already stay. */
export async function moveSlots(
  cluster: RedisCluster,
  slots: number | readonly [first: number, last: number],
  to: RedisClusterNode,
): Promise<void> {
  const [first, last] = typeof slots === "number" ? [slots, slots] : slots;
  const ownerOf = await cluster.untilAgreed();
  const moved = Array.from({ length: last - first + 1 }, (_, at) => first + at).filter(
    (slot) => ownerOf(slot) !== to,
  );
  for (const slot of moved) {
    const { moveKeys } = await begin(cluster, slot, ownerOf(slot) as RedisClusterNode, to);
    await moveKeys();
    await handOver(cluster, slot, to);
  }
  await settle(cluster, moved, to);
}

/** Tells every running primary of the new owner: that one first, since the old one sends clients there from now on. */
async function handOver(cluster: RedisCluster, slot: number, to: RedisClusterNode): Promise<void> {
  await tell(to, slot, to);
  await Promise.all(othersThan(to, cluster).map((node) => tell(node, slot, to)));
}

/**
 * Resolves when all nodes agree that `to` owns the slots. If a replica takes over from the old owner amidst a handing over, it
 * claims the slot under a newer epoch, the new owner gives it up, and a SETSLOT that comes then makes the two refer to each
 * other for good. Then the new owner takes the newest epoch, and all are told again.
 */
async function settle(cluster: RedisCluster, slots: readonly number[], to: RedisClusterNode): Promise<void> {
  let tellAgainAt = performance.now() + AGREED_WITHIN_MS;
  await eventually(`the slots ${slots[0]} to ${slots.at(-1)} have their new owner`, async () => {
    const ownerOf = await cluster.agreedOwners();
    const lost = slots.filter((slot) => ownerOf?.(slot) !== to);
    if (lost.length === 0 || performance.now() < tellAgainAt) return lost.length === 0;
    await to.cluster("BUMPEPOCH");
    for (const slot of lost) await handOver(cluster, slot, to);
    tellAgainAt = performance.now() + AGREED_WITHIN_MS;
    return false;
  });
}

function othersThan(one: RedisClusterNode, { nodes }: RedisCluster): readonly RedisClusterNode[] {
  return nodes.filter((node) => node !== one && node.isRunning);
}

async function tell(node: RedisClusterNode, slot: number, owner: RedisClusterNode): Promise<void> {
  try {
    await node.cluster("SETSLOT", slot, "NODE", owner.id);
  } catch (error) {
    // Replicas hear of it from their primary.
    if (!/only with masters/i.test((error as Error).message)) throw error;
  }
}

async function migrate(
  from: RedisClusterNode,
  to: RedisClusterNode,
  slot: number,
  some?: readonly string[],
): Promise<void> {
  while (true) {
    const keys = some ?? ((await from.cluster("GETKEYSINSLOT", slot, KEYS_AT_ONCE)) as string[]);
    if (keys.length === 0) return;
    await from.client.call("MIGRATE", to.host, to.port, "", 0, MIGRATE_MS, "KEYS", ...keys);
    if (some !== undefined) return;
  }
}

const AGREED_WITHIN_MS = 3_000;
const KEYS_AT_ONCE = 100;
const MIGRATE_MS = 5_000;
