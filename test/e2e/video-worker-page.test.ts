import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { eventually } from "../../src/testing/eventually.ts";
import { complaintsOf, launchBrowser } from "../support/browser.ts";
import { type GatewayProcess, publisherToken } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import {
  descendants,
  makeLongVideo,
  makeSample,
  type RunningExample,
  startExample,
} from "../support/video-worker.ts";

// Real videos, on a machine that may be busy with other things.
setDefaultTimeout(90_000);

const able = [needs("ffmpeg"), needs("celery"), needs("redis-server"), needs("chromium")].every(Boolean);

const FILE = "[data-testid=file]";
const PROGRESS = "[data-testid=progress]";
const VERDICT = "[data-testid=verdict]";

describe.skipIf(!able)("the page of the video worker", () => {
  let example: RunningExample;
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-video-"));
    [example, browser] = await Promise.all([
      startExample(undefined, { STALL_AFTER_SECONDS: "4" }),
      launchBrowser(),
      makeSample(join(folder, "sample.mp4")),
      makeLongVideo(join(folder, "long.mp4")),
      Bun.write(join(folder, "tale.mp4"), "Once upon a time there was a text file."),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await example?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A page of a visitor of its own. */
  async function visit(address = example.pageUrl): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }
  const send = (page: Page, name: string) => page.setInputFiles(FILE, join(folder, name));

  test("takes a video, shows every stage, and draws what was found where it was put", async () => {
    const page = await visit();
    const complaints = complaintsOf(page, example.pageUrl, example.gatewayUrl);
    const seen = await recordTexts(page, "[data-testid=stage]");
    await send(page, "sample.mp4");
    await page.waitForSelector(VERDICT);
    const stages = await seen();
    // The shortest stages may be drawn over before the page is painted; the long ones may not.
    expect(stages).toContain("Extracting frames");
    expect(stages.indexOf("Measuring")).toBeGreaterThan(stages.indexOf("Extracting frames"));

    expect(await page.textContent("[data-testid=connection]")).toBe("Ended");

    await page.click(".finding[data-type=blockiness]");
    const mark = await page.waitForSelector(".mark[data-type=blockiness]");
    const [drawn, picture] = [await mark.boundingBox(), await (await page.$("video"))?.boundingBox()];
    if (drawn === null || picture == null) throw new Error("nothing is drawn");
    expect((drawn.x - picture.x) / picture.width).toBeCloseTo(0.25, 2);
    expect((drawn.y - picture.y) / picture.height).toBeCloseTo(0.25, 2);
    expect(drawn.width / picture.width).toBeCloseTo(0.25, 2);
    const stands = await page.$eval("video", (video) => (video as HTMLVideoElement).currentTime);
    expect(stands).toBeCloseTo(10, 1);

    await page.click(".finding[data-type=black_frames]");
    await page.waitForSelector(".mark[data-type=black_frames]");
    expect(await page.$(".mark[data-type=blockiness]")).toBeNull();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("WEB-12: runs no script and no style but its own, and may be framed by nobody", async () => {
    const { headers } = await fetch(example.pageUrl);
    const policy = headers.get("Content-Security-Policy") ?? "";
    for (const directive of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
      expect(policy.split("; ")).toContain(directive);
    expect(policy).not.toContain("unsafe");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Referrer-Policy")).toBe("no-referrer");
  });

  test("reloaded in the middle shows the state at once, and a stranger sees nothing of it", async () => {
    const page = await visit();
    await send(page, "long.mp4");
    const underWay = () =>
      page.waitForFunction((bar) => {
        const value = Number(document.querySelector(bar)?.getAttribute("aria-valuenow"));
        return value > 30 && value < 100;
      }, PROGRESS);
    await underWay();
    await page.reload();
    await underWay();
    await page.waitForSelector("[data-testid=connection][data-kind=live]");
    const stranger = await visit(page.url());
    expect(await stranger.textContent("[data-testid=refusal] h2")).toBe("This is not your analysis");
    await stranger.context().close();
    await page.waitForSelector(VERDICT);
    await page.reload();
    await page.waitForSelector(VERDICT);
    await page.context().close();
  });

  test("takes a video dropped onto it, and says why one could not be analysed", async () => {
    const page = await visit();
    await page.waitForSelector(FILE, { state: "attached" });
    const dropped = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["Once upon a time there was a text file."], "tale.mp4"));
      return transfer;
    });
    await page.dispatchEvent(".drop", "drop", { dataTransfer: dropped });
    expect(await page.textContent("[data-testid=failure]")).toContain("no video that ffmpeg can read");
    await page.getByRole("button", { name: "Try another video" }).click();
    await page.waitForSelector(FILE, { state: "attached" });
    await page.context().close();
  });

  test("fits a phone without scrolling sideways", async () => {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, isMobile: true });
    const page = await context.newPage();
    await page.goto(example.pageUrl);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await page.waitForSelector(FILE, { state: "attached" });
    expect(await overflow()).toBeLessThanOrEqual(0);
    await send(page, "sample.mp4");
    await page.waitForSelector(VERDICT);
    expect(await overflow()).toBeLessThanOrEqual(0);
    await context.close();
  });

  /** A visitor who may watch an analysis that the test publishes to. */
  async function visitAnalysis(): Promise<{
    page: Page;
    id: string;
    say: (event: object) => Promise<unknown>;
  }> {
    const id = crypto.randomUUID();
    const page = await visit();
    const user = await page.evaluate(async () => {
      const session = (await (await fetch("/api/session")).json()) as { user: string };
      return session.user;
    });
    await fetch(`${example.gatewayUrl}/v1/analyses/${id}`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${await publisherToken()}` },
      body: JSON.stringify({ viewers: [user] }),
    });
    const gateway = { url: example.gatewayUrl } as GatewayProcess;
    return { page, id, say: (event) => publish(gateway, id, event) };
  }

  test("PAGE-8: a verdict says how suspicious the video is, and how sure it is of that, each by its name", async () => {
    const { page, id, say } = await visitAnalysis();
    await say(statusUpdate());
    await say(resultUpdate({ is_fake: false, confidence_score: 0.8 }));
    await page.goto(`${example.pageUrl}/#${id}`);
    await page.waitForSelector(VERDICT);
    const facts = await page.locator(`${VERDICT} .facts > div`).allInnerTexts();
    expect(facts.map((fact) => fact.replaceAll(/\s+/g, " ").trim())).toEqual([
      "Suspicion 20 %",
      "Confidence in this verdict 80 %",
    ]);
    expect(await page.textContent("[data-testid=connection]")).toBe("Ended");
    await page.context().close();
  });

  test("PAGE-10, PAGE-11: it shows the queue, counts, a cancelled analysis and a result of another worker", async () => {
    const { page, id, say } = await visitAnalysis();
    const complaints = complaintsOf(page, example.pageUrl, example.gatewayUrl);
    await say(statusUpdate({ current_stage: "queued", progress: 0, message: "third in line" }));
    await page.goto(`${example.pageUrl}/#${id}`);
    await page.waitForSelector("text=In the queue");
    expect(await page.textContent("[data-testid=eta]")).toBe("");
    await say(statusUpdate({ progress: undefined, current: 340, total: 1000, unit: "frames" }));
    await page.waitForSelector("[data-testid=counts]");
    expect(await page.textContent("[data-testid=counts]")).toBe("340 of 1,000 frames");
    await say(statusUpdate({ current_stage: "cancelled", message: "You have stopped it." }));
    await page.waitForSelector("[data-testid=cancelled]");
    expect(await page.textContent("[data-testid=cancelled]")).toContain("You have stopped it.");
    expect(await page.textContent("[data-testid=connection]")).toBe("Ended");
    await say({ event_type: "result", data: { language: "en" }, summary: "812 words of English" });
    await page.waitForSelector("[data-testid=result]");
    expect(await page.textContent("[data-testid=result]")).toContain("812 words of English");
    expect(complaints.filter((text) => !text.includes("404"))).toEqual([]);
    await page.context().close();
  });

  test("PAGE-12: its visitor cancels an analysis, and the worker ends its ffmpeg", async () => {
    const page = await visit();
    const complaints = complaintsOf(page, example.pageUrl, example.gatewayUrl);
    const ffmpegs = () => descendants(example.pid).filter(({ name }) => name === "ffmpeg");
    await send(page, "long.mp4");
    await eventually("ffmpeg is at work", async () => ffmpegs().length > 0);
    await page.click("[data-testid=cancel]");
    await page.waitForSelector("[data-testid=cancelled]");
    expect(await page.textContent("[data-testid=cancelled]")).toContain("somebody asked for it");
    expect(await page.textContent("[data-testid=cancelled-by]")).toMatch(/^Requested at [\d:]{8}$/);
    expect(await page.$("[data-testid=cancel]")).toBeNull();
    expect(await page.textContent("[data-testid=connection]")).toBe("Ended");
    await eventually("ffmpeg has ended", async () => ffmpegs().length === 0);
    expect(complaints.filter((text) => !text.includes("404"))).toEqual([]);
    await page.context().close();
  });

  test("PAGE-7: fields of any type beside those of the contract break nothing", async () => {
    const { page, id, say } = await visitAnalysis();
    const complaints = complaintsOf(page, example.pageUrl, example.gatewayUrl);
    const odd = { at: [{}] };
    const region = {
      frame_number: 9,
      x: 0,
      y: 0,
      width: 1,
      height: 1,
      confidence: 1,
      region_type: "constructor",
    };
    await say(
      resultUpdate({
        frame_rate: odd,
        suspicious_regions: [
          { ...region, end_time: odd, start_time: "soon", end_frame: [] },
          { ...region, region_type: "__proto__", end_time: null, start_time: -5 },
        ],
      }),
    );
    await page.goto(`${example.pageUrl}/#${id}`);
    await page.waitForSelector(VERDICT);
    expect(await page.locator(".finding").count()).toBe(2);
    await page.locator(".finding").first().click();
    expect(complaints.filter((text) => !text.includes("404"))).toEqual([]);
    await page.context().close();
  });

  test("PAGE-1, PAGE-3, PAGE-4: late, it shows every stage's time; of a silent worker it says since when", async () => {
    const { page, id, say } = await visitAnalysis();
    const at = (seconds: number, current_stage: string) =>
      statusUpdate({ current_stage, timestamp: new Date(Date.now() - seconds * 1000).toISOString() });
    await say([at(75, "initializing"), at(70, "uploading"), at(65.6, "frame_extraction")]);
    await say(statusUpdate({ estimated_completion: new Date(Date.now() + 60_000).toISOString() }));
    await page.goto(`${example.pageUrl}/#${id}`);
    await page.waitForSelector("[data-testid=elapsed]");
    expect(await page.textContent("[data-stage=uploading] .steps__time")).toBe("4.4 s");
    expect(await page.textContent("[data-testid=elapsed]")).toMatch(/^1 min \d+ s$/);
    await page.waitForSelector("[data-testid=quiet]");
    expect(await page.textContent("[data-testid=quiet]")).toMatch(/since \d\d:\d\d:\d\d/);
    expect(await page.textContent("[data-testid=eta]")).toBe("");
    await page.context().close();
  });

  // Last, since it ends all that the others use.
  test("PAGE-2, PAGE-3: when everything is gone it guesses nothing and says what to do", async () => {
    const { page, id, say } = await visitAnalysis();
    const fresh = await visit();
    await say(statusUpdate({ estimated_completion: new Date(Date.now() + 600_000).toISOString() }));
    await page.goto(`${example.pageUrl}/#${id}`);
    await page.waitForFunction(() =>
      document.querySelector("[data-testid=eta]")?.textContent?.includes("left"),
    );
    await example.stop();
    await page.waitForSelector("[data-testid=link-down]");
    expect(await page.textContent("[data-testid=eta]")).toBe("");
    await send(fresh, "sample.mp4");
    expect(await fresh.textContent("[data-testid=upload-error]")).toBe(
      "The web application cannot be reached. Check that it is running, and try again.",
    );
    for (const one of [page, fresh]) await one.context().close();
  });
});

/** Every text that `selector` shows from here on. */
async function recordTexts(page: Page, selector: string): Promise<() => Promise<string[]>> {
  await page.evaluate((selector) => {
    const texts: string[] = [];
    Object.assign(window, { recordedTexts: texts });
    const note = () => {
      const text = document.querySelector(selector)?.textContent;
      if (text && text !== texts.at(-1)) texts.push(text);
    };
    new MutationObserver(note).observe(document.body, {
      childList: true,
      subtree: true,
      characterData: true,
    });
  }, selector);
  return () => page.evaluate(() => (window as unknown as { recordedTexts: string[] }).recordedTexts);
}
