import { entryId } from "../../src/adapters/nats/entry-ids.ts";
import { NatsDeadLetters } from "../../src/adapters/nats/nats-dead-letters.ts";
import { NatsInbox } from "../../src/adapters/nats/nats-inbox.ts";
import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { STATE_STREAM, subjectsOf } from "../../src/adapters/nats/subjects.ts";
import { WORKERS_STREAM } from "../../src/adapters/nats/worker-subjects.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import type { DeadLettersUnderTest } from "../../src/testing/contracts/dead-letter-contract.ts";
import type { InboxUnderTest } from "../../src/testing/contracts/inbox-under-test.ts";
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

/** Messages of the inbox's suite are larger than a server takes by default. */
export const LARGE_MESSAGES = { config: "max_payload: 8MB" };

/** The inbox on a NATS whose streams are made anew. */
export async function emptyNatsInbox(nats: NatsInUse): Promise<InboxUnderTest> {
  await removeStream(nats, WORKERS_STREAM);
  await removeStream(nats, STATE_STREAM);
  const maker = natsInbox(nats);
  await maker.backlog();
  await maker.close();
  let client = await nats.client();
  const info = await client.request(`$JS.API.STREAM.INFO.${WORKERS_STREAM}`);
  const creation = Date.parse(info.json<{ created: string }>().created).toString(36);
  const publish = async (subject: string, event: string) => {
    // The server may have been restarted.
    if (client.isClosed()) client = await nats.client();
    const { seq } = (await client.request(subject, event)).json<{ seq: number }>();
    const kept = await client.request(`$JS.API.STREAM.MSG.GET.${WORKERS_STREAM}`, JSON.stringify({ seq }));
    const { message } = kept.json<{ message: { time: string } }>();
    return entryId(creation, seq, nanosecondsOf(message.time));
  };
  return {
    node: () => natsInbox(nats),
    add: ([[, event] = ["event", ""]]) => publish("telltale.inbox", event),
    addTo: (channel, event) => publish(channel.replace(":", "."), event),
    elapse: (milliseconds) => Bun.sleep(milliseconds),
    close: async () => {},
  };
}

export function natsInbox(nats: NatsInUse): NatsInbox {
  const listen = ["analysis", "user", "system"] as const;
  return new NatsInbox({ ...sharedNats(nats), listen });
}

/** The dead letters on a NATS whose stream is made anew: a purge would leave what it recognises. */
export async function emptyNatsDeadLetters(nats: NatsInUse): Promise<DeadLettersUnderTest> {
  await removeStream(nats, "TELLTALE_DEADLETTERS");
  return {
    node: () => new NatsDeadLetters(sharedNats(nats)),
    elapse: (milliseconds) => Bun.sleep(milliseconds),
    close: async () => {},
  };
}

async function removeStream(nats: NatsInUse, name: string): Promise<void> {
  const client = await nats.client();
  await client.request(`$JS.API.STREAM.DELETE.${name}`);
}

/** The options that all adapters on this NATS have in common. */
export function sharedNats(nats: NatsInUse) {
  const target = { servers: [nats.address] };
  return { target, clock: new SystemClock(), telemetry: new CollectingTelemetry() };
}

function nanosecondsOf(time: string): string {
  const [, seconds = "", fraction = ""] = /^(.{19})(?:\.(\d+))?Z$/.exec(time) ?? [];
  return `${Date.parse(`${seconds}Z`) / 1000}${fraction.padEnd(9, "0")}`;
}

/**
 * Ids of entries as the inbox numbers them, in their order: a stream that lost its newest messages and gave a sequence
 * again, and two that were made anew.
 */
export const STREAM_IDS = [
  "mi4z0000-1-1764000000000000001",
  "mi4z0000-2-1764000000000000001",
  "mi4z0000-10-1764000000000000002",
  "mi4z0000-99-1764000000500000000",
  "mi4z0000-11-1764000000500000001",
  "mi4z0001-1-1764000001000000000",
  "mi4z0001-2-1764000001000000000",
  "10000000000-1-1764000002000000000",
] as const;
