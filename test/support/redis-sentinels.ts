import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type RunningRedis, startRedis } from "./redis-server.ts";
import { PRIMARY, Sentinel } from "./sentinel.ts";
import type { Address } from "./staged-broker.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const LOG = "server.log";
/**
 * A server that is killed comes back with all that it answered for, since a sentinel may promote it at once: `everysec` holds
 * writes back while an fsync takes long. A promoted one waits for nobody before a replica may read from it.
 */
const ARGS = [
  ...["--appendonly", "yes", "--appendfsync", "always", "--logfile", LOG],
  ...["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"],
];
/** A machine with other work may fail to elect anybody several times. */
const PATIENCE_MS = 60_000;
/** Longer than `failover-timeout`, after which a sentinel gives up. */
const ASK_AGAIN_MS = 3_000;
/** The target of a proxy until its server runs. */
const NOWHERE = { host: "127.0.0.1", port: 1 };

/** A primary and a replica, watched by three sentinels, all on loopback. */
export class SentinelGroup {
  /** Both servers; which of them is the primary changes. */
  readonly servers: readonly [RunningRedis, RunningRedis];
  readonly sentinels: readonly Sentinel[];
  readonly #networks: ReadonlyMap<RunningRedis, TcpProxy>;

  private constructor(
    servers: readonly [RunningRedis, RunningRedis],
    sentinels: readonly Sentinel[],
    networks: ReadonlyMap<RunningRedis, TcpProxy>,
  ) {
    this.servers = servers;
    this.sentinels = sentinels;
    this.#networks = networks;
  }

