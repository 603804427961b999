import { Redis, type SentinelAddress } from "ioredis";
import { patientClient } from "./patient-client.ts";
import { type RunningRedis, startRedis } from "./redis-server.ts";
import type { Address, StagedBroker, WorkerAnswer, WorkerConnection, WorkerLane } from "./staged-broker.ts";

/** One Redis. After a failover the stage has another one. */
export class StagedRedis implements StagedBroker {
  readonly lanes = ["bare", "inbox"] as const;
  readonly keepsBareMessages = false;
  readonly recognisesRetries = true;
  readonly burst = 100_000;
  readonly server: RunningRedis;
  readonly admin: Redis;

  private constructor(server: RunningRedis) {
    this.server = server;
    this.admin = patientClient(server);
  }

  static async start(args: readonly string[]): Promise<StagedRedis> {
    return new StagedRedis(await startRedis({ args }));
  }

  get host(): string {
    return this.server.host;
  }

  get port(): number {
    return this.server.port;
  }

  settingsFor({ host, port }: Address): Record<string, string> {
    return { REDIS_URL: `redis://${host}:${port}` };
  }

  connectWorker(address: Address): WorkerConnection {
    return new RedisWorker({ host: address.host, port: address.port });
  }

  kill9(): Promise<void> {
    return this.server.kill9();
  }

  restart(): Promise<void> {
    return this.server.restart();
  }

  freeze(): void {
    process.kill(this.#pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#pid, "SIGCONT");
  }

  deadLetters(): Promise<number> {
    return this.admin.xlen("telltale:deadletters");
  }

  readonly listenersOf = async (analysisId: string): Promise<number> => {
    const channels = (await this.admin.pubsub("CHANNELS", `*${analysisId}*`)) as string[];
    return channels.length;
  };

  stop(): Promise<void> {
    this.admin.disconnect();
    return this.server.stop();
  }

  get #pid(): number {
    const { pid } = this.server;
    if (pid === undefined) throw new Error("a Redis without a pid cannot be frozen");
    return pid;
  }
}

type Place =
  | Address
  | {
      readonly sentinels: SentinelAddress[];
      readonly name: string;
      readonly reconnectOnError: (error: Error) => boolean;
    };

/** A worker at one server, or behind sentinels. */
export class RedisWorker implements WorkerConnection {
  readonly #redis: Redis;

  constructor(place: Place) {
    this.#redis = new Redis({
      ...place,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 50,
    });
    // The command that failed tells its fault.
    this.#redis.on("error", () => {});
  }

  async publish(lane: WorkerLane, analysisId: string, payload: string | Uint8Array): Promise<WorkerAnswer> {
    const redis = this.#redis;
    if (redis.status !== "ready") return "refused";
    const message = typeof payload === "string" ? payload : Buffer.from(payload);
    try {
      if (lane === "inbox") {
        await redis.xadd("telltale:inbox", "*", "event", message);
        return "taken";
      }
      return (await redis.publish(`analysis:${analysisId}`, message)) > 0 ? "taken" : "nobody";
    } catch (error) {
      // A Redis that says no has not done it.
      return /^(OOM|LOADING|READONLY)/.test((error as Error).message) ? "refused" : "unknown";
    }
  }

  close(): void {
    this.#redis.disconnect();
  }
}
