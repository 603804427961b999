import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { analysisChannel } from "../../src/domain/channel.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { useRedis } from "../support/use-redis.ts";

setDefaultTimeout(60_000);

describe.skipIf(!needs("redis-server"))("gateways on one Redis that end abandoned analyses", () => {
  const redis = useRedis();

  test("ABN-1: store one error for each, of those that a killed gateway and a bare PUBLISH began as well", async () => {
    const env = { ABANDON_AFTER_SECONDS: "1" };
    const [killed, other] = [await redis.startGateway(env), await redis.startGateway(env)];
    const ids = Array.from({ length: 6 }, () => crypto.randomUUID());
    const token = await tokenFor({ user: "alice" });
    for (const [index, id] of ids.entries()) {
      const event = statusUpdate({ analysis_id: id });
      if (index % 2 === 0) await publish(killed, id, event);
      else await redis.client.publish(analysisChannel(id as never), JSON.stringify(event));
    }
    const stateOf = async (id: string) => {
      const answer = await fetch(`${other.url}/v1/analyses/${id}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      return (await answer.json()) as { status: string; last_event_id: string };
    };
    await eventually("all are stored", async () => {
      const states = await Promise.all(ids.map(stateOf));
      return states.every(({ status }) => status !== "unknown");
    });
    await killed.kill9();
    await redis.startGateway(env);
    await eventually("all have ended", async () => {
      const states = await Promise.all(ids.map(stateOf));
      return states.every(({ status }) => status === "failed");
    });
    // Both gateways have looked once more.
    await eventually("nothing is due", async () => {
      const due = await redis.client.zrangebyscore("telltale:running", 0, Date.now() - 1_000);
      return due.length === 0;
    });
    for (const id of ids) {
      const answer = await fetch(`${other.url}/v1/analyses/${id}/events`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      const { events } = (await answer.json()) as { events: { event_type: string; error_code?: string }[] };
      expect(events.map(({ event_type, error_code }) => error_code ?? event_type)).toEqual([
        "status_update",
        "worker_lost",
      ]);
    }
  });
});
