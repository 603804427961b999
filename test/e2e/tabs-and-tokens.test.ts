import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import type { TabPage } from "../support/tab-page.ts";
import { useTabSite } from "../support/tab-site.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(120_000);

declare const page: TabPage;

describe.skipIf(!needs("chromium"))("tabs that share a connection", () => {
  const { newContext, beginTab, openTab, isLive, reportOf, connections, publishSome, expectAll } = useTabSite(
    useGateway({ ALLOWED_ORIGINS: "*" }),
  );

  test("SDK-20: are told nothing if the gateway refuses their token, which harms no other", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const good = await openTab(context, id, { speed: 1 });
    const forged = await beginTab(context, id, { forged: true });
    const isRefused = async () => (await reportOf(forged, id)).code === 4001;
    await eventually("the tab is refused", isRefused, 60_000);
    const another = await openTab(context, id);
    await publishSome(id, 2, 5);
    for (const tab of [good, another]) await expectAll(tab, id, 2, 5);
    expect((await reportOf(good, id)).past).toEqual(["connecting", "live"]);
    expect((await reportOf(forged, id)).told).toEqual([]);
    await context.close();
  });

  test("SDK-20: go on at once if the gateway refuses the token of the one that leads", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const [forged, good] = await Promise.all([
      beginTab(context, id, { forged: true }),
      beginTab(context, id),
    ]);
    await eventually("the other tab is live", () => isLive(good, id), 60_000);
    expect((await reportOf(good, id)).past.filter((state) => state.includes("4001"))).toEqual([]);
    const isRefused = async () => (await reportOf(forged, id)).code === 4001;
    await eventually("the tab is refused", isRefused, 60_000);
    expect((await reportOf(forged, id)).told).toEqual([]);
    await context.close();
  });

  test("SDK-20: part when the token of one is another user's", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const first = await openTab(context, id);
    // It asks for the next token after five seconds of its clock.
    const second = await openTab(context, id, { expires: 35 });
    await second.evaluate(() => page.become("bob"));
    await eventually("there are two connections", async () => (await connections()) === 2, 60_000);
    await publishSome(id, 2, 5);
    for (const tab of [first, second]) await expectAll(tab, id, 2, 5);
    await context.close();
  });

  test("SDK-19: have a connection of their own where the browser has no locks for the page", async () => {
    const context = await newContext();
    await context.addInitScript(() => {
      LockManager.prototype.request = () => Promise.reject(new DOMException("no", "SecurityError"));
    });
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const tabs = [await openTab(context, id), await openTab(context, id)];
    expect((await reportOf(tabs[0] as never, id)).transport).toBe("websocket");
    await publishSome(id, 2, 5);
    for (const tab of tabs) await expectAll(tab, id, 2, 5);
    await context.close();
  });

  test("SDK-20: have a connection of their own if nothing but a WebSocket gets through to judge their token", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    const first = await openTab(context, id);
    await context.route(/\/v1\//, (route) => route.abort());
    const second = await openTab(context, id);
    await publishSome(id, 2, 5);
    for (const tab of [first, second]) await expectAll(tab, id, 2, 5);
    expect((await reportOf(second, id)).transport).toBe("websocket");
    await context.close();
  });
});
