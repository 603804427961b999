import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { analysisChannel } from "../../src/domain/channel.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { sharedNats } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { useNats } from "../support/use-nats.ts";
import { usePostgres } from "../support/use-postgres.ts";
import { useRedis } from "../support/use-redis.ts";

setDefaultTimeout(60_000);

/** The broker of two gateways, as workers and gateways reach it. */
interface BrokerOfTest {
  readonly env: () => Record<string, string>;
  /** Publishes past the gateways. */
  readonly publish?: (id: string, event: string) => Promise<unknown>;
  /** The analyses that were due a second ago. */
  readonly due: () => Promise<readonly unknown[]>;
}

function abandonedRules({ env, publish: publishBare, due }: BrokerOfTest): void {
  test("ABN-1: gateways store one error for each, of those that a killed gateway and a worker without one began as well", async () => {
    const start = () => startGateway({ ABANDON_AFTER_SECONDS: "1", ...env() });
    const [killed, other] = await Promise.all([start(), start()]);
    const gateways: GatewayProcess[] = [killed, other];
    try {
      const ids = Array.from({ length: 6 }, () => crypto.randomUUID());
      for (const [index, id] of ids.entries()) {
        const event = statusUpdate({ analysis_id: id });
        if (index % 2 === 0 || publishBare === undefined) await publish(killed, id, event);
        else await publishBare(id, JSON.stringify(event));
      }
      const headers = { Authorization: `Bearer ${await tokenFor({ user: "alice" })}` };
      const ask = async (path: string) =>
        (await fetch(`${other.url}/v1/analyses/${path}`, { headers })).json();
      const are = async (test: (status: string) => boolean) =>
        (await Promise.all(ids.map(ask))).every((state) => test((state as { status: string }).status));
      await eventually("all are stored", () => are((status) => status !== "unknown"));
      await killed.kill9();
      gateways.push(await start());
      await eventually("all have ended", () => are((status) => status === "failed"));
      // Both gateways have looked once more.
      await eventually("nothing is due", async () => (await due()).length === 0);
      for (const id of ids) {
        const { events } = (await ask(`${id}/events`)) as {
          events: { event_type: string; error_code?: string }[];
        };
        expect(events.map(({ event_type, error_code }) => error_code ?? event_type)).toEqual([
          "status_update",
          "worker_lost",
        ]);
      }
    } finally {
      await Promise.all(gateways.map((gateway) => gateway.kill9()));
    }
  });
}

describe.skipIf(!needs("redis-server"))("abandoned analyses on Redis", () => {
  const redis = useRedis();
  abandonedRules({
    env: () => ({ REDIS_URL: redis.url }),
    publish: (id, event) => redis.client.publish(analysisChannel(id as never), event),
    due: () => redis.client.zrangebyscore("telltale:running", 0, Date.now() - 1_000),
  });
});

describe.skipIf(!needs("nats-server"))("abandoned analyses on NATS", () => {
  const nats = useNats();
  abandonedRules({
    env: () => ({ NATS_URL: nats.url }),
    publish: async (id, event) => (await nats.client()).publish(`analysis.${id}`, event),
    due: async () => {
      const node = new NatsPubSub({ ...sharedNats(nats), history: { size: 1_000, ttlMs: 86_400_000 } });
      nats.afterTest(() => node.close());
      return node.running.due(Date.now() - 1_000, 10);
    },
  });
});

describe.skipIf(!needs("postgres"))("abandoned analyses on PostgreSQL", () => {
  const inUse = usePostgres();
  abandonedRules({
    env: () => ({
      BROKER: "module:./examples/postgres-broker/src/broker.ts",
      POSTGRES_URL: inUse.server.url,
    }),
    due: async () => {
      const sql = inUse.client("telltale");
      return (
        await sql<{ channel: string }[]>`
        select channel from running where due_at < ${Date.now() - 1_000}`
      ).map(({ channel }) => channel);
    },
  });
});