  /**
   * Resolves once the replica is in step and all sentinels know of each other. With `networks` everybody reaches a server over
   * a proxy, by the address that the server announces.
   */
  static async start({ networks = false } = {}): Promise<SentinelGroup> {
    const proxies = networks ? [await TcpProxy.start(NOWHERE), await TcpProxy.start(NOWHERE)] : [];
    const announced = (proxy: TcpProxy | undefined) =>
      proxy === undefined ? [] : ["--replica-announce-port", `${proxy.port}`];
    const first = await startRedis({ args: [...ARGS, ...announced(proxies[0])] });
    const primary = proxies[0] ?? first;
    const second = await startRedis({ args: [...ARGS, ...announced(proxies[1])] });
    for (const [index, server] of [first, second].entries()) proxies[index]?.retarget(server);
    await follow(second, primary);
    const sentinels = await Promise.all([1, 2, 3].map(() => Sentinel.start(primary)));
    const reached = [first, second].flatMap((server, index) => {
      const proxy = proxies[index];
      return proxy === undefined ? [] : [[server, proxy] as const];
    });
    const group = new SentinelGroup([first, second], sentinels, new Map(reached));
    await group.#eventually("the sentinels know of each other", async () => {
      const known = await Promise.all(sentinels.map((sentinel) => sentinel.ask("MASTER", PRIMARY)));
      return known.every((text) => text.includes("num-other-sentinels,2") && text.includes("num-slaves,1"));
    });
    await group.untilReplicated();
    return group;
  }

  get url(): string {
    const servers = this.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    return `redis+sentinel://${servers.join(",")}/${PRIMARY}`;
  }

  /** The proxy over which everybody reaches the server. */
  networkOf(server: RunningRedis): TcpProxy {
    const network = this.#networks.get(server);
    if (network === undefined) throw new Error("the group was started without networks");
    return network;
  }

  /** The server that the sentinels take for the primary. */
  async primary(): Promise<RunningRedis> {
    const [port] = await this.#named();
    const found = this.servers.find((server) => this.#portOf(server) === port);
    if (found === undefined) throw new Error(`the sentinels name none of the servers: ${port}`);
    return found;
  }

  otherThan(server: RunningRedis): RunningRedis {
    const [first, second] = this.servers;
    return server === first ? second : first;
  }

  /** Resolves when all sentinels take another server than `old` for the primary. */
  async untilAnotherThan(old: RunningRedis): Promise<void> {
    await this.#eventually("another primary is chosen", async () => {
      const named = await this.#named();
      return named.every((port) => port !== this.#portOf(old));
    });
  }

  /**
   * Makes the other server the primary, and resolves when all sentinels say so. A sentinel that agreed may give up on a slow
   * machine, so that it is asked again while it names the old one.
   */
  async demotePrimary(): Promise<void> {
    const old = this.#portOf(await this.primary());
    let askAt = 0;
    await this.#eventually("another primary is chosen by hand", async () => {
      const [told, ...others] = await this.#named();
      if (told === old && performance.now() >= askAt) {
        await this.#askForFailover();
        askAt = performance.now() + ASK_AGAIN_MS;
      }
      return [told, ...others].every((port) => port !== old);
    });
  }

  async #askForFailover(): Promise<void> {
    try {
      await this.sentinels[0]?.ask("FAILOVER", PRIMARY);
    } catch (error) {
      // It is at it already, or has not looked at the replica of late.
      if (!/INPROG|NOGOODSLAVE/.test(String(error))) throw error;
    }
  }

  /** Resolves when all sentinels name one primary, and the other server follows it in step. */
  async untilReplicated(): Promise<void> {
    await this.#eventually("the replica is in step", async () => {
      if (new Set(await this.#named()).size !== 1) return false;
      const primary = await this.primary();
      const [leads, follows] = await Promise.all([
        replicationOf(primary),
        replicationOf(this.otherThan(primary)),
      ]);
      return leads.includes("state=online") && follows.includes("master_link_status:up");
    });
  }

  /** From now on the primary stays the one it is, however slow the machine. */
  async settle(): Promise<void> {
    for (const sentinel of this.sentinels)
      await sentinel.ask("SET", PRIMARY, "down-after-milliseconds", "600000");
    await this.untilReplicated();
  }

  /** How often a server was promoted so far. */
  async failovers(): Promise<number> {
    const states = await Promise.all(this.sentinels.map((sentinel) => sentinel.ask("MASTER", PRIMARY)));
    return Math.max(...states.map((text) => Number(/config-epoch,(\d+)/.exec(text)?.[1])));
  }

  /** Everything that servers and sentinels wrote, for the reader of a failed test. */
  async report(): Promise<string> {
    const parts: string[] = [];
    for (const server of this.servers) {
      parts.push(`Redis at ${this.#portOf(server)}: ${await replicationOf(server)}`);
      if (server.folder !== undefined) parts.push(await readFile(join(server.folder, LOG), "utf8"));
    }
    for (const sentinel of this.sentinels) parts.push(`sentinel at ${sentinel.port}:`, await sentinel.log());
    return parts.join("\n");
  }

  async stop(): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
    await Promise.all([...this.#networks.values()].map((network) => network.stop()));
  }

  /** The port that each sentinel which runs gives for the primary. */
  async #named(): Promise<number[]> {
    const running = this.sentinels.filter(({ runs }) => runs);
    const answers = await Promise.all(running.map((one) => one.ask("GET-MASTER-ADDR-BY-NAME", PRIMARY)));
    return answers.map((answer) => Number(answer.split(",")[1]));
  }

  #portOf(server: RunningRedis): number {
    return this.#networks.get(server)?.port ?? server.port;
  }

  #eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
    return eventually(what, holds, PATIENCE_MS);
  }
}

/** By command and not by an argument, which would hold again whenever the server is started. */
async function follow({ port }: RunningRedis, primary: Address): Promise<void> {
  const client = new Redis({ port });
  try {
    await client.replicaof(primary.host, primary.port);
  } finally {
    client.disconnect();
  }
}

/** `INFO replication`; the reason if there is no answer. */
async function replicationOf({ port }: RunningRedis): Promise<string> {
  const client = new Redis({ port, lazyConnect: true, retryStrategy: null, commandTimeout: 1_000 });
  client.on("error", () => {});
  try {
    return await client.info("replication");
  } catch (error) {
    // It may be killed or frozen.
    return String(error);
  } finally {
    client.disconnect();
  }
}
