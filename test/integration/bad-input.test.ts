import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

type Fields = Record<string, unknown>;

/** One way to break each rule of an event, and the path that has to be named. */
const BROKEN: readonly [string, Fields, (string | number)[]][] = [
  ["an unknown type", statusUpdate({ event_type: "progress" }), ["event_type"]],
  ["a type that only the server sends", statusUpdate({ event_type: "heartbeat" }), ["event_type"]],
  ["no task", statusUpdate({ task_id: undefined }), ["task_id"]],
  ["a blank task", statusUpdate({ task_id: "  " }), ["task_id"]],
  ["progress over 1", statusUpdate({ progress: 1.01 }), ["progress"]],
  ["progress as text", statusUpdate({ progress: "0.5" }), ["progress"]],
  ["an unknown stage", statusUpdate({ current_stage: "thinking" }), ["current_stage"]],
  ["a blank message", statusUpdate({ message: "" }), ["message"]],
  ["a day that is none", statusUpdate({ timestamp: "2026-02-30T00:00:00Z" }), ["timestamp"]],
  ["an end that is no time", statusUpdate({ estimated_completion: "soon" }), ["estimated_completion"]],
  [
    "another analysis",
    statusUpdate({ analysis_id: "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c1" }),
    ["analysis_id"],
  ],
  ["a long attempt", statusUpdate({ attempt_id: "a".repeat(65) }), ["attempt_id"]],
  ["no confidence", resultUpdate({ confidence_score: undefined }), ["confidence_score"]],
  ["more frames than there are", resultUpdate({ frames_processed: 11, total_frames: 10 }), ["total_frames"]],
  ["half a frame", resultUpdate({ frames_processed: 0.5 }), ["frames_processed"]],
  ["a verdict as text", resultUpdate({ is_fake: "yes" }), ["is_fake"]],
  ["a hash that is none", resultUpdate({ blockchain_hash: "0xZZ" }), ["blockchain_hash"]],
  [
    "a region outside",
    resultUpdate({ suspicious_regions: [region({}), region({ x: 2 })] }),
    ["suspicious_regions", 1, "x"],
  ],
  ["an error without code", errorEvent({ error_code: undefined }), ["error_code"]],
  ["details that are a list", errorEvent({ error_details: [] }), ["error_details"]],
];

const GARBAGE = [
  "",
  "{",
  "null",
  "[]",
  "7",
  '"text"',
  "NaN",
  '{"progress":Infinity}',
  "[".repeat(200_000),
  "\u0000",
  "{}",
];

