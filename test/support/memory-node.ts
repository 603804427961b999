import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryPubSub } from "../../src/adapters/memory/in-memory-pub-sub.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { HandDrivenPubSub } from "./hand-driven-pub-sub.ts";

/** One node on a broker in memory, whose network the test holds in its hands. */
export function memoryNode({
  size = 1_000,
  ttlMs = 86_400_000,
  mostBytes = undefined as number | undefined,
} = {}) {
  const clock = new ManualClock();
  const broker = new InMemoryBroker();
  const telemetry = new CollectingTelemetry();
  const history = { size, ttlMs };
  /** Another node, whose calls are never held up. */
  const elsewhere = new InMemoryPubSub({ clock, telemetry, history, broker });
  const pubSub = new HandDrivenPubSub(new InMemoryPubSub({ clock, telemetry, history, broker, mostBytes }));
  return { clock, broker, telemetry, elsewhere, pubSub };
}
