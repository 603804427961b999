import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";

interface NatsNodeOptions {
  readonly size?: number;
  readonly ttlMs?: number;
  readonly keysKnownMs?: number;
  readonly user?: string;
  readonly password?: string;
}

/** The event logs of one test on a NATS, or on a proxy before it; close them after it. */
export class NatsNodes {
  readonly #nats: { readonly host: string; readonly port: number };
  #open: NatsPubSub[] = [];

  constructor(nats: { readonly host: string; readonly port: number }) {
    this.#nats = nats;
  }

  make({ size = 1_000, ttlMs = 86_400_000, keysKnownMs, user, password }: NatsNodeOptions = {}): NatsPubSub {
    const node = new NatsPubSub({
      target: { servers: [`${this.#nats.host}:${this.#nats.port}`], user, password },
      history: { size, ttlMs },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
      keysKnownMs,
    });
    this.#open.push(node);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((node) => node.close()));
    this.#open = [];
  }
}
