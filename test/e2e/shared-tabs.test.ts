import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import type { TabPage } from "../support/tab-page.ts";
import { useTabSite } from "../support/tab-site.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(120_000);

declare const page: TabPage;

describe.skipIf(!needs("chromium"))("three tabs that share a connection", () => {
  const gateway = useGateway({ ALLOWED_ORIGINS: "*" });
  const { newContext, emptyTab, openTab, reportOf, connections, publishSome, expectAll } =
    useTabSite(gateway);
  const hasOne = async () => (await connections()) === 1;

  test("SDK-19: have one connection, also after its tab was closed, and each event once and in order", async () => {
    const context = await newContext();
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
    const context = await newContext();
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

  test("SDK-19: go on at once without the one that had the connection when the browser freezes it", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    // A clock so slow that nobody is taken for silent, and that the frozen one is thawed when the test is over.
    const first = await openTab(context, id, { speed: 0.001 });
    const second = await openTab(context, id, { speed: 0.5 });
    await first.evaluate(() => document.dispatchEvent(new Event("freeze")));
    await publishSome(id, 2, 20);
    await expectAll(second, id, 2, 20);
    expect(await reportOf(first, id)).toMatchObject({ status: "waiting", code: 1006 });
    await eventually("there is one connection", hasOne);
    await context.close();
  });

  test("SDK-19: keep the connection of one whose timers fire once a minute", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    await openTab(context, id);
    const hidden = await openTab(context, id);
    await hidden.evaluate(() => page.hide());
    const began = Date.now();
    await eventually("three minutes of the page pass", async () => Date.now() - began > 6_000);
    await publishSome(id, 2, 3);
    await expectAll(hidden, id, 2, 3);
    const { past } = await reportOf(hidden, id);
    // One that is lost each minute has three.
    expect(past.filter((state) => state === "waiting 1006").length).toBeLessThan(2);
    await context.close();
  });

  test("SDK-19: miss no event if the browser loses messages between them", async () => {
    const context = await newContext();
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
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    await openTab(context, id);
    await openTab(context, id);
    await openTab(context, id, { user: "bob" });
    await eventually("there are two connections", async () => (await connections()) === 2);
    await context.close();
    await eventually("nothing is left", async () => (await connections()) === 0);
  });

  test("are shared by the element as well, if the page gives it tabs", async () => {
    const context = await newContext();
    const id = crypto.randomUUID();
    await publishSome(id, 1, 1);
    for (let count = 0; count < 2; count += 1) {
      const tab = await emptyTab(context);
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
