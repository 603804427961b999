import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";

export interface NodeOptions {
  readonly size?: number;
  readonly ttlMs?: number;
  readonly db?: number;
  readonly telemetry?: CollectingTelemetry;
  readonly clock?: ClockPort;
  readonly waitReplicas?: number | "seen";
}

/** The nodes of one test on a Redis; close them after it. */
export class RedisNodes {
  readonly #redis: { readonly host: string; readonly port: number };
  #open: RedisPubSub[] = [];

  /** `redis` is a Redis, or a proxy before it. */
  constructor(redis: { readonly host: string; readonly port: number }) {
    this.#redis = redis;
  }

  make({
    size = 1_000,
    ttlMs = 86_400_000,
    db = 0,
    telemetry,
    clock,
    waitReplicas,
  }: NodeOptions = {}): RedisPubSub {
    const node = new RedisPubSub({
      target: { host: this.#redis.host, port: this.#redis.port, db },
      history: { size, ttlMs },
      clock: clock ?? new SystemClock(),
      ...(waitReplicas !== undefined && { waitReplicas }),
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
