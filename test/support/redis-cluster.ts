import { eventually } from "../../src/testing/eventually.ts";
import type { CertificateFiles } from "./certificates.ts";
import { RedisClusterNode } from "./redis-cluster-node.ts";

export interface RedisClusterOptions {
  /** Replicas of each primary. Default: none. */
  readonly replicas?: 0 | 1;
  /** The buses have proxies in front of them, so that `cutBus` can cut one link. */
  readonly proxiedBus?: boolean;
  /** More arguments of each `redis-server`. */
  readonly args?: readonly string[];
  /** The servers talk TLS to each other and have a second port for it, each with this certificate. */
  readonly tls?: CertificateFiles & { readonly ca: string };
}

export const SLOTS = 16_384;
const PRIMARIES = 3;
/** A replica gives up a failover by hand after 5 s, as on a machine with other work. */
const ASK_AGAIN_MS = 6_000;
/** A machine with other work is slow to start servers, and to choose another primary. */
const PATIENCE_MS = 60_000;
const ARGS = [
  // Long enough for a node that two slow cores keep waiting, short enough for a test that kills one.
  ...["--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0"],
  ...["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"],
];
/** Without it the servers name their plain ports to clients that use TLS. */
const TLS_ARGS = ["--tls-cluster", "yes", "--tls-replication", "yes"];

/** Three primaries on loopback that share the slots evenly, with replicas if asked for. */
export class RedisCluster {
  /** The primaries first, then their replicas in the same order. A failover changes the roles. */
  readonly nodes: readonly RedisClusterNode[];

  private constructor(nodes: readonly RedisClusterNode[]) {
    this.nodes = nodes;
  }

