import { expect, test } from "bun:test";
import type { Redis } from "ioredis";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import { type AnalysisChannel, analysisIdOf } from "../../src/domain/channel.ts";
import { fault, queued, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";

interface RedisOfTest {
  node(): Promise<PubSubPort>;
  readonly client: Pick<Redis, "get" | "pttl" | "pexpire" | "del">;
}

const REQUEST = { requested_at: "2026-11-28T10:00:00.000Z", user_id: "alice", reason: null };

/** The key by which a worker with Redis alone learns that somebody asked to cancel its analysis. */
export function cancelCopyRules(redis: () => RedisOfTest): void {
  test("CAN-8: the key holds the request while it is in force, for many analyses at once", async () => {
    const { node, client } = redis();
    const [one, two] = [await node(), await node()];
    const channels = Array.from({ length: 20 }, () => someAnalysis());
    await Promise.all(channels.map((channel) => one.append({ channel, events: [status()] })));
    await Promise.all(channels.map((channel) => one.requestCancel?.(channel, REQUEST)));
    const kept = (channel: AnalysisChannel) => client.get(copyOf(channel));
    for (const channel of channels) expect(JSON.parse((await kept(channel)) ?? "")).toMatchObject(REQUEST);
    await Promise.all(channels.map((channel) => two.append({ channel, events: [fault()] })));
    await eventually("the keys are gone", async () => {
      const left = await Promise.all(channels.map(kept));
      return left.every((value) => value === null);
    });
    for (const channel of channels) {
      await two.append({ channel, events: [status()] });
      await two.requestCancel?.(channel, { ...REQUEST, reason: "again" });
      expect(JSON.parse((await kept(channel)) ?? "")).toMatchObject({ reason: "again" });
    }
  });

  test("CAN-8: the key lives as long as the channel, and events renew it", async () => {
    const { node, client } = redis();
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status()] });
    await client.pexpire(`telltale:{${channel}}`, 50_000);
    await publisher.requestCancel?.(channel, REQUEST);
    const left = await client.pttl(copyOf(channel));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(50_000);
    await publisher.append({ channel, events: [status()] });
    await eventually(
      "the key is renewed with the channel",
      async () => (await client.pttl(copyOf(channel))) > 1e6,
    );
  });

  test("CAN-8: a request of another life of the channel is over, and its key goes with the next events", async () => {
    const { node, client } = redis();
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status(), status()] });
    await publisher.requestCancel?.(channel, REQUEST);
    await client.del(`telltale:{${channel}}`);
    const events = Array.from({ length: 6 }, () => status());
    expect((await publisher.append({ channel, events })) as object).not.toHaveProperty("cancelRequested");
    expect((await publisher.snapshot(channel)).cancel).toBeUndefined();
    await eventually("the key is gone", async () => (await client.get(copyOf(channel))) === null);
  });

  test("CAN-10: the key says which attempt the request is for, and none if the analysis was unknown or queued", async () => {
    const { node, client } = redis();
    const publisher = await node();
    const attemptOf = async (...events: readonly ReturnType<typeof status>[]) => {
      const channel = someAnalysis();
      if (events.length > 0) await publisher.append({ channel, events });
      await publisher.requestCancel?.(channel, REQUEST);
      return JSON.parse((await client.get(copyOf(channel))) ?? "").attempt_id;
    };
    expect(await attemptOf()).toBeNull();
    expect(await attemptOf(status())).toBeNull();
    expect(await attemptOf(status({ attemptId: 'a"ö/' }))).toBe('a"ö/');
    expect(await attemptOf(status({ attemptId: "a" }), queued({ attemptId: "a" }))).toBeNull();
  });
}

function copyOf(channel: AnalysisChannel): string {
  return `telltale:cancel:${analysisIdOf(channel)}`;
}
