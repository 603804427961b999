import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { workerEnvironment } from "../../examples/video-worker/run/python.ts";
import { STAGES } from "../../src/domain/stages.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import {
  descendants,
  exampleFolder,
  makeFastVideo,
  makeLongVideo,
  makeSample,
  makeSong,
  newVisitor,
  PYTHON,
  processRow,
  type Region,
  type RunningExample,
  repack,
  SAMPLE,
  startExample,
  upload,
} from "../support/video-worker.ts";
import { type Frame, WatchingSocket, watchUrl } from "../support/watching-socket.ts";

// Real videos, on a machine that may be busy with other things.
setDefaultTimeout(90_000);

const able = [needs("ffmpeg"), needs("celery"), needs("redis-server")].every(Boolean);
const UPLOAD_MAX_MB = 5;

test.skipIf(!needs("celery"))(
  "the worker reads what ffmpeg writes, and its rules find what is there",
  async () => {
    const command = [PYTHON, "-B", "-m", "unittest", "discover", "-t", ".", "-s", "worker/tests"];
    const child = Bun.spawn(command, {
      cwd: exampleFolder,
      env: { ...process.env, ...workerEnvironment(new URL("../..", import.meta.url).pathname) },
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = await new Response(child.stderr).text();
    expect(said).toMatch(/Ran [1-9]\d* tests/);
    expect({ code: await child.exited, said }).toMatchObject({ code: 0 });
  },
);

describe.skipIf(!able)("a real worker on a real video", () => {
  let redis: RunningRedis;
  let example: RunningExample;
  let folder: string;
  let temporary: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-video-"));
    temporary = join(folder, "temporary");
    await mkdir(temporary);
    redis = await startRedis();
    [example] = await Promise.all([
      startExample(redis.url, { UPLOAD_MAX_MB: String(UPLOAD_MAX_MB), TMPDIR: temporary }),
      makeSample(join(folder, "sample.mp4")),
    ]);
  });
  afterAll(async () => {
    await example?.stop();
    await redis?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Watches before the worker starts, so that nothing is missed. */
  async function analyse(path: string): Promise<WatchingSocket> {
    const id = crypto.randomUUID();
    const watcher = new WatchingSocket(
      watchUrl(example.gatewayUrl, id, { token: await tokenFor({ analyses: [id] }) }),
    );
    await watcher.established();
    await example.enqueue(id, path);
    return watcher;
  }

  /** Resolves while the worker is in the middle of it. */
  async function analyseLong() {
    const path = join(folder, "long.mp4");
    if (!(await Bun.file(path).exists())) await makeLongVideo(path);
    const watcher = await analyse(path);
    await watcher.until((frame) => frame.unit === "frames" && Number(frame.current) > 0);
    const ffmpeg = descendants(example.pid).find((row) => row.name === "ffmpeg");
    if (ffmpeg === undefined) throw new Error("no ffmpeg is at work");
    return { watcher, ffmpeg };
  }

  async function failureOf(content: string | Uint8Array, name: string): Promise<Frame> {
    const path = join(folder, name);
    await Bun.write(path, content);
    const watcher = await analyse(path);
    const failure = await watcher.untilType("error");
    await watcher.leave();
    return failure;
  }

  test("is seen in every stage, in order and without a hole, and its result matches the video", async () => {
    const watcher = await analyse(join(folder, "sample.mp4"));
    await watcher.until((frame) => frame.current_stage === "completed");
    const { events } = watcher;
    await watcher.leave();

    expect(events.map((event) => Number(event.event_id?.split("-")[1]))).toEqual(
      events.map((_, at) => at + 1),
    );
    const statuses = events.filter((event) => event.event_type === "status_update");
    const stages = statuses.map((event) => event.current_stage);
    expect(stages.filter((stage, at) => stage !== stages[at - 1])).toEqual([
      "queued",
      ...STAGES.filter((stage) => stage !== "failed"),
    ]);
    const progress = statuses.map((event) => Number(event.progress));
    expect(progress).toEqual(progress.toSorted((one, other) => one - other));
    expect(new Set(progress).size).toBeGreaterThan(6);
    expect(statuses.some((event) => typeof event.estimated_completion === "string")).toBe(true);

    const result = events.find((event) => event.event_type === "result_update");
    expect(result).toMatchObject({
      total_frames: SAMPLE.frames,
      frames_processed: SAMPLE.frames,
      frame_rate: 25,
      blockchain_hash: null,
    });
    const regions = result?.suspicious_regions as Region[];
    const only = (type: string) => {
      const found = regions.filter((region) => region.region_type === type);
      expect(found).toHaveLength(1);
      return found[0] as Region;
    };
    const black = only("black_frames");
    near(black.frame_number, SAMPLE.black[0], 2);
    near(black.end_frame, SAMPLE.black[1], 2);
    expect(black).toMatchObject({ x: 0, y: 0, width: 1, height: 1 });
    expect(black.confidence).toBeGreaterThan(0.9);
    const freeze = only("freeze");
    near(freeze.frame_number, SAMPLE.frozen[0], 3);
    near(freeze.end_frame, SAMPLE.frozen[1], 3);
    near(only("scene_cut").frame_number, SAMPLE.cut, 1);
    const blocks = only("blockiness");
    near(blocks.frame_number, SAMPLE.blocks[0], 3);
    near(blocks.end_frame, SAMPLE.blocks[1], 3);
    expect(blocks).toMatchObject({ x: 0.25, y: 0.25, width: 0.25, height: 0.25 });
  });

  test("says in an error what is no video", async () => {
    expect(
      await failureOf("Once upon a time there was a text file.\n".repeat(100), "tale.mp4"),
    ).toMatchObject({
      error_code: "not_a_video",
      error_details: {
        ffprobe: [
          "[mov,mp4,m4a,3gp,3g2,mj2] moov atom not found",
          expect.stringMatching(/^video.mp4: Invalid/),
        ],
      },
    });
    expect(await failureOf("", "nothing.mp4")).toMatchObject({ error_code: "not_a_video" });
    const song = join(folder, "song.m4a");
    await makeSong(song);
    expect(await failureOf(await Bun.file(song).bytes(), "song.mp4")).toMatchObject({
      error_code: "no_video_stream",
    });
  });

  test("refuses a small file of very many frames before it has written any of them", async () => {
    const fast = join(folder, "fast.mp4");
    await makeFastVideo(fast);
    expect(Bun.file(fast).size).toBeLessThan(5_000_000);
    expect(await failureOf(await Bun.file(fast).bytes(), "many-frames.mp4")).toMatchObject({
      error_code: "too_many_frames",
      error_message: "The video has more than 36,000 frames",
      error_details: { found: 40_000, limit: 36_000 },
    });
  });

  test("opens no other file that a playlist names", async () => {
    // Whole, playable, and readable by the worker: opened, it would be analysed.
    const playlist = `#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\nfile://${folder}/sample.ts\n#EXT-X-ENDLIST\n`;
    await repack(join(folder, "sample.mp4"), join(folder, "sample.ts"));
    expect(await failureOf(playlist, "playlist.m3u8")).toMatchObject({ error_code: "not_a_video" });
  });

  test("says in an error that the file was cut off", async () => {
    const whole = await Bun.file(join(folder, "sample.mp4")).bytes();
    // The index of an MP4 is at its end.
    expect(await failureOf(whole.slice(0, whole.length / 2), "half.mp4")).toMatchObject({
      error_code: "not_a_video",
    });
  });

  test("whose process is killed in the middle ends in an error, and the next one is analysed", async () => {
    const { watcher, ffmpeg } = await analyseLong();
    const copies = () => Array.fromAsync(new Bun.Glob("**/video.mp4").scan({ cwd: temporary }));
    expect(await copies()).toHaveLength(1);
    process.kill(ffmpeg.parent, "SIGKILL");
    expect(await watcher.untilType("error")).toMatchObject({ error_code: "worker_lost" });
    await watcher.leave();
    await eventually("ffmpeg has ended", async () => processRow(ffmpeg.pid) === undefined);
    await eventually("the copy of the video is gone", async () => (await copies()).length === 0);

    const next = await analyse(join(folder, "sample.mp4"));
    await next.untilType("result_update");
    await next.leave();
  });

  describe("the web application", () => {
    test("lets its visitor watch the analysis of the file sent, and nobody else", async () => {
      const [owner, stranger] = [await newVisitor(example), await newVisitor(example)];
      const answer = await upload(example, owner.cookie, Bun.file(join(folder, "sample.mp4")));
      expect(answer.status).toBe(201);
      const { analysis_id: id } = (await answer.json()) as { analysis_id: string };
      const watch = (token: string) =>
        new WatchingSocket(watchUrl(owner.gateway_url, id), {
          protocols: ["telltale.v1", `bearer.${token}`],
          headers: { Origin: example.pageUrl },
        });
      expect(await watch(stranger.token).closed).toMatchObject({ code: 4003 });
      const watcher = watch(owner.token);
      expect((await watcher.untilType("result_update")).analysis_id).toBe(id);
      await watcher.leave();

      const video = (cookie: string) =>
        fetch(`${example.pageUrl}/api/analyses/${id}/video`, { headers: { cookie, Range: "bytes=4-7" } });
      const mine = await video(owner.cookie);
      expect([mine.status, mine.headers.get("content-type"), await mine.text()]).toEqual([
        206,
        "video/mp4",
        "ftyp",
      ]);
      expect((await video(stranger.cookie)).status).toBe(404);
    });

    test("refuses a file that is too large, told beforehand or not", async () => {
      const { cookie } = await newVisitor(example);
      const megabyte = new Uint8Array(1_000_000);
      const told = await upload(example, cookie, new Uint8Array((UPLOAD_MAX_MB + 1) * 1_000_000));
      expect([told.status, await told.json()]).toMatchObject([413, { code: "upload_too_large" }]);
      let sent = 0;
      const untold = new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          if (sent++ > UPLOAD_MAX_MB) controller.close();
          else controller.enqueue(megabyte);
        },
      });
      expect((await upload(example, cookie, untold)).status).toBe(413);
    });
  });

  test("one interrupt ends all that the one command started, and leaves no file behind", async () => {
    const { watcher } = await analyseLong();
    const started = descendants(example.pid);
    expect(started.length).toBeGreaterThan(3);
    expect(await example.stop()).toBe(0);
    // A child of the worker may take a moment longer than the worker itself.
    const left = () => started.filter((row) => processRow(row.pid) !== undefined);
    await eventually(
      () => `all have ended, not: ${left().map(({ name, pid }) => `${name} ${pid}`)}`,
      async () => left().length === 0,
    );
    expect(await readdir(temporary)).toEqual([]);
    await watcher.closed;
  });
});

function near(actual: number, expected: number, frames: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(frames);
}