  /** Resolves once every node serves, and every replica is in step. */
  static async start({
    replicas = 0,
    proxiedBus = false,
    args = [],
    tls,
  }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const started = await Promise.allSettled(
      Array.from({ length: PRIMARIES * (1 + replicas) }, () =>
        RedisClusterNode.start({
          args: [...ARGS, ...(tls === undefined ? [] : TLS_ARGS), ...args],
          ...{ proxiedBus, tls },
        }),
      ),
    );
    const cluster = new RedisCluster(
      started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
    );
    try {
      for (const one of started) if (one.status === "rejected") throw one.reason;
      await cluster.#form();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get url(): string {
    return `redis+cluster://${this.nodes.map(({ host, port }) => `${host}:${port}`).join(",")}`;
  }

  /** The primary that owns a slot, or the slot of a key. */
  async primaryOf(of: string | number): Promise<RedisClusterNode> {
    const slot = typeof of === "number" ? of : await this.slotOf(of);
    const owner = rangesIn(await this.#someone.cluster("SLOTS")).find(
      ({ first, last }) => slot >= first && slot <= last,
    );
    const node = this.nodes.find(({ id }) => id === owner?.ids[0]);
    if (node === undefined) throw new Error(`nobody serves slot ${slot}`);
    return node;
  }

  /**
   * Resolves with the owners of the slots when all running nodes agree on them, and each primary has an epoch of its own.
   * Until then a primary that gets a slot may take the epoch of another one. If that one takes a newer epoch while it claims
   * the slot, the slot goes back to it, and its new owner deletes the keys.
   */
  async untilAgreed(): Promise<SlotOwners> {
    let owners: SlotOwners | undefined;
    await eventually(
      "the nodes agree on the owners of the slots",
      async () => {
        owners = await this.agreedOwners();
        return owners !== undefined;
      },
      PATIENCE_MS,
    );
    return owners as SlotOwners;
  }

  /** The same now; undefined if they do not agree. */
  async agreedOwners(): Promise<SlotOwners | undefined> {
    const maps = await Promise.all(this.#running.map((node) => node.cluster("NODES")));
    const [owners = [], ...others] = maps.map((map) => ownersIn(String(map)));
    const text = JSON.stringify(owners);
    if (others.some((other) => JSON.stringify(other) !== text)) return undefined;
    if (new Set(owners.map(({ epoch }) => epoch)).size < owners.length) return undefined;
    return (slot) => {
      const owner = owners.find(({ slots }) => slots.some(([first, last]) => slot >= first && slot <= last));
      return this.nodes.find(({ id }) => id === owner?.id);
    };
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.#someone.cluster("KEYSLOT", key));
  }

  /** The running replica of a primary. Throws if it has none. */
  async replicaOf(primary: RedisClusterNode): Promise<RedisClusterNode> {
    const { ids } = rangesIn(await this.#someone.cluster("SLOTS")).find(
      ({ ids }) => ids[0] === primary.id,
    ) ?? {
      ids: [],
    };
    const replica = this.nodes.find(({ id, isRunning }) => isRunning && ids.slice(1).includes(id));
    if (replica === undefined) throw new Error("the primary has no replica that runs");
    return replica;
  }

  /** A replica takes over from its primary, which serves until then; no event is lost. Resolves with the new primary. */
  async failover(primary: RedisClusterNode): Promise<RedisClusterNode> {
    const replica = await this.replicaOf(primary);
    let askAt = 0;
    await eventually(
      "the replica has taken over",
      async () => {
        const [role] = (await replica.client.call("ROLE")) as [string];
        // If the primary takes its slots back at once, the replica is a replica again.
        if (role === "slave" && performance.now() >= askAt) {
          await replica.cluster("FAILOVER");
          askAt = performance.now() + ASK_AGAIN_MS;
        }
        return role === "master" && (await this.#ownsNothing(primary));
      },
      PATIENCE_MS,
    );
    return replica;
  }

  /** Resolves when no running node takes `old` for the owner of a slot. */
  async untilAnotherThan(old: RedisClusterNode): Promise<void> {
    await eventually(
      "another node serves the slots of the primary",
      () => this.#ownsNothing(old),
      PATIENCE_MS,
    );
  }

  /** Resolves when all running nodes serve, name the same owners and replicas, and all replicas among them are in step. */
  async untilWhole(): Promise<void> {
    await eventually(
      "the Cluster is whole",
      async () => {
        const states = await Promise.all(this.#running.map(stateOf));
        return new Set(states).size === 1 && !states.includes(undefined);
      },
      PATIENCE_MS,
    );
  }

  /**
   * Nothing that `from` says reaches `to` any more, on connections that are open and those still to come; what `to`
   * says reaches `from`. The rest of the Cluster sees both. Needs `proxiedBus`. Undone by what it returns.
   */
  cutBus(from: RedisClusterNode, to: RedisClusterNode): () => void {
    const { bus } = to;
    if (bus === undefined) throw new Error("the buses of this Cluster have no proxies");
    const isFrom = ({ opening }: { readonly opening: string }) => senderIn(opening) === from.id;
    bus.onData = (connection) => {
      if (isFrom(connection)) connection.pause("up");
    };
    for (const connection of bus.connections.filter(isFrom)) connection.pause("up");
    return () => {
      bus.onData = () => {};
      // New connections carry nothing that was said meanwhile.
      for (const connection of bus.connections.filter(isFrom)) connection.cut();
    };
  }

  /** The running nodes that own slots. */
  async primaries(): Promise<readonly RedisClusterNode[]> {
    const ranges = rangesIn(await this.#someone.cluster("SLOTS"));
    return this.#running.filter(({ id }) => ranges.some(({ ids }) => ids[0] === id));
  }

  async flush(): Promise<void> {
    await Promise.all((await this.primaries()).map(({ client }) => client.flushall()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** Whether no running node takes it for the owner of a slot. */
  async #ownsNothing({ id }: RedisClusterNode): Promise<boolean> {
    const maps = await Promise.all(this.#running.map((node) => node.cluster("SLOTS")));
    return maps.every((map) => rangesIn(map).every(({ ids }) => ids[0] !== id));
  }

  get #running(): readonly RedisClusterNode[] {
    return this.nodes.filter(({ isRunning }) => isRunning);
  }

  get #someone(): RedisClusterNode {
    const [one] = this.#running;
    if (one === undefined) throw new Error("no node of the Cluster runs");
    return one;
  }

  async #form(): Promise<void> {
    const [first, ...others] = this.nodes as readonly [RedisClusterNode, ...RedisClusterNode[]];
    const each = SLOTS / PRIMARIES;
    await Promise.all(
      this.nodes
        .slice(0, PRIMARIES)
        .map((node, at) =>
          node.cluster("ADDSLOTSRANGE", Math.ceil(at * each), Math.ceil((at + 1) * each) - 1),
        ),
    );
    for (const [at, node] of this.nodes.entries()) await node.cluster("SET-CONFIG-EPOCH", at + 1);
    for (const { host, port, busPort } of others) await first.cluster("MEET", host, port, busPort);
    await eventually(
      "the nodes know each other",
      async () => {
        const known = await Promise.all(this.nodes.map((node) => node.cluster("NODES")));
        return known.every((text) => this.nodes.every(({ id }) => String(text).includes(id)));
      },
      PATIENCE_MS,
    );
    for (const [at, replica] of this.nodes.slice(PRIMARIES).entries()) {
      await replica.cluster("REPLICATE", String(this.nodes[at]?.id));
    }
    await eventually(
      "every primary has its replicas",
      async () => {
        const maps = await Promise.all(this.nodes.map((node) => node.cluster("SLOTS")));
        const wanted = this.nodes.length / PRIMARIES;
        return maps.every((map) => {
          const ranges = rangesIn(map);
          return ranges.length === PRIMARIES && ranges.every(({ ids }) => ids.length === wanted);
        });
      },
      PATIENCE_MS,
    );
    await this.untilWhole();
  }
}

/** Tells which primary owns a slot. */
type SlotOwners = (slot: number) => RedisClusterNode | undefined;

interface SlotRange {
  readonly first: number;
  readonly last: number;
  /** The names of the nodes that have it, the primary first. */
  readonly ids: string[];
}

/** Reads the answer to CLUSTER SLOTS. */
function rangesIn(answer: unknown): SlotRange[] {
  return (answer as [number, number, ...[string, number, string][]][]).map(([first, last, ...nodes]) => ({
    ...{ first, last },
    ids: nodes.map(([, , id]) => id),
  }));
}

/** Reads the primaries that own slots from the answer to CLUSTER NODES. */
function ownersIn(answer: string) {
  return answer
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , flags, , , , , , slot]) => flags?.includes("master") && slot !== undefined)
    .map(([id = "", , , , , , epoch = "", , ...slots]) => {
      // A slot that moves is there once more, in brackets.
      const ranges = slots.filter((slot) => !slot.startsWith("[")).map((slot) => slot.split("-").map(Number));
      return { id, epoch, slots: ranges.map(([first = 0, last = first]) => [first, last] as const) };
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The owners of all slots and their replicas as this node sees them, as text; undefined while it does not serve or lags behind. */
async function stateOf(node: RedisClusterNode): Promise<string | undefined> {
  const [info, slots, replication] = await Promise.all([
    node.cluster("INFO"),
    node.cluster("SLOTS"),
    node.client.info("replication"),
  ]);
  if (!String(info).includes("cluster_state:ok")) return undefined;
  if (/^role:slave/m.test(replication) && !/^master_link_status:up/m.test(replication)) return undefined;
  const owners = rangesIn(slots).map(({ first, last, ids: [primary, ...its] }) =>
    [first, last, primary, ...its.sort()].join(" "),
  );
  return owners.sort().join();
}

/** Reads who sent a message of the bus, which tells of other nodes as well. */
function senderIn(message: string): string {
  return message.slice(SENDER_AT, SENDER_AT + SENDER_LENGTH);
}

const SENDER_AT = 40;
const SENDER_LENGTH = 40;
