import { Redis } from "ioredis";
import { openBroker as openPostgresBroker } from "../examples/postgres-broker/src/broker.ts";
import { InMemoryBroker } from "../src/adapters/memory/in-memory-broker.ts";
import { openMemoryBroker } from "../src/adapters/memory/memory-broker.ts";
import { NatsPubSub } from "../src/adapters/nats/nats-pub-sub.ts";
import { openRedisBroker } from "../src/adapters/redis/redis-broker.ts";
import type { BrokerPorts } from "../src/application/ports/broker-ports.ts";
import type { ClockPort } from "../src/application/ports/clock-port.ts";
import type { TelemetryPort } from "../src/application/ports/telemetry-port.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { StagedNats } from "../test/support/staged-nats.ts";
import { StagedPostgres } from "../test/support/staged-postgres.ts";
import { cpuSeconds, cpuSecondsOfAll } from "./gateway-under-test.ts";

interface NodeOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly history: { readonly size: number; readonly ttlMs: number };
}

/** A broker with a server of its own, and nodes on it in this process. */
export interface BrokerUnderBench {
  readonly name: string;
  node(options: NodeOptions): Promise<BrokerPorts>;
  /** The processor time that the server has taken; left out if it has no process. */
  readonly cpuSeconds?: () => number;
  /** The bytes that it keeps, in memory or on disk; left out if nobody can say. */
  keptBytes?(): Promise<number>;
  stop(): Promise<void>;
}

export const brokersUnderBench: readonly (() => Promise<BrokerUnderBench>)[] = [
  async () => {
    const broker = new InMemoryBroker();
    return {
      name: "memory",
      node: async (options) => openMemoryBroker({ ...options, broker }),
      stop: async () => {},
    };
  },
  () => redis("Redis, no file", []),
  () => redis("Redis, append-only file", ["--appendonly", "yes", "--appendfsync", "everysec"]),
  nats,
  postgres,
];

async function nats(): Promise<BrokerUnderBench> {
  const staged = await StagedNats.start();
  const target = { servers: [`${staged.host}:${staged.port}`] };
  return {
    name: "NATS, file storage",
    node: async (options) => {
      const { deadLetters } = openMemoryBroker(options);
      return { events: new NatsPubSub({ ...options, target }), deadLetters };
    },
    cpuSeconds: () => cpuSeconds(staged.server.pid ?? 0),
    keptBytes: async () => {
      const { state } = await staged.ask<{ state: { bytes: number } }>("STREAM.INFO.TELLTALE_EVENTS");
      return state.bytes;
    },
    stop: () => staged.stop(),
  };
}

async function postgres(): Promise<BrokerUnderBench> {
  const staged = await StagedPostgres.start({ fsync: "on" });
  return {
    name: "PostgreSQL",
    node: async (options) =>
      openPostgresBroker({
        ...options,
        env: { POSTGRES_URL: staged.server.url },
        listen: new Set(),
      }),
    cpuSeconds: () => cpuSecondsOfAll(staged.server.pids()),
    keptBytes: async () => {
      const [row] = await staged.ask(
        (sql) => sql`
          select sum(pg_total_relation_size(oid))::float8 as bytes from pg_class
          where relkind = 'r' and relnamespace = 'telltale'::regnamespace`,
      );
      return row?.bytes;
    },
    stop: () => staged.stop(),
  };
}

async function redis(name: string, args: readonly string[]): Promise<BrokerUnderBench> {
  const server = await startRedis({ args });
  const admin = new Redis(server.url);
  const target = { host: server.host, port: server.port, db: 0 };
  return {
    name,
    node: async (options) =>
      openRedisBroker({
        ...options,
        target,
        waitReplicas: 0,
        listen: new Set(["analysis", "user", "system"]),
      }),
    cpuSeconds: () => cpuSeconds(server.pid ?? 0),
    keptBytes: async () => Number(/used_memory:(\d+)/.exec(await admin.info("memory"))?.[1]),
    stop: async () => {
      admin.disconnect();
      await server.stop();
    },
  };
}
