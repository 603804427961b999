import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const WATCHERS = 10_000;
const AT_ONCE = 500;
const KEPT = 600;

describe.skipIf(!needs("redis-server"))("ten thousand watchers that come back at once", () => {
  let redis: RunningRedis;
  let admin: Redis;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    redis = await startRedis();
    admin = new Redis(redis.url);
    gateway = await startGateway({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await gateway.kill9();
    admin.disconnect();
    await redis.stop();
  });

  /** Commands of clients, without those that scripts called: scripts, subscriptions and the rest. */
  const commands = async () => {
    const stats = await admin.info("commandstats");
    const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    return calls("evalsha") + calls("eval") + calls("subscribe");
  };

  test("RES-9: to one analysis, each as a user of its own: all catch up, for a few hundred commands", async () => {
    const id = crypto.randomUUID();
    const ids: string[] = [];
    for (let sent = 0; sent < KEPT; sent += 100) {
      const batch = Array.from({ length: 100 }, (_, index) =>
        statusUpdate({ message: `${sent + index + 1}` }),
      );
      const answer = await publish(gateway, id, batch);
      ids.push(...((await answer.json()) as { event_ids: string[] }).event_ids);
    }
    const tokens = await Promise.all(
      Array.from({ length: WATCHERS }, (_, index) => tokenFor({ user: `user-${index}` })),
    );
    const before = await commands();
    const seen = (index: number) => 1 + (index % KEPT);
    const comeBack = async (index: number) => {
      const query = { token: tokens[index] ?? "", last_event_id: ids[seen(index) - 1] ?? "" };
      const socket = new WatchingSocket(watchUrl(gateway.url, id, query));
      expect((await socket.established()).resumed).toBe(true);
      return socket;
    };
    const sockets: WatchingSocket[] = [];
    // As many at once as a listening socket's queue takes.
    for (let first = 0; first < WATCHERS; first += AT_ONCE) {
      const lot = Array.from({ length: AT_ONCE }, (_, index) => comeBack(first + index));
      sockets.push(...(await Promise.all(lot)));
    }
    await publish(gateway, id, resultUpdate());
    await Promise.all(sockets.map((socket) => socket.untilType("result_update")));
    expect((await commands()) - before).toBeLessThan(500);
    for (const [index, socket] of sockets.entries()) {
      const offsets = socket.events.map((event) => Number(event.event_id?.split("-")[1]));
      const missed = Array.from({ length: KEPT + 1 - seen(index) }, (_, at) => seen(index) + at + 1);
      expect([index, offsets]).toEqual([index, missed]);
    }
  }, 90_000);
});
