import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, publisherToken, startGateway, tokenFor } from "../support/gateway-process.ts";
import { ManySocket } from "../support/many-socket.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

let redis: RunningRedis | undefined;
let gateway: GatewayProcess;

const open = async (query: Record<string, string> = {}) =>
  new ManySocket(gateway.url, { token: await tokenFor(), ...query });
const publishSteps = async (id: string, from: number, to: number): Promise<string[]> => {
  const steps = Array.from({ length: to - from + 1 }, (_, index) =>
    statusUpdate({ message: `step ${from + index}` }),
  );
  return ((await (await publish(gateway, id, steps)).json()) as { event_ids: string[] }).event_ids;
};
const steps = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `step ${from + index}`);
const messages = (socket: ManySocket, id: string) =>
  socket.of(id).flatMap(({ event_id, message }) => (event_id === undefined ? [] : String(message)));
const statistics = async () => {
  const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as { websocket_stats: unknown };
  return health.websocket_stats;
};

for (const broker of ["memory", "redis"] as const) {
  describe.skipIf(broker === "redis" && !needs("redis-server"))(
    `many analyses on one socket, on ${broker}`,
    () => {
      beforeAll(async () => {
        redis = broker === "redis" ? await startRedis() : undefined;
        gateway = await startGateway({
          MAX_CONNECTIONS_PER_USER: "1000",
          ...(redis !== undefined && { REDIS_URL: redis.url }),
        });
      });
      afterAll(async () => {
        await gateway.stop();
        await redis?.stop();
      });

      test("WSM-2: each analysis is resumed by itself, then live, each event once; notices come beside them", async () => {
        const ids = Array.from({ length: 10 }, () => crypto.randomUUID());
        const kept = await Promise.all(ids.map((id) => publishSteps(id, 1, 10)));
        const socket = await open();
        expect(await socket.established()).toMatchObject({ analysis_id: null, resumed: null });
        for (const [index, id] of ids.entries())
          socket.subscribe(id, { last_event_id: kept[index]?.[index] as string });
        for (const id of ids) expect(await socket.untilOf(id, "subscribed")).toMatchObject({ resumed: true });
        await Promise.all(ids.map((id) => publishSteps(id, 11, 12)));
        await fetch(`${gateway.url}/v1/notices`, {
          method: "POST",
          headers: { Authorization: `Bearer ${await publisherToken()}` },
          body: JSON.stringify({ message: "all of you" }),
        });
        await socket.until((frame) => frame.message === "all of you");
        for (const [index, id] of ids.entries()) {
          await socket.until((frame) => frame.analysis_id === id && frame.message === "step 12");
          expect(messages(socket, id)).toEqual(steps(index + 2, 12));
        }
        expect(await statistics()).toEqual({ total_connections: 1, active_analyses: 10 });
        await socket.leave();
        await eventually("nobody is counted", async () =>
          Bun.deepEquals(await statistics(), { total_connections: 0, active_analyses: 0 }),
        );
      });

      test("WSM-3: an analysis that cannot be watched is refused, and the rest of the socket goes on", async () => {
        const [id, other] = [crypto.randomUUID(), crypto.randomUUID()];
        const socket = new ManySocket(gateway.url, { token: await tokenFor({ analyses: [id] }) });
        await socket.established();
        socket.subscribe("no-uuid");
        socket.subscribe(other);
        socket.subscribe(id.toUpperCase());
        expect(await socket.untilOf("no-uuid", "subscription_refused")).toMatchObject({
          code: "not_an_analysis_id",
        });
        expect(await socket.untilOf(other, "subscription_refused")).toMatchObject({ code: "not_allowed" });
        await socket.untilOf(id, "subscribed");
        socket.send({ type: "subscribe" });
        expect(await socket.untilType("protocol_error")).toMatchObject({ code: "invalid_frame" });
        await publishSteps(id, 1, 1);
        await socket.untilOf(id, "status_update");
        await socket.leave();
      });

      test("WSM-4: a client that joins at any moment of a burst, again and again, misses nothing and gets nothing twice", async () => {
        const ids = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
        for (const id of ids) await publishSteps(id, 1, 1);
        const bursts = Promise.all(
          ids.map(async (id) => {
            for (let step = 2; step <= 60; step++) await publishSteps(id, step, step);
          }),
        );
        const sockets: ManySocket[] = [];
        for (let joined = 0; joined < 20; joined++) {
          const socket = await open();
          sockets.push(socket);
          await socket.established();
          for (const id of ids) {
            socket.subscribe(id, { last_event_id: "0" });
            if (joined % 2 === 0) continue;
            socket.unsubscribe(id);
            socket.subscribe(id, { last_event_id: "0" });
          }
        }
        await bursts;
        for (const [joined, socket] of sockets.entries()) {
          for (const id of ids) {
            await socket.until((frame) => frame.analysis_id === id && frame.message === "step 60");
            const frames = socket.of(id);
            const last = frames.findLastIndex((frame) => frame.event_type === "subscribed");
            expect(frames.slice(last + 1).map((frame) => frame.message)).toEqual(steps(1, 60));
            const answers = frames.flatMap(({ event_type, event_id }) =>
              event_id === undefined ? event_type : [],
            );
            expect(answers).toEqual(
              joined % 2 === 0 ? ["subscribed"] : ["subscribed", "unsubscribed", "subscribed"],
            );
          }
          await socket.leave();
        }
      });

      test("WSM-11: five hundred subscriptions sent at once, before the socket is let in, are all answered", async () => {
        const admin = redis === undefined ? undefined : new Redis(redis.url);
        await admin?.config("RESETSTAT");
        const ids = Array.from({ length: 500 }, () => crypto.randomUUID());
        const socket = await open();
        await socket.opened;
        for (const id of ids) socket.subscribe(id);
        for (const id of ids) await socket.untilOf(id, "subscribed");
        expect(socket.frames[0]?.event_type).toBe("connection_established");
        expect(await statistics()).toEqual({ total_connections: 1, active_analyses: 500 });
        await publishSteps(ids[499] as string, 1, 1);
        await socket.untilOf(ids[499] as string, "status_update");
        if (admin !== undefined) {
          const calls = /cmdstat_subscribe:calls=(\d+)/.exec(await admin.info("commandstats"))?.[1];
          // How many there are depends on how the frames arrive; one by one they would be 500.
          expect(Number(calls)).toBeLessThan(100);
          admin.disconnect();
        }
        await socket.leave();
      });

      test("WSM-10: until=terminal ends each with unsubscribed, and a position in the query is a protocol_error", async () => {
        const [done, running] = [crypto.randomUUID(), crypto.randomUUID()];
        await publish(gateway, done, [statusUpdate(), resultUpdate()]);
        const socket = await open({ until: "terminal", last_event_id: "0" });
        expect(await socket.untilType("protocol_error")).toMatchObject({ code: "invalid_query" });
        for (const id of [done, running]) socket.subscribe(id);
        await socket.untilOf(done, "unsubscribed");
        await publishSteps(running, 1, 1);
        await socket.untilOf(running, "status_update");
        expect(socket.of(done).map(({ event_type }) => event_type)).toEqual([
          "subscribed",
          "status_update",
          "result_update",
          "unsubscribed",
        ]);
        await socket.leave();
      });

      test("PUB-1: viewers declared later end one analysis, and the socket goes on", async () => {
        const [id, other] = [crypto.randomUUID(), crypto.randomUUID()];
        const socket = await open();
        await socket.established();
        for (const one of [id, other]) socket.subscribe(one);
        await Promise.all([id, other].map((one) => socket.untilOf(one, "subscribed")));
        await fetch(`${gateway.url}/v1/analyses/${id}`, {
          method: "PUT",
          headers: { Authorization: `Bearer ${await publisherToken()}` },
          body: JSON.stringify({ viewers: ["bob"] }),
        });
        expect(await socket.untilOf(id, "subscription_refused")).toMatchObject({ code: "not_allowed" });
        await publishSteps(other, 1, 1);
        await socket.untilOf(other, "status_update");
        await socket.leave();
      });

      test.skipIf(broker === "memory")(
        "WSM-8: a history that was lost is subscribed again, resumed: false, and what was not sent anything is left alone",
        async () => {
          const [id, quiet] = [crypto.randomUUID(), crypto.randomUUID()];
          await publishSteps(id, 1, 3);
          const socket = await open();
          await socket.established();
          for (const one of [id, quiet]) socket.subscribe(one);
          await socket.until((frame) => frame.message === "step 3");
          const admin = new Redis(redis?.url as string);
          await admin.flushall();
          admin.disconnect();
          await publishSteps(quiet, 1, 1);
          await publishSteps(id, 4, 4);
          await socket.until((frame) => frame.message === "step 4");
          expect(
            socket.of(id).map(({ event_type, resumed, message }) => [event_type, resumed ?? message]),
          ).toEqual([
            ["subscribed", undefined],
            ["status_update", "step 3"],
            ["subscribed", false],
            ["status_update", "step 4"],
          ]);
          await socket.untilOf(quiet, "status_update");
          expect(socket.of(quiet).map(({ event_type }) => event_type)).toEqual([
            "subscribed",
            "status_update",
          ]);
          await socket.leave();
        },
      );

      test.skipIf(broker === "memory")(
        "WSM-3: while Redis is away a subscription is refused and the socket stays; asked again later it is had",
        async () => {
          const id = crypto.randomUUID();
          const socket = await open();
          await socket.established();
          await redis?.kill9();
          socket.subscribe(id);
          expect(await socket.untilOf(id, "subscription_refused")).toMatchObject({
            code: "broker_unavailable",
          });
          await redis?.restart();
          await eventually(
            "the gateway has its broker back",
            async () => (await fetch(`${gateway.url}/ready`)).ok,
          );
          socket.subscribe(id);
          expect(await socket.untilOf(id, "subscribed")).toMatchObject({ resumed: null });
          await publishSteps(id, 1, 1);
          await socket.untilOf(id, "status_update");
          await socket.leave();
        },
      );

      test("OPS-2: SIGTERM closes it with 1001 and a time to come back", async () => {
        const socket = await open();
        await socket.established();
        socket.subscribe(crypto.randomUUID());
        await socket.untilType("subscribed");
        expect(await gateway.stop()).toBe(0);
        expect(await socket.closed).toMatchObject({
          code: 1001,
          reason: expect.stringMatching(/^retry_after_ms=\d+$/),
        });
      });
    },
  );
}
