import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { freePort } from "./free-port.ts";
import { patientClient } from "./patient-client.ts";
import { type RedisOptions, type RunningRedis, startRedis } from "./redis-server.ts";
import { stopProcess } from "./stop-process.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const LOADING_AGAIN_MS = 20;

interface NodeOptions {
  readonly args: readonly string[];
  /** The other nodes reach its bus through a proxy. */
  readonly proxiedBus: boolean;
  readonly tls?: RedisOptions["tls"];
}

/** One server of a `RedisCluster`. It keeps its name and its place in the Cluster when it is killed and restarted. */
export class RedisClusterNode {
  readonly server: RunningRedis;
  /** Its name in the Cluster. */
  readonly id: string;
  /** The port at which other nodes reach its bus. */
  readonly busPort: number;
  /** In front of its bus, if the Cluster has such proxies. */
  readonly bus: TcpProxy | undefined;
  readonly client: Redis;
  #state: "running" | "frozen" | "killed" = "running";

  private constructor(server: RunningRedis, client: Redis, id: string, ownBus: number, bus?: TcpProxy) {
    this.server = server;
    this.client = client;
    this.id = id;
    this.bus = bus;
    this.busPort = bus?.port ?? ownBus;
  }

  static async start({ args, proxiedBus, tls }: NodeOptions): Promise<RedisClusterNode> {
    const ownBus = await freePort();
    const bus = proxiedBus ? await TcpProxy.start({ host: "127.0.0.1", port: ownBus }) : undefined;
    const announced = bus === undefined ? [] : ["--cluster-announce-bus-port", `${bus.port}`];
    const cluster = ["--cluster-enabled", "yes", "--cluster-port", `${ownBus}`, ...announced];
    const server = await startRedis({ args: [...cluster, ...args], ...(tls && { tls }) });
    const client = patientClient(server);
    return new RedisClusterNode(server, client, String(await client.call("CLUSTER", "MYID")), ownBus, bus);
  }

  get host(): string {
    return this.server.host;
  }

  get port(): number {
    return this.server.port;
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** The answer to a subcommand of CLUSTER. Waits for a node that loads its data, as a replica does that begins anew. */
  async cluster(...words: readonly (string | number)[]): Promise<unknown> {
    for (;;) {
      try {
        return await this.client.call("CLUSTER", ...words);
      } catch (error) {
        if (!(error as Error).message.startsWith("LOADING")) throw error;
        await pause(LOADING_AGAIN_MS);
      }
    }
  }

  /** From now on the Cluster sends clients, and replicas, to this port of loopback. */
  async announce(port: number): Promise<void> {
    await this.client.config("SET", "cluster-announce-port", `${port}`);
  }

  async kill9(): Promise<void> {
    this.#state = "killed";
    await this.server.kill9();
  }

  /** It comes back without its data, unless the Cluster was started with `--appendonly yes`. */
  async restart(): Promise<void> {
    await this.server.restart();
    this.#state = "running";
  }

  freeze(): void {
    this.#state = "frozen";
    stopProcess(this.#pid);
  }

  thaw(): void {
    process.kill(this.#pid, "SIGCONT");
    this.#state = "running";
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await this.server.stop();
    await this.bus?.stop();
  }

  get #pid(): number {
    const { pid } = this.server;
    if (pid === undefined) throw new Error("a Redis without a pid cannot be frozen");
    return pid;
  }
}
