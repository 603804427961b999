import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { complaintsOf, launchBrowser } from "../support/browser.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, statusUpdate } from "../support/publishing.ts";

setDefaultTimeout(60_000);

const TIMELINE = "[data-testid=stages] li";
const VIDEO_WORDS = /video|frame|newsreader|manipulated|authentic|verdict/i;

describe.skipIf(!needs("chromium"))("tabs of the demo page, side by side", () => {
  let browser: Browser;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    [browser, gateway] = await Promise.all([launchBrowser(), startGateway({ DEMO: "on", STAGES: "*" })]);
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.kill9();
  });

  const tab = async (id: string, beforeLoad: (page: Page) => Promise<unknown> = async () => {}) => {
    const page = await (await browser.newContext()).newPage();
    await beforeLoad(page);
    await page.goto(`${gateway.url}/?analysis=${id}`);
    await page.waitForSelector("[data-testid=connection][data-kind=live]");
    return page;
  };
  const shows = (page: Page, message: string) =>
    page.waitForSelector(`[data-testid=message]:has-text("${message}")`);

  test("PAGE-1: one that was there first, a late one, a reloaded one and one without WebSockets show the same times and events", async () => {
    const id = crypto.randomUUID();
    const began = Date.now() - 400_000;
    let sent = 0;
    const say = (afterMs: number, event: object) =>
      publish(gateway, id, {
        message: `message ${++sent}.`,
        ...event,
        timestamp: new Date(began + afterMs).toISOString(),
      });
    const work = (afterMs: number, current_stage: string) =>
      say(afterMs, statusUpdate({ current_stage, message: `message ${sent + 1}.` }));
    const first = await tab(id);
    for (const [afterMs, stage] of [
      [0, "initializing"],
      [49, "uploading"],
      [999, "frame_extraction"],
      [61_449, "feature_extraction"],
    ] as const)
      await work(afterMs, stage);
    await shows(first, "message 4.");
    const late = await tab(id);
    const slow = await tab(id, (page) =>
      page.addInitScript(() => Object.assign(globalThis, { WebSocket: undefined })),
    );
    await work(62_250, "frame_extraction");
    await work(199_250, "model_inference");
    const reloaded = await tab(id);
    await work(250_300, "model_inference");
    await shows(reloaded, "message 7.");
    await reloaded.reload();
    await shows(reloaded, "message 7.");
    await say(257_049, errorEvent());
    const pages = { first, late, slow, reloaded, after: await tab(id) };
    const told: Record<string, unknown> = {};
    for (const [name, page] of Object.entries(pages)) {
      await page.waitForSelector("[data-testid=connection][data-ended=true]");
      await page.waitForSelector(`[data-testid=event-count]:has-text("8")`);
      told[name] = {
        steps: (await page.locator(TIMELINE).allInnerTexts()).map((text) => text.split(/\s*\n\s*/)),
        events: await page
          .locator("[data-testid=event]")
          .evaluateAll((items) => items.map((item) => item.getAttribute("data-event-id"))),
        elapsed: await page.textContent("[data-testid=elapsed]"),
      };
    }
    for (const name of Object.keys(pages)) expect([name, told[name]]).toEqual([name, told.first]);
    expect(JSON.stringify(told.first)).toMatch(/49 ms.*950 ms.*3 min 17 s.*801 ms.*57\.8 s/);
    await Promise.all(Object.values(pages).map((page) => page.context().close()));
  });

  test("PAGE-14: shows the analysis by the element over the same connection, with its markup", async () => {
    const id = crypto.randomUUID();
    let sockets = 0;
    const page = await tab(id, async (page) => {
      page.on("websocket", () => {
        sockets += 1;
      });
    });
    const complaints = complaintsOf(page, gateway.url);
    await page.click("[data-testid=own-page] summary");
    await publish(gateway, id, statusUpdate({ progress: 0.4, message: "by both" }));
    await shows(page, "by both");
    await page.waitForSelector("telltale-progress >> text=by both");
    expect(await page.textContent("[data-testid=own-page] pre")).toContain(`analysis-id="${id}"`);
    expect([sockets, complaints]).toEqual([1, []]);
    await page.context().close();
  });

  test.each([
    ["its own", ["scan", "ocr.text"]],
    ["no", []],
  ] as const)(
    "PAGE-10: an analysis of another kind with %s stages is shown without a word of videos",
    async (_, stages) => {
      const id = crypto.randomUUID();
      const page = await tab(id);
      const complaints = complaintsOf(page, gateway.url);
      const wordless = async () => {
        const text = await page.locator("#analysis").textContent();
        expect(text).not.toMatch(VIDEO_WORDS);
        expect(await page.locator(".footer").textContent()).not.toMatch(VIDEO_WORDS);
        expect(await page.locator(".frame").count()).toBe(0);
      };
      await wordless();
      for (const current_stage of stages.length === 0 ? ["initializing"] : stages)
        await publish(gateway, id, statusUpdate({ current_stage, message: `in ${current_stage}` }));
      await shows(page, "in ");
      await wordless();
      await publish(gateway, id, {
        event_type: "result",
        data: { words: 812 },
        summary: "812 words of English",
      });
      await page.waitForSelector("[data-testid=result]");
      await wordless();
      const steps = await page
        .locator(TIMELINE)
        .evaluateAll((items) => items.map((item) => item.getAttribute("data-stage")));
      expect(steps).toEqual(stages.length === 0 ? ["initializing"] : [...stages]);
      expect(complaints).toEqual([]);
      await page.context().close();
    },
  );
});
