import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STAGES } from "../../src/domain/stages.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { useNats } from "../support/use-nats.ts";
import {
  descendants,
  makeLongVideo,
  makeSample,
  makeSong,
  type RunningExample,
  startExample,
} from "../support/video-worker.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

// Real videos, on a machine that may be busy with other things.
setDefaultTimeout(90_000);

const able = [needs("ffmpeg"), needs("celery"), needs("redis-server"), needs("nats-server")].every(Boolean);

describe.skipIf(!able)("the real worker, with NATS_URL set and nothing else changed", () => {
  const nats = useNats();
  let redis: RunningRedis;
  let example: RunningExample;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-video-"));
    redis = await startRedis();
    [example] = await Promise.all([
      startExample(redis.url, { NATS_URL: nats.url, TMPDIR: folder }),
      makeSample(join(folder, "sample.mp4")),
      makeSong(join(folder, "song.m4a")),
      makeLongVideo(join(folder, "long.mp4")),
    ]);
  });
  afterAll(async () => {
    await example?.stop();
    await redis?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function analyse(file: string, id: string = crypto.randomUUID()): Promise<WatchingSocket> {
    const token = await tokenFor({ analyses: [id] });
    const watcher = new WatchingSocket(watchUrl(example.gatewayUrl, id, { token }));
    await watcher.established();
    await example.enqueue(id, join(folder, file));
    return watcher;
  }

  test("tells every stage, in order and without a hole, and ends in a verdict", async () => {
    const watcher = await analyse("sample.mp4");
    await watcher.until((frame) => frame.current_stage === "completed");
    const { events } = watcher;
    await watcher.leave();
    expect(events.map((event) => Number(event.event_id?.split("-")[1]))).toEqual(
      events.map((_, at) => at + 1),
    );
    const stages = events
      .filter((event) => event.event_type === "status_update")
      .map((event) => event.current_stage);
    expect(stages.filter((stage, at) => stage !== stages[at - 1])).toEqual(
      STAGES.filter((stage) => stage !== "failed"),
    );
    expect(events.some((event) => event.event_type === "result_update")).toBe(true);
  });

  test("tells a failure once", async () => {
    const watcher = await analyse("song.m4a");
    await watcher.until((frame) => frame.event_type === "error");
    expect(watcher.events.filter((event) => event.event_type === "error")).toHaveLength(1);
    await watcher.leave();
  });

  test("CAN-11: obeys a request to cancel, and ends its ffmpeg", async () => {
    const id = crypto.randomUUID();
    // A request before the run begins is for that run, however fast this machine is.
    const asked = await fetch(`${example.gatewayUrl}/v1/analyses/${id}/cancel`, {
      method: "POST",
      headers: { Authorization: `Bearer ${await tokenFor({ analyses: [id], scopes: ["analysis:cancel"] })}` },
    });
    expect(asked.status).toBe(202);
    const watcher = await analyse("long.mp4", id);
    await watcher.until((frame) => frame.current_stage === "cancelled");
    expect(watcher.events.at(-1)?.message).toContain("somebody asked for it");
    await watcher.leave();
    await eventually("ffmpeg has ended", async () =>
      descendants(example.pid).every(({ name }) => name !== "ffmpeg"),
    );
  });
});
