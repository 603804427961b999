import { expect, test } from "bun:test";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import { analysisIdOf } from "../../src/domain/channel.ts";
import { fault, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";

interface RedisOfTest {
  node(): Promise<PubSubPort>;
  get(key: string): Promise<string | null>;
}

/** The key by which a worker with Redis alone learns that somebody asked to cancel its analysis. */
export function cancelCopyRules(redis: () => RedisOfTest): void {
  test("CAN-8: the key holds the request while it is in force, for many analyses at once", async () => {
    const { node, get } = redis();
    const [one, two] = [await node(), await node()];
    const channels = Array.from({ length: 20 }, () => someAnalysis());
    const request = { requested_at: "2026-11-28T10:00:00.000Z", user_id: "alice", reason: null };
    await Promise.all(channels.map((channel) => one.append({ channel, events: [status()] })));
    await Promise.all(channels.map((channel) => one.requestCancel?.(channel, request)));
    const kept = (channel: (typeof channels)[number]) => get(`telltale:cancel:${analysisIdOf(channel)}`);
    for (const channel of channels) expect(JSON.parse((await kept(channel)) ?? "")).toEqual(request);
    await Promise.all(channels.map((channel) => two.append({ channel, events: [fault()] })));
    await eventually("the keys are gone", async () => {
      const left = await Promise.all(channels.map(kept));
      return left.every((value) => value === null);
    });
    for (const channel of channels) {
      await two.append({ channel, events: [status()] });
      await two.requestCancel?.(channel, { ...request, reason: "again" });
      expect(JSON.parse((await kept(channel)) ?? "")).toMatchObject({ reason: "again" });
    }
  });
}
