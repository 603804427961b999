import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { eventually } from "../../src/testing/eventually.ts";
import { launchBrowser } from "../support/browser.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import type { TabPage, TabReport } from "../support/tab-page.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(120_000);

declare const page: TabPage;

/** Another tab leads some six seconds after a frozen one, and on a busy machine later. */
const PATIENCE_MS = 60_000;

describe.skipIf(!needs("chromium"))("three tabs that share a connection", () => {
  const gateway = useGateway({ ALLOWED_ORIGINS: "*" });
  let browser: Browser;
  let site: Bun.Server<undefined>;
  beforeAll(async () => {
    const entry = new URL("../support/tab-page.ts", import.meta.url).pathname;
    const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser" });
    const script = await (outputs[0] as Blob).text();
    site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/token") return new Response(await tokenFor({ user: userOf(request) }));
        if (pathname === "/page.js")
          return new Response(script, { headers: { "Content-Type": "text/javascript" } });
        const html = `<!doctype html><link rel="icon" href="data:,"><title>${searchParams.get("user")}</title><script src="/page.js"></script>`;
        return new Response(html, { headers: { "Content-Type": "text/html" } });
      },
    });
    browser = await launchBrowser();
  });
  afterAll(() => Promise.all([browser.close(), site.stop(true)]));

  /** The user is that of the page that asks. */
  function userOf(request: Request): string {
    return (
      new URL(request.headers.get("Referer") ?? "http://x/?user=alice").searchParams.get("user") ?? "alice"
    );
  }

  async function openTab(context: BrowserContext, id: string, user = "alice"): Promise<Page> {
    const tab = await context.newPage();
    await tab.goto(`${site.url.origin}/?user=${user}`);
    await tab.evaluate(([url, id]) => page.watch(url as string, id as string), [gateway.url, id]);
    await eventually("the tab is live", async () => {
      const { status, told } = await reportOf(tab, id);
      return status === "live" && told.length > 0;
    });
    return tab;
  }

  const reportOf = (tab: Page, id: string): Promise<TabReport> => tab.evaluate((id) => page.report(id), id);

  async function connections(): Promise<number> {
    const health = await (await fetch(`${gateway.url}/ws/health`)).json();
    return (health as { websocket_stats: { total_connections: number } }).websocket_stats.total_connections;
  }

  const hasOne = async () => (await connections()) === 1;

  async function publishSome(id: string, from: number, to: number): Promise<void> {
    for (let number = from; number <= to; number += 1)
      await publish(gateway, id, statusUpdate({ progress: number / 100, message: `${number}` }));
  }

  /** A tab is told the state, and every event after it once and in order. */
  async function expectAll(tab: Page, id: string, first: number, last: number): Promise<void> {
    const hasLast = async () => (await reportOf(tab, id)).progress === last / 100;
    await eventually("the tab has the last event", hasLast, PATIENCE_MS);
    const { told } = await reportOf(tab, id);
    const numbers = told.slice(1).map((event) => Number(event.split("-").at(-1)));
    expect(told[0]).toBe("state");
    expect(numbers).toEqual(Array.from({ length: last - first + 1 }, (_, index) => first + index));
  }

  test("SDK-19: have one connection, also after its tab was closed, and each event once and in order", async () => {
    const context = await browser.newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const first = await openTab(context, id);
    await publishSome(id, 2, 3);
    const second = await openTab(context, id);
    const third = await openTab(context, id);
    await publishSome(id, 4, 6);
    await expectAll(first, id, 2, 6);
    expect((await reportOf(second, id)).transport).toBe("tabs");
    await eventually("there is one connection", hasOne);
    await Promise.all([first.close(), publishSome(id, 7, 20)]);
    for (const tab of [second, third]) await expectAll(tab, id, 4, 20);
    await eventually("there is one connection", hasOne);
    await context.close();
  });

  test("SDK-19: go on without a frozen tab that had the connection, which has missed nothing when it goes on", async () => {
    const context = await browser.newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const first = await openTab(context, id);
    const second = await openTab(context, id);
    const third = await openTab(context, id);
    const session = await context.newCDPSession(first);
    await session.send("Debugger.enable");
    const frozen = new Promise((resolve) => session.once("Debugger.paused", resolve));
    await session.send("Debugger.pause");
    await publishSome(id, 2, 20);
    for (const tab of [second, third]) await expectAll(tab, id, 2, 20);
    await frozen;
    await session.send("Debugger.disable");
    await publishSome(id, 21, 25);
    for (const tab of [first, second, third]) await expectAll(tab, id, 2, 25);
    await eventually("there is one connection", hasOne);
    await context.close();
  });

  test("SDK-19: miss no event if the browser loses messages between them", async () => {
    const context = await browser.newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const first = await openTab(context, id);
    const second = await openTab(context, id);
    await first.evaluate(() => {
      const { prototype } = BroadcastChannel;
      const post = prototype.postMessage;
      let frames = 0;
      prototype.postMessage = function (message) {
        if (message.says === "frame") frames += 1;
        if (message.says !== "frame" || frames > 15 || frames % 5 > 0) post.call(this, message);
      };
    });
    await publishSome(id, 2, 12);
    for (const tab of [first, second]) await expectAll(tab, id, 2, 12);
    await context.close();
  });

  test("SDK-19: have one connection for each user", async () => {
    const context = await browser.newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    await openTab(context, id);
    await openTab(context, id);
    await openTab(context, id, "bob");
    await eventually("there are two connections", async () => (await connections()) === 2);
    await context.close();
    await eventually("nothing is left", async () => (await connections()) === 0);
  });

  test("are shared by the element as well, if the page gives it tabs", async () => {
    const context = await browser.newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    for (let count = 0; count < 2; count += 1) {
      const tab = await context.newPage();
      await tab.goto(`${site.url.origin}/?user=alice`);
      await tab.evaluate(([url, id]) => page.show(url as string, id as string), [gateway.url, id]);
      await tab.locator("telltale-progress", { hasText: "Running" }).waitFor();
      const link = await tab.evaluate(
        () => document.querySelector("telltale-progress")?.snapshot?.connection,
      );
      expect(link).toEqual({ status: "live", transport: "tabs" });
    }
    await eventually("there is one connection", hasOne);
    await context.close();
  });
});
