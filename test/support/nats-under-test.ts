import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { subjectsOf } from "../../src/adapters/nats/subjects.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import type { PubSubUnderTest } from "../../src/testing/contracts/pub-sub-under-test.ts";
import type { NatsInUse } from "./use-nats.ts";

/** An empty NATS for one test of the contract of `PubSubPort`. Its clock cannot be moved, so time passes by waiting. */
export async function emptyNatsLog(nats: NatsInUse): Promise<PubSubUnderTest> {
  await nats.purgeStreams();
  return {
    node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
      new NatsPubSub({ ...sharedNats(nats), history: { size, ttlMs } }),
    elapse: (milliseconds) => Bun.sleep(milliseconds),
    loseEverything: () => nats.purgeStreams(),
    writeNewerFormat: async (channel) => {
      const client = await nats.client();
      await client.request(subjectsOf(channel).events, "2 from a newer Telltale");
    },
    close: async () => {},
  };
}

/** The options that all adapters on this NATS have in common. */
export function sharedNats(nats: NatsInUse) {
  const target = { servers: [nats.address] };
  return { target, clock: new SystemClock(), telemetry: new CollectingTelemetry() };
}

/** Ids of entries as the inbox numbers them, in their order: two streams, the second made anew. */
export const STREAM_IDS = [
  "mi4z0000-1",
  "mi4z0000-2",
  "mi4z0000-10",
  "mi4z0000-99",
  "mi4z0001-1",
  "mi4z0001-2",
  "10000000000-1",
] as const;
