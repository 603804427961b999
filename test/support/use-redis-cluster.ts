import { afterAll, afterEach, beforeAll } from "bun:test";
import { Cluster } from "ioredis";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { RedisCluster, type RedisClusterOptions } from "./redis-cluster.ts";

/** A Redis Cluster for the tests of one `describe`. Call it there, before other hooks; all is there once the tests run. */
export function useRedisCluster(options: RedisClusterOptions = {}): RedisClusterInUse {
  const inUse = new RedisClusterInUse(options);
  beforeAll(() => inUse.start());
  afterEach(() => inUse.endTest());
  afterAll(() => inUse.end());
  return inUse;
}

/** Use `useRedisCluster`. */
export class RedisClusterInUse {
  readonly #options: RedisClusterOptions;
  readonly #afterTest: Ending[] = [];
  #cluster: RedisCluster | undefined;
  #client: Cluster | undefined;

  constructor(options: RedisClusterOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#cluster = await RedisCluster.start(this.#options);
    this.#client = new Cluster(this.servers, { clusterRetryStrategy: () => 50 });
    // A node that is being restarted refuses for a moment.
    this.#client.on("error", () => {});
  }

  get cluster(): RedisCluster {
    if (this.#cluster === undefined) throw new Error("the Cluster of the tests has not started");
    return this.#cluster;
  }

  /** A client of the tests' own, which finds the node that serves a key. */
  get client(): Cluster {
    if (this.#client === undefined) throw new Error("the Cluster of the tests has not started");
    return this.#client;
  }

  get servers(): { readonly host: string; readonly port: number }[] {
    return this.cluster.nodes.map(({ host, port }) => ({ host, port }));
  }

  /** Starts a gateway on this Cluster, or on the servers that `env` names. It ends after the test. */
  async startGateway(env: Record<string, string> = {}): Promise<GatewayProcess> {
    const gateway = await startGateway({ REDIS_URL: this.cluster.url, ...env });
    this.afterTest(() => gateway.stop());
    return gateway;
  }

  /** Does this after the running test; the last one first. */
  afterTest(ending: Ending): void {
    this.#afterTest.push(ending);
  }

  async endTest(): Promise<void> {
    for (const ending of this.#afterTest.splice(0).reverse()) await ending();
  }

  async end(): Promise<void> {
    this.#client?.disconnect();
    await this.#cluster?.stop();
  }
}

type Ending = () => unknown;
