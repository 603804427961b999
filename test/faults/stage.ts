import type { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { patientClient } from "../support/patient-client.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** `durable`: everything is on disk within a second. `volatile`: only what SAVE wrote. `replicated`: one replica. */
export type StageName = "durable" | "volatile" | "replicated" | "unguarded";

const REDIS_ARGUMENTS: Readonly<Record<StageName, readonly string[]>> = {
  durable: ["--appendonly", "yes", "--appendfsync", "everysec"],
  volatile: [],
  replicated: [],
  unguarded: [],
};

/** One gateway, with a network of its own towards Redis and another towards its clients. */
export class Seat {
  readonly name: string;
  readonly redisSide: TcpProxy;
  readonly clientSide: TcpProxy;
  readonly #env: Record<string, string>;
  #process: GatewayProcess;
  #earlierOutput = "";

  private constructor(
    name: string,
    redisSide: TcpProxy,
    clientSide: TcpProxy,
    env: Record<string, string>,
    process: GatewayProcess,
  ) {
    this.name = name;
    this.redisSide = redisSide;
    this.clientSide = clientSide;
    this.#env = env;
    this.#process = process;
  }

  static async take(name: string, redis: { host: string; port: number }, env: Record<string, string>) {
    const redisSide = await TcpProxy.start(redis);
    const own = { ...env, REDIS_URL: `redis://${redisSide.host}:${redisSide.port}` };
    const process = await startGateway(own);
    const clientSide = await TcpProxy.start({ host: "127.0.0.1", port: process.port });
    return new Seat(name, redisSide, clientSide, own, process);
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
    await Promise.all([this.redisSide.stop(), this.clientSide.stop()]);
  }
}

/** A Redis and two gateways on it, all real, which several rounds may share. */
export class Stage {
  readonly name: StageName;
  readonly token: string;
  /** Workers reach Redis over it, so that they follow a failover. */
  readonly workerSide: TcpProxy;
  readonly seats: readonly [Seat, Seat];
  redis: RunningRedis;
  replica: RunningRedis | undefined;
  /** Between the primary and its replica. */
  replicaSide: TcpProxy | undefined;
  admin: Redis;

  private constructor(
    name: StageName,
    token: string,
    redis: RunningRedis,
    workerSide: TcpProxy,
    seats: readonly [Seat, Seat],
  ) {
    this.name = name;
    this.token = token;
    this.redis = redis;
    this.workerSide = workerSide;
    this.seats = seats;
    this.admin = patientClient(redis);
  }

  static async set(name: StageName): Promise<Stage> {
    const redis = await startRedis({ args: REDIS_ARGUMENTS[name] });
    const env = {
      HISTORY_SIZE: "200000",
      MAX_CONNECTIONS_PER_USER: "1000000",
      DRAIN_SECONDS: "2",
      ...(name === "unguarded" ? { REDIS_WAIT_REPLICAS: "0" } : {}),
    };
    const scopes = ["analysis:publish", "notice:publish"] as const;
    const token = await tokenFor({ user: "everybody", scopes: [...scopes], expiresInSeconds: 86_400 });
    const workerSide = await TcpProxy.start(redis);
    const seats = [await Seat.take("A", redis, env), await Seat.take("B", redis, env)] as const;
    const stage = new Stage(name, token, redis, workerSide, seats);
    if (name === "replicated" || name === "unguarded") await stage.addReplica();
    // A gateway asks for replicas on each new connection.
    for (const seat of seats) seat.redisSide.cut();
    await stage.untilReady();
    return stage;
  }

  async addReplica(): Promise<void> {
    await this.replicaSide?.stop();
    this.replicaSide = await TcpProxy.start(this.redis);
    const { host, port } = this.replicaSide;
    this.replica = await startRedis({
      args: ["--replicaof", host, `${port}`, "--repl-diskless-sync-delay", "0"],
    });
    await eventually("the replica follows", async () =>
      (await this.admin.info("replication")).includes("state=online"),
    );
  }

  /** The replica takes the place of the primary, which is left as it is, and for the caller to stop. */
  async promoteReplica(): Promise<RunningRedis> {
    if (this.replica === undefined) throw new Error("nothing to promote");
    const old = this.redis;
    this.admin.disconnect();
    this.redis = this.replica;
    this.replica = undefined;
    this.admin = patientClient(this.redis);
    await this.admin.replicaof("NO", "ONE");
    return old;
  }

  async untilReady(): Promise<void> {
    await eventually("both gateways are ready", async () =>
      (await Promise.all(this.seats.map((seat) => seat.isReady()))).every(Boolean),
    );
  }

  async strike(): Promise<void> {
    this.admin.disconnect();
    await Promise.all(this.seats.map((seat) => seat.leave()));
    await Promise.all([this.workerSide.stop(), this.replicaSide?.stop()]);
    await Promise.all([this.redis.stop(), this.replica?.stop()]);
  }
}
