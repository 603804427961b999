import { afterAll, beforeAll, expect } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { eventually } from "../../src/testing/eventually.ts";
import { launchBrowser } from "./browser.ts";
import { type GatewayProcess, tokenFor } from "./gateway-process.ts";
import { publish, statusUpdate } from "./publishing.ts";
import type { TabPage, TabReport } from "./tab-page.ts";

declare const page: TabPage;

/** Another tab leads some six seconds after a frozen one, and on a busy machine later. */
const PATIENCE_MS = 60_000;

/** The address of a tab's page has these. */
export interface TabOptions {
  readonly user?: string;
  /** The gateway refuses the signature of its tokens. */
  readonly forged?: boolean;
  /** How many times faster the clock of the page is; 4 if left out. */
  readonly speed?: number;
  /** How many seconds its tokens last; 600 if left out. */
  readonly expires?: number;
}

/** A site whose pages watch with all their tabs, for the tests of a file. */
export function useTabSite(gateway: Pick<GatewayProcess, "url">) {
  let browser: Browser;
  let site: Bun.Server<undefined>;
  beforeAll(async () => {
    const entry = new URL("./tab-page.ts", import.meta.url).pathname;
    const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser" });
    const script = await (outputs[0] as Blob).text();
    site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/token") {
          const user = searchParams.get("user") ?? "alice";
          const expiresInSeconds = Number(searchParams.get("expires") ?? 600);
          const token = await tokenFor({ user, expiresInSeconds });
          return new Response(searchParams.has("forged") ? `${token.slice(0, -8)}AAAAAAAA` : token);
        }
        if (pathname === "/page.js")
          return new Response(script, { headers: { "Content-Type": "text/javascript" } });
        const html = `<!doctype html><link rel="icon" href="data:,"><title>tab</title><script src="/page.js"></script>`;
        return new Response(html, { headers: { "Content-Type": "text/html" } });
      },
    });
    browser = await launchBrowser();
  });
  afterAll(() => Promise.all([browser.close(), site.stop(true)]));

  const reportOf = (tab: Page, id: string): Promise<TabReport> => tab.evaluate((id) => page.report(id), id);

  async function emptyTab(context: BrowserContext, options: TabOptions = {}): Promise<Page> {
    const tab = await context.newPage();
    const query = new URLSearchParams(Object.entries(options).map(([name, value]) => [name, `${value}`]));
    await tab.goto(`${site.url.origin}/?${query}`);
    return tab;
  }

  /** Begins to watch in another tab. */
  async function beginTab(context: BrowserContext, id: string, options?: TabOptions): Promise<Page> {
    const tab = await emptyTab(context, options);
    await tab.evaluate(([url, id]) => page.watch(url as string, id as string), [gateway.url, id]);
    return tab;
  }

  async function isLive(tab: Page, id: string): Promise<boolean> {
    const { status, told } = await reportOf(tab, id);
    return status === "live" && told.length > 0;
  }

  return {
    newContext: () => browser.newContext(),
    reportOf,
    emptyTab,
    beginTab,
    async openTab(context: BrowserContext, id: string, options: TabOptions = {}): Promise<Page> {
      const tab = await beginTab(context, id, options);
      await eventually("the tab is live", () => isLive(tab, id), PATIENCE_MS);
      return tab;
    },
    isLive,
    async connections(): Promise<number> {
      const health = await (await fetch(`${gateway.url}/ws/health`)).json();
      return (health as { websocket_stats: { total_connections: number } }).websocket_stats.total_connections;
    },
    async publishSome(id: string, from: number, to: number): Promise<void> {
      for (let number = from; number <= to; number += 1)
        await publish(gateway, id, statusUpdate({ progress: number / 100, message: `${number}` }));
    },
    /** Waits until a tab was told the state, and every event after it once and in order. */
    async expectAll(tab: Page, id: string, first: number, last: number): Promise<void> {
      const hasLast = async () => (await reportOf(tab, id)).progress === last / 100;
      await eventually("the tab has the last event", hasLast, PATIENCE_MS);
      const { told } = await reportOf(tab, id);
      const numbers = told.slice(1).map((event) => Number(event.split("-").at(-1)));
      expect(told[0]).toBe("state");
      expect(numbers).toEqual(Array.from({ length: last - first + 1 }, (_, index) => first + index));
    },
  };
}
