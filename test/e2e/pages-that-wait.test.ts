import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Redis } from "ioredis";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { eventually } from "../../src/testing/eventually.ts";
import { complaintsOf, launchBrowser } from "../support/browser.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

setDefaultTimeout(60_000);

const CONNECTION = "[data-testid=connection]";
const connectionIs = (kind: string) => `${CONNECTION}[data-kind=${kind}]`;
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

let browser: Browser;
let gateway: GatewayProcess;
let contexts: BrowserContext[] = [];

describe.skipIf(!needs("chromium"))("the demo page while it waits, and at the end", () => {
  beforeAll(async () => {
    [browser, gateway] = await Promise.all([
      launchBrowser(),
      startGateway({ DEMO: "on", STALL_AFTER_SECONDS: "2", STAGES: "*" }),
    ]);
  });
  afterAll(async () => {
    await browser.close();
    await gateway.kill9();
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    contexts = [];
  });

  async function open(id?: string): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext();
    contexts.push(context);
    const page = await context.newPage();
    const complaints = complaintsOf(page, gateway.url);
    await page.goto(id === undefined ? gateway.url : `${gateway.url}/?analysis=${id}`);
    return { page, complaints };
  }
  const timeOf = (page: Page, stage: string) => page.textContent(`[data-stage=${stage}] .step__time`);
  /** The text on the page, with the spaces between that the eye sees. */
  const shownText = async (page: Page, within = "#app") =>
    (await page.locator(within).allInnerTexts()).join(" ");

  test("PAGE-1: opened late and reloaded, it shows each stage's time and the time elapsed", async () => {
    const id = crypto.randomUUID();
    const at = (seconds: number, current_stage: string) =>
      statusUpdate({ current_stage, timestamp: ago(seconds) });
    await publish(gateway, id, [
      at(75, "initializing"),
      at(70, "uploading"),
      at(65.6, "frame_extraction"),
      at(60, "feature_extraction"),
    ]);
    const { page } = await open(id);
    for (let visit = 0; visit < 2; visit += 1) {
      await page.waitForSelector("[data-testid=elapsed]");
      expect(await timeOf(page, "uploading")).toBe("4.4 s");
      expect(await timeOf(page, "frame_extraction")).toBe("5.6 s");
      expect(await page.textContent("[data-testid=elapsed]")).toMatch(/^1:[12]\d$/);
      await page.reload();
    }
    await publish(gateway, id, resultUpdate());
    await page.waitForSelector("[data-testid=verdict]");
    expect(await timeOf(page, "uploading")).toBe("4.4 s");
  });

  test("PAGE-3, PAGE-4: a worker that falls silent is told as silent, and what it guessed counts no more", async () => {
    const id = crypto.randomUUID();
    const soon = new Date(Date.now() + 60_000).toISOString();
    await publish(gateway, id, statusUpdate({ estimated_completion: soon }));
    const { page } = await open(id);
    await page.waitForSelector("[data-testid=quiet]");
    expect(await page.textContent("[data-testid=quiet]")).toMatch(/since \d\d:\d\d:\d\d/);
    expect(await page.textContent("[data-testid=eta]")).toBe("not known");
    await publish(gateway, id, statusUpdate({ progress: 0.7, estimated_completion: ago(1) }));
    await page.waitForSelector("[data-testid=progress][aria-valuenow='70']");
    expect(await page.locator("[data-testid=quiet]").count()).toBe(0);
    expect(await page.textContent("[data-testid=eta]")).toBe("not known");
    expect(await shownText(page)).not.toMatch(/any moment|almost done/i);
  });

  const endings: [string, Record<string, unknown>][] = [
    ["a verdict", resultUpdate()],
    ["a failure", errorEvent()],
  ];
  test.each(endings)("PAGE-4: after %s nothing is live any more", async (_, ending) => {
    const id = crypto.randomUUID();
    const { page } = await open(id);
    await page.waitForSelector(connectionIs("live"));
    await publish(gateway, id, [statusUpdate(), ending]);
    await page.waitForSelector("[data-testid=verdict]");
    expect(await page.textContent(CONNECTION)).toBe("Ended");
    expect(await shownText(page)).not.toMatch(/\bLive\b/);
    await publish(gateway, id, statusUpdate({ current_stage: "initializing" }));
    await page.waitForSelector(`${CONNECTION}[data-ended=false]`);
    expect(await page.textContent(CONNECTION)).toBe("Live");
  });

  test("PAGE-10, PAGE-11: it shows a worker of any kind: the queue, its stages, its counts, and how it ends", async () => {
    const id = crypto.randomUUID();
    const say = (event: object) => publish(gateway, id, event);
    const stageIs = (text: string) =>
      page.waitForFunction(
        (text) => document.querySelector("[data-testid=stage]")?.textContent === text,
        text,
      );
    const soon = new Date(Date.now() + 600_000).toISOString();
    await say(statusUpdate({ current_stage: "queued", progress: 0, estimated_completion: soon }));
    const { page, complaints } = await open(id);
    await stageIs("Queued");
    expect(await page.locator("[data-testid=eta]").count()).toBe(0);
    const counts = { current: 340, total: 1000, unit: "pages" };
    await say(statusUpdate({ current_stage: "scan", progress: 0.1 }));
    await say(statusUpdate({ current_stage: "ocr.text", progress: undefined, ...counts }));
    await stageIs("ocr.text");
    expect(await page.textContent("[data-testid=counts]")).toBe("340 of 1,000 pages");
    expect(await page.getAttribute("[data-testid=progress]", "aria-valuenow")).toBe("34");
    expect(await page.locator("[data-testid=stages] li").allInnerTexts()).toEqual([
      expect.stringContaining("scan"),
      expect.stringContaining("ocr.text"),
    ]);
    await say(statusUpdate({ current_stage: "cancelled", message: "alice has stopped it", ...counts }));
    await page.waitForSelector("[data-testid=cancelled]");
    expect(await shownText(page, ".overview")).toMatch(
      /was cancelled.*alice has stopped it.*340 of 1,000 pages/s,
    );
    expect(await page.textContent(CONNECTION)).toBe("Ended");
    await say(statusUpdate({ current_stage: "ocr.text" }));
    await say({
      event_type: "result",
      data: { language: "en", words: 812 },
      summary: "812 words of English",
    });
    await page.waitForSelector("[data-testid=result]");
    expect(await shownText(page, ".overview")).toMatch(/812 words of English.*Language.*en/s);
    await page.reload();
    await page.waitForSelector("[data-testid=result]");
    expect(complaints).toEqual([]);
  });

  test("PAGE-5: a failure is said in words, its code small, its details readable", async () => {
    const id = crypto.randomUUID();
    const details = { needed_mb: 9216, retryable: true, trace: { at: 7 } };
    await publish(gateway, id, [
      statusUpdate(),
      errorEvent({
        error_code: "MODEL_OUT_OF_MEMORY",
        error_message: "Out of memory",
        error_details: details,
      }),
    ]);
    const { page } = await open(id);
    await page.waitForSelector("[data-testid=verdict]");
    const text = await shownText(page, ".overview");
    expect(text).toMatch(/Out of memory.*9,216 MB.*Code MODEL_OUT_OF_MEMORY/s);
    expect(text).not.toContain("needed_mb");
    const sizeOf = (selector: string) =>
      page.$eval(selector, (element) => Number.parseFloat(getComputedStyle(element).fontSize));
    expect(await sizeOf("[data-testid=error-code]")).toBeLessThan(await sizeOf("[data-testid=message]"));
  });

  test("PAGE-1: one that has only begun is not called unknown before it has had time to speak", async () => {
    const id = crypto.randomUUID();
    const { page } = await open();
    await page.addInitScript(() => {
      const memory = window as typeof window & { flashed?: boolean };
      new MutationObserver(() => {
        if (document.querySelector("[data-testid=unknown]") !== null) memory.flashed = true;
      }).observe(document, { subtree: true, childList: true });
    });
    const told = Promise.withResolvers<void>();
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => {
        const { event_type, status } = JSON.parse(String(payload));
        if (event_type === "analysis_state" && status === "unknown") told.resolve();
      }),
    );
    await page.goto(`${gateway.url}/?analysis=${id}`, { waitUntil: "commit" });
    await told.promise;
    await publish(gateway, id, statusUpdate({ progress: 0.2 }));
    await page.waitForSelector("[data-testid=progress][aria-valuenow='20']");
    const flashed = () => page.evaluate(() => (window as typeof window & { flashed?: boolean }).flashed);
    expect(await flashed()).toBeUndefined();
  });

  test("PAGE-6: says how many events were refused, and why, be it all of an analysis or some", async () => {
    const id = crypto.randomUUID();
    const { page } = await open(id);
    await page.waitForSelector("[data-testid=unknown]");
    for (const progress of [40, 41]) await publish(gateway, id, statusUpdate({ progress }));
    await page.waitForSelector("[data-testid=all-refused]");
    expect(await page.textContent("[data-testid=stage]")).toContain("2 events were refused");
    expect(await page.textContent("[data-testid=refusal-reason]")).toContain("progress");
    await publish(gateway, id, statusUpdate({ progress: 0.4 }));
    await page.waitForSelector("[data-testid=progress][aria-valuenow='40']");
    await publish(gateway, id, statusUpdate({ timestamp: "yesterday" }));
    await page.waitForSelector("[data-testid=some-refused]:has-text('3 events were refused')");
    expect(await page.textContent("[data-testid=some-refused]")).toContain("timestamp");
  });

  test("PAGE-7: an event that holds anything at all beside its fields breaks nothing", async () => {
    const id = crypto.randomUUID();
    const odd = { toString: null, a: [[[{}]]] };
    const region = {
      frame_number: 1,
      x: 1,
      y: 1,
      width: 1,
      height: 1,
      confidence: 1,
      region_type: "constructor",
    };
    const { page, complaints } = await open(id);
    await page.waitForSelector(connectionIs("live"));
    const answer = await publish(gateway, id, [
      statusUpdate({ level: odd, constructor: odd, message: "x".repeat(20_000), stages: odd }),
      resultUpdate({
        frame_rate: odd,
        suspicious_regions: [
          { ...region, timecode: odd, end_time: odd, start_time: "soon", end_frame: [] },
          { ...region, region_type: "__proto__", key: odd },
        ],
      }),
    ]);
    expect(answer.status).toBe(202);
    await page.waitForSelector("[data-testid=verdict]");
    expect(await page.locator("[data-testid=region]").count()).toBe(2);
    await publish(gateway, id, [
      statusUpdate(),
      errorEvent({ error_details: { odd, issues: [odd], "": 1, __proto__: 2, _mb: 3 } }),
    ]);
    await page.waitForSelector("[data-verdict=failed]");
    await page.reload();
    await page.waitForSelector("[data-verdict=failed]");
    expect(complaints).toEqual([]);
    expect(
      await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
    ).toBeLessThanOrEqual(0);
  });

  describe.skipIf(!needs("redis-server"))("with workers on Redis", () => {
    let redis: RunningRedis;
    let node: GatewayProcess;
    beforeAll(async () => {
      redis = await startRedis();
      node = await startGateway({ DEMO: "on", REDIS_URL: redis.url });
    });
    afterAll(async () => {
      await node.kill9();
      await redis.stop();
    });

    test("PAGE-6: counts a bare message that was refused as well", async () => {
      const id = crypto.randomUUID();
      const worker = new Redis(redis.url);
      const say = (event: object) => worker.publish(`analysis:${id}`, JSON.stringify(event));
      const { page } = await open();
      await page.goto(`${node.url}/?analysis=${id}`);
      await page.waitForSelector("[data-testid=unknown]");
      for (const progress of [40, 41, 42]) await say(statusUpdate({ progress }));
      await page.waitForSelector("[data-testid=all-refused]");
      await page.waitForSelector("text=3 events were refused");
      worker.disconnect();
    });

    // Last, since it ends the broker of the others.
    test("PAGE-9: says that the gateway's broker is away, and shows the analysis once it is back", async () => {
      const id = crypto.randomUUID();
      await redis.kill9();
      const { page } = await open();
      await page.goto(`${node.url}/?analysis=${id}`);
      await page.waitForSelector('h1:has-text("The gateway\'s broker is away")');
      expect(await page.textContent(CONNECTION)).toBe("Broker away");
      await redis.restart();
      const say = () => publish(node, id, statusUpdate({ progress: 0.3 }));
      await eventually("an event is stored", async () => (await say()).ok);
      await page.waitForSelector("[data-testid=progress][aria-valuenow='30']");
      await page.waitForSelector(connectionIs("live"));
    });
  });

  // Last, since it ends the gateway of the others.
  test("PAGE-2, PAGE-3, PAGE-4: without the gateway it says what to do, and counts nothing on", async () => {
    const [running, done] = [crypto.randomUUID(), crypto.randomUUID()];
    const soon = new Date(Date.now() + 120_000).toISOString();
    await publish(gateway, running, statusUpdate({ estimated_completion: soon }));
    await publish(gateway, done, [statusUpdate(), resultUpdate()]);
    const { page: fresh } = await open();
    const { page } = await open(running);
    const { page: ended } = await open(done);
    await page.waitForSelector(connectionIs("live"));
    await ended.waitForSelector("[data-testid=verdict]");
    await gateway.kill9();

    await page.waitForSelector("[data-testid=link-down]");
    expect(await page.textContent("[data-testid=eta]")).toBe("not known");
    const elapsed = await page.textContent("[data-testid=elapsed]");
    await page.waitForTimeout(1_500);
    expect(await page.textContent("[data-testid=elapsed]")).toBe(elapsed);
    await ended.waitForSelector(connectionIs("waiting"));
    expect(await ended.textContent(CONNECTION)).toBe("Ended");
    await fresh.click("[data-testid=start]");
    await fresh.waitForSelector("[role=alert]");
    expect(await fresh.textContent("[role=alert]")).toBe(
      "The analysis could not be started. The gateway cannot be reached. Check that it is running (npm start), and try again.",
    );
    gateway = await startGateway({ DEMO: "on", PORT: String(gateway.port) });
    await page.waitForSelector("[data-testid=unknown]");
  });
});
