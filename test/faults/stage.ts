import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import type { StagedBroker } from "../support/staged-broker.ts";
import { StagedNats } from "../support/staged-nats.ts";
import { StagedNatsCluster } from "../support/staged-nats-cluster.ts";
import { StagedPostgres } from "../support/staged-postgres.ts";
import { StagedRedis } from "../support/staged-redis.ts";
import { StagedRedisCluster } from "../support/staged-redis-cluster.ts";
import { StagedSentinels } from "../support/staged-sentinels.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/**
 * On Redis, `durable`: everything is on disk before it is answered; `volatile`: only what SAVE wrote; `replicated`: one replica
 * that publishers wait for; `unguarded`: one that nobody waits for; `sentinels`: one that sentinels promote. The others are other brokers.
 */
export type StageName =
  | "durable"
  | "volatile"
  | "replicated"
  | "unguarded"
  | "sentinels"
  | "redis-cluster"
  | "nats"
  | "nats-cluster"
  | "postgres";

const BROKERS: Readonly<Record<StageName, () => Promise<StagedBroker>>> = {
  durable: () => StagedRedis.start(["--appendonly", "yes", "--appendfsync", "always"]),
  volatile: () => StagedRedis.start([]),
  replicated: () => StagedRedis.start([]),
  unguarded: () => StagedRedis.start([]),
  sentinels: () => StagedSentinels.start(),
  "redis-cluster": () => StagedRedisCluster.start(),
  nats: () => StagedNats.start(),
  "nats-cluster": () => StagedNatsCluster.start(),
  postgres: () => StagedPostgres.start(),
};

/** One gateway, with a network of its own towards the broker and another towards its clients. */
export class Seat {
  readonly name: string;
  readonly brokerSide: TcpProxy;
  readonly clientSide: TcpProxy;
  readonly #env: Record<string, string>;
  #process: GatewayProcess;
  #earlierOutput = "";

  private constructor(
    name: string,
    brokerSide: TcpProxy,
    clientSide: TcpProxy,
    env: Record<string, string>,
    process: GatewayProcess,
  ) {
    this.name = name;
    this.brokerSide = brokerSide;
    this.clientSide = clientSide;
    this.#env = env;
    this.#process = process;
  }

  static async take(name: string, broker: StagedBroker, env: Record<string, string>) {
    const brokerSide = await TcpProxy.start(broker);
    const own = { ...env, ...broker.settingsFor(brokerSide) };
    const process = await startGateway(own);
    const clientSide = await TcpProxy.start({ host: "127.0.0.1", port: process.port });
    return new Seat(name, brokerSide, clientSide, own, process);
  }

  /** As clients reach it, over the network that a round may cut. */
  get url(): string {
    return `http://${this.clientSide.host}:${this.clientSide.port}`;
  }

  /** Past that network. */
  get directUrl(): string {
    return this.#process.url;
  }

  get output(): string {
    return this.#earlierOutput + this.#process.output();
  }

  freeze(): void {
    process.kill(this.#process.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#process.pid, "SIGCONT");
  }

  kill9(): Promise<void> {
    return this.#process.kill9();
  }

  stop(): Promise<number> {
    return this.#process.stop();
  }

  /** On the port it had. */
  async startAgain(): Promise<void> {
    this.#earlierOutput = this.output.slice(-200_000);
    this.#process = await startGateway({ ...this.#env, PORT: `${this.#process.port}` });
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.directUrl}/ready`, { signal: AbortSignal.timeout(2_000) })).status === 200;
    } catch {
      // Not answering is not being ready.
      return false;
    }
  }

  async leave(): Promise<void> {
    await this.#process.kill9();
    await Promise.all([this.brokerSide.stop(), this.clientSide.stop()]);
  }
}

/** A broker and two gateways on it, all real, which several rounds may share. */
export class Stage {
  readonly name: StageName;
  readonly token: string;
  /** Workers reach the broker over it, so that they follow a failover. */
  readonly workerSide: TcpProxy;
  readonly seats: readonly [Seat, Seat];
  broker: StagedBroker;
  replica: StagedRedis | undefined;
  /** Between the primary and its replica. */
  replicaSide: TcpProxy | undefined;

  private constructor(
    name: StageName,
    token: string,
    broker: StagedBroker,
    workerSide: TcpProxy,
    seats: readonly [Seat, Seat],
  ) {
    this.name = name;
    this.token = token;
    this.broker = broker;
    this.workerSide = workerSide;
    this.seats = seats;
  }

  static async set(name: StageName): Promise<Stage> {
    const broker = await BROKERS[name]();
    const env = {
      HISTORY_SIZE: "200000",
      MAX_CONNECTIONS_PER_USER: "1000000",
      DRAIN_SECONDS: "2",
      ...(name === "unguarded" ? { REDIS_WAIT_REPLICAS: "0" } : {}),
    };
    const scopes = ["analysis:publish", "notice:publish"] as const;
    const token = await tokenFor({ user: "everybody", scopes: [...scopes], expiresInSeconds: 86_400 });
    const workerSide = await TcpProxy.start(broker);
    const seats = [await Seat.take("A", broker, env), await Seat.take("B", broker, env)] as const;
    const stage = new Stage(name, token, broker, workerSide, seats);
    if (name === "replicated" || name === "unguarded") await stage.addReplica();
    // A gateway asks for replicas on each new connection.
    for (const seat of seats) seat.brokerSide.cut();
    await stage.untilReady();
    return stage;
  }

  /** The broker, for a fault that only Redis has. */
  get redis(): StagedRedis {
    if (this.broker instanceof StagedRedis) return this.broker;
    throw new Error(`${this.name} is no stage of Redis`);
  }

  async addReplica(): Promise<void> {
    await this.replicaSide?.stop();
    this.replicaSide = await TcpProxy.start(this.broker);
    const { host, port } = this.replicaSide;
    this.replica = await StagedRedis.start([
      "--replicaof",
      host,
      `${port}`,
      "--repl-diskless-sync-delay",
      "0",
    ]);
    await eventually("the replica follows", async () =>
      (await this.redis.admin.info("replication")).includes("state=online"),
    );
  }

  /** The replica takes the place of the primary, which is left as it is, and for the caller to stop. */
  async promoteReplica(): Promise<StagedRedis> {
    if (this.replica === undefined) throw new Error("nothing to promote");
    const old = this.redis;
    this.broker = this.replica;
    this.replica = undefined;
    await this.redis.admin.replicaof("NO", "ONE");
    return old;
  }

  async untilReady(): Promise<void> {
    await eventually("both gateways are ready", async () =>
      (await Promise.all(this.seats.map((seat) => seat.isReady()))).every(Boolean),
    );
  }

  async strike(): Promise<void> {
    await Promise.all(this.seats.map((seat) => seat.leave()));
    await Promise.all([this.workerSide.stop(), this.replicaSide?.stop()]);
    await Promise.all([this.broker.stop(), this.replica?.stop()]);
  }
}
