import { expect, test } from "bun:test";
import { ChannelAppends } from "../../../../src/adapters/nats/channel-appends.ts";
import type { DeduplicationKey } from "../../../../src/application/ports/deduplication-key.ts";
import { status } from "../../../../src/testing/encoded-events.ts";
import { KEYS_KNOWN_MS, SimulatedNats, SimulatedStream } from "../../../model/nats-server.ts";

const WINDOW_MS = KEYS_KNOWN_MS - 1_000;

function keyed(scope: "channel" | "notices"): DeduplicationKey {
  return { by: "key", name: "k", scope, windowMs: WINDOW_MS, rememberMs: WINDOW_MS };
}

test.each(["channel", "notices"] as const)(
  "PS-9 a key that is used anew is recognised once the stream has forgotten its first use, in the name space %s",
  async (scope) => {
    const nats = new SimulatedNats();
    const stream = new SimulatedStream(nats, 0, true);
    let names = 0;
    /** A node that knows nothing but what the stream holds. */
    const append = async (deduplicate?: DeduplicationKey) => {
      const appends = new ChannelAppends({
        ...{ stream, history: { size: 9, ttlMs: 60_000 }, newName: () => `x${names++}` },
        digest: (name) => name,
      });
      const requests = [{ events: [status()], ...(deduplicate && { deduplicate }) }];
      return (await appends.append({ channel: "user:one", requests, deadline: nats.now + 2_000 }))
        .outcomes[0];
    };
    expect(await append(keyed(scope))).toMatchObject({ type: "stored", firstOffset: 1 });
    nats.pass(WINDOW_MS + 10);
    expect(await append(keyed(scope))).toMatchObject({ type: "stored", firstOffset: 2 });
    await append();
    nats.pass(KEYS_KNOWN_MS - WINDOW_MS);
    expect(await append(keyed(scope))).toMatchObject({ type: "duplicate", firstOffset: 2 });
    nats.pass(WINDOW_MS);
    expect(await append(keyed(scope))).toMatchObject({ type: "stored", firstOffset: 4 });
  },
);