describe.skipIf(!needs("redis-server"))("bad input, on both ways in", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    redis = await startRedis();
    worker = new Redis(redis.url);
    gateway = await startGateway({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    worker.disconnect();
    await gateway.stop();
    await redis.stop();
  });

  test.each(BROKEN)("PUB-2: %s is refused over HTTP with the path of the field", async (_, event, path) => {
    const answer = await publish(gateway, crypto.randomUUID(), event);
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    const { code, issues } = (await answer.json()) as { code: string; issues: { path: unknown[] }[] };
    expect(code).toBe("invalid_event");
    expect(issues.map((issue) => issue.path)).toContainEqual(path);
  });

  test("PUB-3: in a batch the index comes first, and one fault keeps all of it out", async () => {
    const id = crypto.randomUUID();
    const answer = await publish(gateway, id, [statusUpdate(), statusUpdate({ progress: 2 })]);
    expect(answer.status).toBe(422);
    const { issues } = (await answer.json()) as { issues: { path: unknown[] }[] };
    expect(issues.map((issue) => issue.path)).toEqual([[1, "progress"]]);
    expect(await worker.exists(`telltale:{analysis:${id}}`)).toBe(0);
  });

  test("PUB-4, EV-18: every broken event published bare is a dead letter with its reason, each end among them an error, and the good one after it arrives", async () => {
    const id = crypto.randomUUID();
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
    await socket.established();
    const before = await worker.xlen("telltale:deadletters");
    for (const [, event] of BROKEN) await worker.publish(`analysis:${id}`, JSON.stringify(event));
    for (const text of GARBAGE) await worker.publish(`analysis:${id}`, text);
    await worker.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "good" })));
    await socket.until((frame) => frame.message === "good");
    const buried = before + BROKEN.length + GARBAGE.length;
    await eventually("all are buried", async () => (await worker.xlen("telltale:deadletters")) === buried);
    const ends = BROKEN.filter(
      ([, { event_type }]) => event_type === "result_update" || event_type === "error",
    );
    expect(
      socket.events.slice(0, -1).map(({ error_code, error_details }) => [error_code, error_details]),
    ).toEqual(
      ends.map(([, { event_type }, path]) => [
        "event_refused",
        { event_type, issues: [{ path, message: expect.any(String) }] },
      ]),
    );
    const letters = (await worker.xrange("telltale:deadletters", "-", "+")).slice(before);
    for (const [index, [, , path]] of BROKEN.entries()) {
      expect(letters[index]?.[1]).toContainEqual(expect.stringContaining(path.join(".")));
    }
    await socket.leave();
  });

  test("PUB-5: garbage over HTTP is 400 or 422, too much is 413, and the gateway goes on", async () => {
    const id = crypto.randomUUID();
    for (const text of GARBAGE) expect([400, 422]).toContain((await publish(gateway, id, text)).status);
    const large = await publish(gateway, id, statusUpdate({ filler: "x".repeat(1024 * 1024) }));
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ code: "event_too_large" });
    expect((await publish(gateway, "no-uuid", statusUpdate())).status).toBe(400);
    expect((await publish(gateway, id, statusUpdate(), { "Idempotency-Key": "k".repeat(201) })).status).toBe(
      422,
    );
    expect((await publish(gateway, id, statusUpdate())).status).toBe(202);
  });

  test("PUB-6: a publish repeated under its Idempotency-Key is stored once and answered with the first ids", async () => {
    const id = crypto.randomUUID();
    const key = { "Idempotency-Key": "retry-1" };
    const first = await (await publish(gateway, id, [statusUpdate(), resultUpdate()], key)).json();
    const second = await (await publish(gateway, id, statusUpdate({ message: "another body" }), key)).json();
    expect(second).toEqual({ ...(first as Fields), duplicate: true });
    expect(await worker.xlen(`telltale:{analysis:${id}}:history`)).toBe(2);
  });

  test("EV-1: the gateway takes the JSON that Python writes, and passes foreign members on as written", async () => {
    const id = crypto.randomUUID();
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
    await socket.established();
    await worker.publish(
      `analysis:${id.toUpperCase()}`,
      `{"7": 1.0, "event_type": "status_update", "task_id": "t", "analysis_id": "${id.toUpperCase()}", "progress": 1e-1, ` +
        `"current_stage": "uploading", "message": "é\\ud83d\\ude00", "timestamp": "2026-11-24 03:27:22.785846+00:00", ` +
        `"taken_ns": 12345678901234567890, "event_id": "mine"}`,
    );
    const event = await socket.untilType("status_update");
    expect(event).toMatchObject({
      analysis_id: id,
      timestamp: "2026-11-24T03:27:22.785846Z",
      message: "é😀",
    });
    const [stored] = await worker.xrange(`telltale:{analysis:${id}}:history`, "-", "+");
    const text = stored?.[1][1] ?? "";
    expect(text.startsWith(`{"event_id":"${event.event_id}","7": 1.0,`)).toBe(true);
    expect(text).toContain('"taken_ns": 12345678901234567890');
    await socket.leave();
  });
});

function region(fields: Fields): Fields {
  return {
    frame_number: 1,
    x: 0,
    y: 0,
    width: 1,
    height: 1,
    confidence: 0.5,
    region_type: "face",
    ...fields,
  };
}
