import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Subprocess } from "bun";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import type { CertificateFiles } from "./certificates.ts";
import { remember } from "./children.ts";
import { freePort } from "./free-port.ts";
import { needs, programPath } from "./needs.ts";

/** A Redis of this test file alone, on loopback, that keeps nothing on disk unless told to. */
export interface RunningRedis {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Its port for TLS, if it has one. */
  readonly tlsPort?: number | undefined;
  /** The process id of the server, for signals; undefined if it runs in a container. */
  readonly pid: number | undefined;
  /** Where it keeps its files; undefined if it runs in a container. */
  readonly folder?: string | undefined;
  /** Ends it for good and removes what it wrote. */
  stop(): Promise<void>;
  /** Ends it at once, writing nothing. */
  kill9(): Promise<void>;
  /** Starts it on the same port, from the dump that SAVE wrote if it did. Ends it first if it runs. */
  restart(): Promise<void>;
}

export interface RedisOptions {
  /** More arguments of `redis-server`. */
  readonly args?: readonly string[];
  /** It listens on a second port over TLS, with this certificate; its clients need none. Not in a container. */
  readonly tls?: CertificateFiles & { readonly ca: string };
  /** A Cluster of this one node, which serves all slots. */
  readonly cluster?: boolean;
}

/**
 * Starts a Redis and resolves when it answers: a local `redis-server`, or a container with
 * TELLTALE_TEST_REDIS=container or if only a Docker engine is there.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  if (process.env.TELLTALE_TEST_REDIS === "container" || !needs("redis-server")) {
    // Loaded only here, because it costs every other test file half a second.
    const { startRedisContainer } = await import("./redis-container.ts");
    return withSlots(options, await startRedisContainer(await freePort(), await redisArguments(options)));
  }
  const tlsPort = options.tls && (await freePort());
  const redis = new LocalRedis(
    await freePort(),
    await mkdtemp(join(tmpdir(), "telltale-redis-")),
    [...tlsArguments(options, tlsPort), ...(await redisArguments(options))],
    tlsPort,
  );
  try {
    await redis.start();
    return await withSlots(options, redis);
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

/** Resolves with the same server once it serves the slots that it should. */
async function withSlots({ cluster = false }: RedisOptions, redis: RunningRedis): Promise<RunningRedis> {
  if (!cluster) return redis;
  const client = new Redis(redis.url);
  try {
    await client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await eventually("the Cluster is up", async () =>
      String(await client.call("CLUSTER", "INFO")).includes("cluster_state:ok"),
    );
  } finally {
    client.disconnect();
  }
  return redis;
}

/** Resolves when the Redis at `port` answers and has loaded its data. */
export async function untilRedisAnswers(port: number): Promise<void> {
  const probe = new Redis({
    host: "127.0.0.1",
    port,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  // Until it is up every attempt fails, and that is expected.
  probe.on("error", () => {});
  try {
    // A replica may begin to load what its primary has after it has loaded its own.
    while (!(await isLoaded(probe))) await pause(20);
  } finally {
    probe.disconnect();
  }
}

async function isLoaded(redis: Redis): Promise<boolean> {
  try {
    await redis.ping();
    return true;
  } catch (error) {
    if (!(error as Error).message.startsWith("LOADING")) throw error;
    return false;
  }
}

class LocalRedis implements RunningRedis {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly folder: string;
  readonly #arguments: readonly string[];
  readonly tlsPort: number | undefined;
  #process: Subprocess | undefined;

  constructor(port: number, directory: string, args: readonly string[], tlsPort: number | undefined) {
    this.port = port;
    this.folder = directory;
    this.#arguments = args;
    this.tlsPort = tlsPort;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    const place = ["--bind", this.host, "--port", `${this.port}`, "--dir", this.folder];
    this.#process = Bun.spawn([programPath("redis-server"), ...place, ...this.#arguments], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    remember(this.#process);
    await Promise.race([untilRedisAnswers(this.port), this.#process.exited.then(failedToStart)]);
  }

  async stop(): Promise<void> {
    // A server that a test froze does not see SIGTERM.
    await this.#end("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  kill9(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.#end("SIGTERM");
    await this.start();
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.exited;
    this.#process = undefined;
  }
}

async function redisArguments({ args = [], cluster = false }: RedisOptions): Promise<string[]> {
  // The port of a Cluster's bus is 10,000 higher if it is left out: too high for some free ports.
  const bus = cluster ? ["--cluster-enabled", "yes", "--cluster-port", `${await freePort()}`] : [];
  return [...bus, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes", ...args];
}

function tlsArguments({ tls }: RedisOptions, port: number | undefined): string[] {
  if (tls === undefined) return [];
  return [
    ...["--tls-port", `${port}`, "--tls-auth-clients", "no"],
    ...["--tls-cert-file", tls.cert, "--tls-key-file", tls.key, "--tls-ca-cert-file", tls.ca],
  ];
}

function failedToStart(code: number): never {
  throw new Error(`redis-server ended with code ${code} before it answered`);
}
