import { expect, test } from "bun:test";
import { ChannelAppends } from "../../../../src/adapters/nats/channel-appends.ts";
import { subjectsOf } from "../../../../src/adapters/nats/subjects.ts";
import { trimChannel } from "../../../../src/adapters/nats/trim-channel.ts";
import type { DeduplicationKey } from "../../../../src/application/ports/deduplication-key.ts";
import { status } from "../../../../src/testing/encoded-events.ts";
import { KEYS_KNOWN_MS, SimulatedNats, SimulatedStream } from "../../../model/nats-server.ts";

const CHANNEL = "analysis:one";
const TERMS = { ttlMs: 60_000, keysKnownMs: KEYS_KNOWN_MS };
const KEY: DeduplicationKey = {
  ...{ by: "key", name: "k", scope: "channel", windowMs: KEYS_KNOWN_MS, rememberMs: KEYS_KNOWN_MS },
};

test("PS-9 trimChannel() leaves a message as long as its key may come again, and no longer", async () => {
  const nats = new SimulatedNats();
  const stream = new SimulatedStream(nats, 0, true);
  let names = 0;
  const appends = new ChannelAppends({
    stream,
    history: { size: 4, ttlMs: 60_000 },
    newName: () => `x${names++}`,
    digest: (name) => name,
  });
  const append = async (deduplicate?: DeduplicationKey) => {
    const request = { events: [status()], ...(deduplicate && { deduplicate }) };
    const { outcomes } = await appends.append({
      ...{ channel: CHANNEL, requests: [request], deadline: nats.now + 2_000 },
    });
    return outcomes[0];
  };
  await append(KEY);
  for (let n = 0; n < 20; n++) await append();
  nats.pass(1_000);
  await trimChannel(stream, subjectsOf(CHANNEL), TERMS);
  expect(await append(KEY)).toMatchObject({ type: "duplicate", firstOffset: 1 });
  expect(nats.messages).toHaveLength(21);
  nats.pass(KEYS_KNOWN_MS + 1);
  await trimChannel(stream, subjectsOf(CHANNEL), TERMS);
  expect(nats.messages.length).toBeLessThan(12);
});
