import { afterAll, afterEach, beforeAll } from "bun:test";
import type { Redis } from "ioredis";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { patientClient } from "./patient-client.ts";
import { RedisNodes } from "./redis-nodes.ts";
import { type RedisOptions, type RunningRedis, startRedis } from "./redis-server.ts";
import { GatewayInUse } from "./use-gateway.ts";

/**
 * A Redis for the tests of one `describe`: it starts before the first and ends after the last of them. Call it in the
 * `describe`, before other hooks; everything but `nodes` is there once the tests run.
 */
export function useRedis(options: RedisOptions = {}): RedisInUse {
  const redis = new RedisInUse(options);
  beforeAll(() => redis.start());
  afterEach(() => redis.endTest());
  afterAll(() => redis.end());
  return redis;
}

/** Use `useRedis`. */
export class RedisInUse implements RunningRedis {
  /** Event logs on this Redis, closed after each test. */
  readonly nodes = new RedisNodes(this);
  readonly #options: RedisOptions;
  readonly #afterTest: Ending[] = [];
  readonly #atLast: Ending[] = [];
  #server: RunningRedis | undefined;
  #client: Redis | undefined;

  constructor(options: RedisOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#server = await startRedis(this.#options);
    this.#client = patientClient(this.#server);
  }

  /** A client of the tests' own, which outlives every fault of the server. */
  get client(): Redis {
    if (this.#client === undefined) throw new Error("the Redis of the tests has not started");
    return this.#client;
  }

  get url(): string {
    return this.#running.url;
  }

  get host(): string {
    return this.#running.host;
  }

  get port(): number {
    return this.#running.port;
  }

  get tlsPort(): number | undefined {
    return this.#running.tlsPort;
  }

  get pid(): number | undefined {
    return this.#running.pid;
  }

  kill9(): Promise<void> {
    return this.#running.kill9();
  }

  restart(): Promise<void> {
    return this.#running.restart();
  }

  async stop(): Promise<void> {
    await this.#running.stop();
  }

  /** Starts a gateway on this Redis, or on the one that `env` names. It ends after the test. */
  async startGateway(env: Record<string, string> = {}): Promise<GatewayProcess> {
    const place = "REDIS_HOST" in env || "REDIS_URL" in env ? {} : { REDIS_URL: this.url };
    const gateway = await startGateway({ ...place, ...env });
    this.afterTest(() => gateway.stop());
    return gateway;
  }

  /** A gateway on this Redis for all tests of the `describe`. */
  useGateway(env: () => Record<string, string> = () => ({})): GatewayProcess {
    const gateway = new GatewayInUse(() => ({ REDIS_URL: this.url, ...env() }));
    beforeAll(() => gateway.start());
    this.#atLast.push(() => gateway.stop());
    return gateway;
  }

  /** Does this after the running test; the last one first. */
  afterTest(ending: Ending): void {
    this.#afterTest.push(ending);
  }

  /** Does this after all tests, while the server still runs; the last one first. */
  atLast(ending: Ending): void {
    this.#atLast.push(ending);
  }

  async endTest(): Promise<void> {
    for (const ending of this.#afterTest.splice(0).reverse()) await ending();
    await this.nodes.close();
  }

  async end(): Promise<void> {
    for (const ending of this.#atLast.splice(0).reverse()) await ending();
    this.#client?.disconnect();
    await this.#server?.stop();
  }

  get #running(): RunningRedis {
    if (this.#server === undefined) throw new Error("the Redis of the tests has not started");
    return this.#server;
  }
}

type Ending = () => unknown;
