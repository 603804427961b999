import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Browser, Page } from "playwright-core";
import { freePort } from "../../examples/video-worker/run/free-port.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { launchBrowser } from "../support/browser.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { makeLongVideo, type RunningExample, startExample } from "../support/video-worker.ts";

setDefaultTimeout(90_000);

const VERDICT = "[data-testid=verdict]";
const connectionIs = (kind: string) => `[data-testid=connection][data-kind=${kind}]`;

const STAGES = [
  "initializing",
  "uploading",
  "frame_extraction",
  "feature_extraction",
  "model_inference",
  "post_processing",
  "blockchain_submission",
] as const;

/**
 * The gateway that a page is connected to is killed and started again while the worker goes on. Another one listens
 * meanwhile, as in any deployment that is to lose no bare PUBLISH.
 */
describe.skipIf(!needs("chromium") || !needs("redis-server"))("over a restart of its gateway", () => {
  let redis: RunningRedis;
  let listener: GatewayProcess;
  let browser: Browser;

  beforeAll(async () => {
    redis = await startRedis();
    [listener, browser] = await Promise.all([startGateway({ REDIS_URL: redis.url }), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await listener?.kill9();
    await redis?.stop();
  });

  const keptOf = async (id: string) => {
    const token = await tokenFor({ analyses: [id] });
    const answer = await fetch(`${listener.url}/v1/analyses/${id}/events?limit=1000`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return ((await answer.json()) as { events: { event_id: string }[] }).events.map(
      ({ event_id }) => event_id,
    );
  };

  test("RES-1: the demo page misses nothing: the whole timeline, the verdict, and each event once in its list", async () => {
    let gateway = await startGateway({ DEMO: "on", REDIS_URL: redis.url });
    const worker = new Redis(redis.url);
    const id = crypto.randomUUID();
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${gateway.url}/?analysis=${id}`);
    await page.waitForSelector(connectionIs("live"));
    const say = (event: object) =>
      worker.publish(`analysis:${id}`, JSON.stringify({ analysis_id: id, ...event }));
    const work = async (stages: readonly string[]) => {
      for (const current_stage of stages) {
        for (let step = 0; step < 5; step++)
          await say(statusUpdate({ current_stage, message: `${current_stage} ${step}`, progress: 0.5 }));
      }
    };
    await work(STAGES.slice(0, 2));
    await page.waitForFunction(
      () => document.querySelector("[data-testid=event-count]")?.textContent === "10",
    );
    await gateway.kill9();
    await page.waitForSelector(connectionIs("waiting"));
    await work(STAGES.slice(2, 4));
    const working = work(STAGES.slice(4));
    gateway = await startGateway({ DEMO: "on", PORT: String(gateway.port), REDIS_URL: redis.url });
    await working;
    await say(resultUpdate());
    await page.waitForSelector(`${VERDICT}[data-verdict=fake]`);
    await page.waitForSelector(connectionIs("live"));

    await page.click("[data-testid=events] summary");
    const listed = await page
      .locator("[data-testid=event]")
      .evaluateAll((items) => items.map((item) => item.getAttribute("data-event-id")));
    const kept = await keptOf(id);
    expect(kept).toHaveLength(5 * STAGES.length + 1);
    expect(listed).toEqual(kept.toReversed());
    for (const stage of STAGES)
      expect(await page.getAttribute(`[data-stage=${stage}]`, "class")).toContain("step--done");
    worker.disconnect();
    await page.context().close();
    await gateway.kill9();
  });

  describe.skipIf(!needs("ffmpeg") || !needs("celery"))("with the video worker", () => {
    let example: RunningExample;
    let gateway: GatewayProcess;
    let folder: string;
    const pagePort = freePort();
    const start = (env: Record<string, string> = {}) =>
      startGateway({
        REDIS_URL: redis.url,
        ALLOWED_ORIGINS: `http://127.0.0.1:${pagePort}`,
        WATCH_DEFAULT: "deny",
        ...env,
      });

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "telltale-restart-"));
      gateway = await start();
      const env = { GATEWAY_URL: gateway.url, PORT: String(pagePort) };
      [example] = await Promise.all([startExample(redis.url, env), makeLongVideo(join(folder, "long.mp4"))]);
    });
    afterAll(async () => {
      await example?.stop();
      await gateway?.kill9();
      await rm(folder, { recursive: true, force: true });
    });

    test("RES-1: the example's page misses nothing either, and shows the verdict", async () => {
      const page = await (await browser.newContext()).newPage();
      // The test sees what comes over a WebSocket, so nothing else may get through.
      await page.route("**/v1/analyses/**", (route) => route.abort());
      const received = eventsOn(page);
      await page.goto(example.pageUrl);
      await page.setInputFiles("[data-testid=file]", join(folder, "long.mp4"));
      await page.waitForFunction(() => {
        const bar = document.querySelector("[data-testid=progress]");
        return Number(bar?.getAttribute("aria-valuenow")) > 15;
      });
      const id = new URL(page.url()).hash.slice(1);
      const before = (await keptOf(id)).length;
      await gateway.kill9();
      await page.waitForSelector(connectionIs("waiting"));
      // The worker goes on while nobody serves the page.
      await eventually("the worker said more", async () => (await keptOf(id)).length > before + 2);
      expect(await page.locator(VERDICT).count()).toBe(0);
      gateway = await start({ PORT: String(gateway.port) });
      await page.waitForSelector(VERDICT);
      await page.waitForSelector(connectionIs("live"));
      const kept = await keptOf(id);
      // It began with the latest state, some events into the analysis.
      const since = kept.indexOf(received[0] as string);
      expect(received).toEqual(kept.slice(since));
      expect(since).toBeLessThan(before);
      await page.context().close();
    });
  });
});

/** The event_ids of all that comes over the page's WebSockets, in order. */
function eventsOn(page: Page): string[] {
  const ids: string[] = [];
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      const { event_id } = JSON.parse(String(payload)) as { event_id?: string };
      if (event_id !== undefined) ids.push(event_id);
    }),
  );
  return ids;
}
