import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "./collecting-telemetry.ts";
import type { RunningRedis } from "./redis-server.ts";

export interface NodeOptions {
  readonly size?: number;
  readonly ttlMs?: number;
  readonly db?: number;
  readonly telemetry?: CollectingTelemetry;
}

/** The nodes of one test on a Redis; close them after it. */
export class RedisNodes {
  readonly #redis: RunningRedis;
  #open: RedisPubSub[] = [];

  constructor(redis: RunningRedis) {
    this.#redis = redis;
  }

  make({ size = 1_000, ttlMs = 86_400_000, db = 0, telemetry }: NodeOptions = {}): RedisPubSub {
    const node = new RedisPubSub({
      target: { host: this.#redis.host, port: this.#redis.port, db },
      history: { size, ttlMs },
      clock: new SystemClock(),
      telemetry: telemetry ?? new CollectingTelemetry(),
    });
    this.#open.push(node);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((node) => node.close()));
    this.#open = [];
  }
}
