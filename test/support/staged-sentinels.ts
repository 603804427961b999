import { Redis, type SentinelAddress } from "ioredis";
import { SentinelGroup } from "./redis-sentinels.ts";
import type { RunningRedis } from "./redis-server.ts";
import { PRIMARY } from "./sentinel.ts";
import type { Address, StagedBroker, WorkerConnection } from "./staged-broker.ts";
import { RedisWorker } from "./staged-redis.ts";
import type { Direction, ProxiedConnection, TcpProxy } from "./tcp-proxy.ts";

/** Two servers of Redis with AOF, each behind a proxy that it announces, watched by three sentinels. */
export class StagedSentinels implements StagedBroker {
  readonly lanes = ["bare", "inbox"] as const;
  readonly keepsBareMessages = false;
  readonly recognisesRetries = true;
  readonly burst = 100_000;
  readonly group: SentinelGroup;
  readonly #admin: Redis;
  /** The gateways whose connections to Redis are held up, by the password that each shows. */
  readonly #heldUp = new Map<string, Direction | undefined>();
  #struck: RunningRedis | undefined;

  private constructor(group: SentinelGroup) {
    this.group = group;
    this.#admin = new Redis({ ...this.#sentinels, maxRetriesPerRequest: null, reconnectOnError: isDemoted });
    // A primary that is being replaced refuses for a moment.
    this.#admin.on("error", () => {});
    for (const network of this.#networks) network.onData = (connection) => this.#holdUp(connection);
  }

  static async start(): Promise<StagedSentinels> {
    return new StagedSentinels(await SentinelGroup.start({ networks: true }));
  }

  /** One server of the group. Nobody uses its address: gateways and workers ask the sentinels. */
  get host(): string {
    return this.group.servers[0].host;
  }

  get port(): number {
    return this.group.servers[0].port;
  }

  /** Redis takes any password of its default user, and the proxies know the gateway by it. */
  settingsFor(seat: Address): Record<string, string> {
    return { REDIS_URL: this.group.url.replace("//", `//default:${passwordOf(seat)}@`) };
  }

  connectWorker(): WorkerConnection {
    return new RedisWorker({ ...this.#sentinels, reconnectOnError: isDemoted });
  }

  /** From now on nothing gets through between that gateway and any server; without a direction both ways. */
  cutOff(seat: Address, direction?: Direction): void {
    this.#heldUp.set(passwordOf(seat), direction);
    for (const connection of this.#connections) this.#holdUp(connection);
  }

  /** The connections go on, or end with all that waits on them. */
  reconnect(seat: Address, fate: "go on" | "end"): void {
    this.#heldUp.delete(passwordOf(seat));
    for (const connection of this.#connections.filter(({ opening }) => opening.includes(passwordOf(seat)))) {
      if (fate === "end") connection.cut();
      else connection.resume();
    }
  }

  /** Calls back each time another primary is chosen. Returns how to stop that. */
  async onFailover(chosen: () => void): Promise<() => Promise<unknown>> {
    const [{ port } = { port: 0 }] = this.group.sentinels;
    const client = new Redis({ port, enableReadyCheck: false });
    client.on("error", () => {});
    client.on("message", chosen);
    await client.subscribe("+switch-master");
    return async () => client.disconnect();
  }

  async kill9(): Promise<void> {
    this.#struck = await this.group.primary();
    await this.#struck.kill9();
  }

  async restart(): Promise<void> {
    await this.#struck?.restart();
    await this.group.untilReplicated();
  }

  freeze(): void {
    for (const { pid } of this.group.servers) process.kill(pid ?? 0, "SIGSTOP");
  }

  thaw(): void {
    for (const { pid } of this.group.servers) process.kill(pid ?? 0, "SIGCONT");
  }

  deadLetters(): Promise<number> {
    return this.#admin.xlen("telltale:deadletters");
  }

  readonly listenersOf = async (analysisId: string): Promise<number> => {
    const channels = (await this.#admin.pubsub("CHANNELS", `*${analysisId}*`)) as string[];
    return channels.length;
  };

  stop(): Promise<void> {
    this.#admin.disconnect();
    return this.group.stop();
  }

  #holdUp(connection: ProxiedConnection): void {
    for (const [password, direction] of this.#heldUp)
      if (connection.opening.includes(password)) connection.pause(direction);
  }

  get #sentinels() {
    const sentinels: SentinelAddress[] = this.group.sentinels.map(({ port }) => ({
      host: "127.0.0.1",
      port,
    }));
    return { sentinels, name: PRIMARY };
  }

  get #networks(): TcpProxy[] {
    return this.group.servers.map((server) => this.group.networkOf(server));
  }

  get #connections(): ProxiedConnection[] {
    return this.#networks.flatMap(({ connections }) => [...connections]);
  }
}

function passwordOf({ port }: Address): string {
  return `seat-at-${port}`;
}

/** The client then asks the sentinels again. */
function isDemoted({ message }: Error): boolean {
  return message.startsWith("READONLY");
}
