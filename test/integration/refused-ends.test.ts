import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const RESULT = JSON.stringify(resultUpdate({ confidence_score: 0.5 }));
const NAN = RESULT.replace("0.5", "NaN");
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const DEEP = RESULT.replace("}", `,"deep":${nested(500_000)}}`);

/** Messages that real workers send at the end and that are no events. */
const BROKEN_ENDS: readonly [string, string | Buffer][] = [
  ["NaN", NAN],
  ["a field against the rules", RESULT.replace("0.5", "50")],
  ["a cut", RESULT.slice(0, -1)],
  ["other bytes than UTF-8", Buffer.from(JSON.stringify(errorEvent({ error_message: "café" })), "latin1")],
  ["more than a mebibyte", RESULT.replace("}", `,"pad":"${"x".repeat(3_000_000)}"}`)],
  ["half a million levels", DEEP],
  ["a dictionary of Python", `{'event_type': 'error', 'error_code': 'E', 'error_message': "it's over"}`],
  ["JSON encoded twice", JSON.stringify(RESULT)],
];

describe.skipIf(!needs("redis-server"))("ends that are refused, on two gateways", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let gateways: GatewayProcess[];

  beforeAll(async () => {
    redis = await startRedis();
    worker = new Redis(redis.url);
    gateways = await Promise.all([0, 1].map(() => startGateway({ REDIS_URL: redis.url })));
  });
  afterAll(async () => {
    worker.disconnect();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis.stop();
  });

  const gateway = (at = 0) => gateways[at] as GatewayProcess;
  const watchAll = (id: string) =>
    Promise.all(
      gateways.map(async ({ url }) => {
        const socket = new WatchingSocket(watchUrl(url, id, { token: await tokenFor(), until: "terminal" }));
        await socket.established();
        return socket;
      }),
    );
  const read = async (id: string) => {
    const headers = { Authorization: `Bearer ${await tokenFor()}` };
    return (await fetch(`${gateway().url}/v1/analyses/${id}`, { headers })).json() as Promise<{
      status: string;
      stages: { started_at: string }[];
    }>;
  };
  const lettersOf = async (channel: string) => {
    const letters = await worker.xrange("telltale:deadletters", "-", "+");
    return letters.map(([, fields]) => fields).filter(([, of]) => of === channel);
  };
  const kept = async (id: string) =>
    (await worker.xrange(`telltale:{analysis:${id}}:history`, "-", "+")).length;

  test.each(BROKEN_ENDS)("EV-18: %s published bare ends the wait of everybody, once", async (_, end) => {
    const id = crypto.randomUUID();
    const sockets = await watchAll(id);
    await worker.publish(`analysis:${id}`, JSON.stringify(statusUpdate()));
    await worker.publish(`analysis:${id}`, end as string);
    for (const socket of sockets) {
      expect(await socket.closed).toMatchObject({ code: 1000 });
      expect(socket.events.map(({ event_type, error_code }) => error_code ?? event_type)).toEqual([
        "status_update",
        "event_refused",
      ]);
    }
    expect(await read(id)).toMatchObject({ status: "failed", error: { error_code: "event_refused" } });
    await eventually("it is a dead letter", async () => (await lettersOf(`analysis:${id}`)).length > 0);
    // Both gateways have offered all of it once a later event came through both.
    await worker.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "again" })));
    await eventually("what follows is stored", async () => (await read(id)).status === "running");
    expect([(await lettersOf(`analysis:${id}`)).length, await kept(id)]).toEqual([1, 3]);
  });

  test.each(BROKEN_ENDS)("INB-8: %s in the inbox ends the wait of everybody, once", async (_, end) => {
    const id = crypto.randomUUID();
    const sockets = await watchAll(id);
    // Before anything that spoils the text.
    const named = Buffer.from(end as string)
      .toString("latin1")
      .replace(/[{]/, `{"analysis_id":"${id}",`);
    const text =
      typeof end === "string" && end.startsWith('"')
        ? JSON.stringify(RESULT.replace("{", `{"analysis_id":"${id}",`))
        : named;
    const before = await worker.xlen("telltale:deadletters");
    await worker.xadd("telltale:inbox", "*", "event", Buffer.from(text, "latin1"));
    for (const socket of sockets) {
      expect(await socket.closed).toMatchObject({ code: 1000 });
      expect(socket.events).toMatchObject([{ error_code: "event_refused" }]);
    }
    expect(await read(id)).toMatchObject({ status: "failed" });
    await eventually("the inbox is empty", async () => (await worker.xlen("telltale:inbox")) === 0);
    expect(await worker.xlen("telltale:deadletters")).toBe(before + 1);
  });

  test("over HTTP nothing is stored: the publisher is told", async () => {
    const id = crypto.randomUUID();
    expect((await publish(gateway(), id, RESULT.replace("0.5", "50"))).status).toBe(422);
    expect((await publish(gateway(), id, NAN)).status).toBe(400);
    const deep = await publish(gateway(), id, DEEP);
    expect(deep.status).toBe(422);
    expect(await deep.json()).toMatchObject({ code: "invalid_event", issues: [{ path: ["deep"] }] });
    expect((await read(id)).status).toBe("unknown");
  });

  test("EV-12: the mark of a change of stage is short, however long its timestamp", async () => {
    const id = crypto.randomUUID();
    const at = (digits: number) => `2026-11-24T03:27:22.${"7".repeat(digits)}Z`;
    for (let step = 0; step < 20; step++) {
      const current_stage = step % 2 === 0 ? "uploading" : "frame_extraction";
      const event = statusUpdate({
        current_stage,
        message: `step ${step}`,
        timestamp: at(step < 10 ? 900_000 : 40),
      });
      await worker.publish(`analysis:${id}`, JSON.stringify(event));
    }
    await eventually("ten are stored", async () => (await kept(id)) === 10);
    const marks = String(await worker.hget(`telltale:{analysis:${id}}`, "stages"));
    expect(marks.length).toBeLessThan(10 * 60);
    const { stages } = await read(id);
    expect(stages.map(({ started_at }) => started_at)).toEqual(Array(10).fill(at(9)));
  });

  test("INB-9: an entry that its worker numbered is dated when it was taken", async () => {
    const id = crypto.randomUUID();
    await worker.del("telltale:inbox");
    const began = Date.now();
    await worker.xadd("telltale:inbox", "5-1", "event", JSON.stringify(statusUpdate({ analysis_id: id })));
    await eventually("it is stored", async () => (await read(id)).status === "running");
    const [stage] = (await read(id)).stages;
    expect(Date.parse(stage?.started_at ?? "")).toBeGreaterThanOrEqual(began - 1_000);
  });

  test("PUB-4: a dead letter and the log say why a channel's name is wrong", async () => {
    await worker.publish("analysis:job-42", JSON.stringify(statusUpdate()));
    await eventually("it is a letter", async () => (await lettersOf("analysis:job-42")).length === 1);
    expect((await lettersOf("analysis:job-42"))[0]).toContain("channel: an analysis id is a UUID");
    await eventually("a gateway has logged it", async () =>
      gateways.some((one) => one.output().includes("an analysis id is a UUID")),
    );
  });
});
