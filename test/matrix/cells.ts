import { needs } from "../support/needs.ts";
import type { RuntimeName } from "../support/runtime-command.ts";
import type { StagedBroker } from "../support/staged-broker.ts";
import { StagedNats } from "../support/staged-nats.ts";
import { StagedPostgres } from "../support/staged-postgres.ts";
import { StagedRedis } from "../support/staged-redis.ts";

/** One broker of the matrix. A gateway in memory has no server. */
export interface MatrixBroker {
  readonly name: string;
  /** Whether its server can run on this machine; says aloud if not. */
  readonly isThere: () => boolean;
  readonly start: () => Promise<StagedBroker | undefined>;
}

export const RUNTIMES: readonly RuntimeName[] = ["bun", "deno"];

export const BROKERS: readonly MatrixBroker[] = [
  { name: "memory", isThere: () => true, start: async () => undefined },
  {
    name: "redis",
    isThere: () => needs("redis-server"),
    start: () => StagedRedis.start(["--appendonly", "yes"]),
  },
  { name: "nats", isThere: () => needs("nats-server"), start: () => StagedNats.start() },
  { name: "postgres", isThere: () => needs("postgres"), start: () => StagedPostgres.start() },
];
