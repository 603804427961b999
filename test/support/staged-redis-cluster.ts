import { Cluster, Redis } from "ioredis";
import { RedisCluster } from "./redis-cluster.ts";
import type { RedisClusterNode } from "./redis-cluster-node.ts";
import type { StagedBroker, WorkerAnswer, WorkerConnection, WorkerLane } from "./staged-broker.ts";

/** Three primaries with AOF and a replica each. Gateways and workers reach each of them without a proxy. */
export class StagedRedisCluster implements StagedBroker {
  readonly lanes = ["bare", "inbox"] as const;
  readonly keepsBareMessages = false;
  readonly recognisesRetries = true;
  readonly burst = 100_000;
  readonly listenersOf = undefined;
  readonly cluster: RedisCluster;
  readonly #admin: Cluster;

  private constructor(cluster: RedisCluster) {
    this.cluster = cluster;
    this.#admin = clientOf(cluster);
  }

  static async start(): Promise<StagedRedisCluster> {
    return new StagedRedisCluster(
      await RedisCluster.start({ replicas: 1, args: ["--appendonly", "yes", "--appendfsync", "always"] }),
    );
  }

  get host(): string {
    return this.#first.host;
  }

  get port(): number {
    return this.#first.port;
  }

  settingsFor(): Record<string, string> {
    // If it is not a number, a primary that has just got its replica answers without it for a moment (docs/GUARANTEES.md).
    return { REDIS_URL: this.cluster.url, REDIS_WAIT_REPLICAS: "1" };
  }

  connectWorker(): WorkerConnection {
    return new ClusterWorker(this.cluster, this.#first);
  }

  async kill9(): Promise<void> {
    await Promise.all(this.cluster.nodes.map((node) => node.kill9()));
  }

  async restart(): Promise<void> {
    await Promise.all(this.cluster.nodes.map((node) => node.restart()));
  }

  freeze(): void {
    for (const node of this.cluster.nodes) node.freeze();
  }

  thaw(): void {
    for (const node of this.cluster.nodes) node.thaw();
  }

  deadLetters(): Promise<number> {
    return this.#admin.xlen("telltale:deadletters");
  }

  async stop(): Promise<void> {
    this.#admin.disconnect();
    await this.cluster.stop();
  }

  get #first(): RedisClusterNode {
    return this.cluster.nodes[0] as RedisClusterNode;
  }
}

/** Publishes plain messages at one server, so that they keep their order, and finds the server of the inbox. */
class ClusterWorker implements WorkerConnection {
  readonly #inbox: Cluster;
  readonly #plain: Redis;

  constructor(cluster: RedisCluster, { host, port }: RedisClusterNode) {
    this.#inbox = clientOf(cluster);
    this.#plain = new Redis({
      ...{ host, port, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 50,
    });
    // The command that failed tells its fault.
    this.#plain.on("error", () => {});
  }

  async publish(lane: WorkerLane, analysisId: string, payload: string | Uint8Array): Promise<WorkerAnswer> {
    const message = typeof payload === "string" ? payload : Buffer.from(payload);
    try {
      if (lane === "inbox") await this.#inbox.xadd("telltale:inbox", "*", "event", message);
      else if (this.#plain.status !== "ready") return "refused";
      else await this.#plain.publish(`analysis:${analysisId}`, message);
      // The number of those that heard it says nothing of those at other servers.
      return "taken";
    } catch {
      return "unknown";
    }
  }

  close(): void {
    this.#inbox.disconnect();
    this.#plain.disconnect();
  }
}

function clientOf(cluster: RedisCluster): Cluster {
  const client = new Cluster(
    cluster.nodes.map(({ host, port }) => ({ host, port })),
    {
      clusterRetryStrategy: () => 50,
      redisOptions: { autoResendUnfulfilledCommands: false },
    },
  );
  // A server that is being replaced refuses for a moment.
  client.on("error", () => {});
  return client;
}
