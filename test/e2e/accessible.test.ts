import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { ElementStage } from "../support/element-states.ts";
import { needs } from "../support/needs.ts";
import { useGateway } from "../support/use-gateway.ts";

const AXE = Bun.resolveSync("axe-core/axe.min.js", import.meta.dir);

declare const axe: { run(): Promise<AxeResults> };

/** One line for each element that breaks a rule of axe. */
async function faultsOf(page: Page): Promise<string[]> {
  // As a script of the page it would break the policy of the demo page.
  await page.evaluate(await Bun.file(AXE).text());
  return page.evaluate(async () => {
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, target }) => `${id}: ${target}: ${html}`),
    );
  });
}

describe.skipIf(!needs("chromium"))("for people with every way of reading a page", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  describe("<telltale-progress>", () => {
    let stage: ElementStage;
    beforeAll(async () => {
      stage = await ElementStage.start();
    });
    afterAll(() => stage.stop());

    test.each(["light", "dark"])("shows axe nothing to blame in any state, %s", async (theme) => {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
      await stage.open(page, { theme });
      expect(await faultsOf(page)).toEqual([]);
      await page.close();
    });

    test("reads from the right in pages that do, and stands still for those who want it", async () => {
      const page = await browser.newPage({ viewport: { width: 320, height: 900 }, reducedMotion: "reduce" });
      await stage.open(page, { dir: "rtl", lang: "ar", columns: "1" });
      const box = async (selector: string) => {
        const found = await page.locator(selector).first().boundingBox();
        if (found === null) throw new Error(`${selector} is not shown`);
        return { left: found.x, right: found.x + found.width };
      };
      const [bar, fill] = [await box("#running [part=bar]"), await box("#running [part=fill]")];
      expect(fill.right).toBeCloseTo(bar.right, 0);
      expect(fill.left).toBeGreaterThan(bar.left + 50);
      const [stages, time] = [await box("#running [part=stages]"), await box("#running [part=time]")];
      expect(time.left).toBeCloseTo(stages.left, 0);
      // A text in another direction keeps its own, at the side of the page.
      const [digit, message] = await page.locator("#queued").evaluate((element) => {
        const line = element.shadowRoot?.querySelector("[part=message]") as Element;
        const range = document.createRange();
        range.setStart(line.firstChild as Node, 0);
        range.setEnd(line.firstChild as Node, 1);
        const first = range.getBoundingClientRect();
        range.selectNodeContents(line);
        return [first.left, range.getBoundingClientRect()] as const;
      });
      expect(digit).toBeCloseTo(message.left, 0);
      expect(message.right).toBeCloseTo(bar.right, 0);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
      const animations = page.locator("#connecting").evaluate((element) => {
        const fill = element.shadowRoot?.querySelector("[part=fill]") as Element;
        return fill.getAnimations().length;
      });
      expect(await animations).toBe(0);
      await page.close();
    });
  });

  describe("the demo page", () => {
    const gateway = useGateway({ DEMO: "on" });

    test.each(["light", "dark"] as const)("shows axe nothing to blame, %s", async (colorScheme) => {
      const page = await browser.newPage({ colorScheme, reducedMotion: "reduce" });
      await page.route("**/demo/analyses", (route) => {
        const wish = route.request().postDataJSON() as object;
        return route.continue({ postData: JSON.stringify({ ...wish, speed: 50 }) });
      });
      await page.goto(gateway.url);
      await page.waitForSelector("[data-testid=start]");
      const faults = await faultsOf(page);
      await page.click("[data-testid=start]");
      await page.waitForSelector("[data-testid=verdict]");
      expect([...faults, ...(await faultsOf(page))]).toEqual([]);
      await page.close();
    });
  });
});
