import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { complaintsOf, launchBrowser } from "../support/browser.ts";
import { snippetOf } from "../support/documents.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useGateway } from "../support/use-gateway.ts";

/** A page of another origin that is a script tag and an element, on a real gateway behind a link that the test cuts. */
describe.skipIf(!needs("chromium"))("<telltale-progress>", () => {
  const gateway = useGateway({ ALLOWED_ORIGINS: "*" });
  let browser: Browser;
  let proxy: TcpProxy;
  let site: Bun.Server<undefined>;
  const scripts = new Map<string, string>();
  beforeAll(async () => {
    [browser, proxy] = await Promise.all([
      launchBrowser(),
      TcpProxy.start({ host: "127.0.0.1", port: gateway.port }),
    ]);
    site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/token")
          return Response.json({ token: await tokenFor({ user: "alice", scopes: ["analysis:cancel"] }) });
        const gatewayUrl = `http://127.0.0.1:${proxy.port}`;
        const script = scripts.get(pathname);
        if (script !== undefined)
          return new Response(script, { headers: { "Content-Type": "text/javascript" } });
        const snippet = snippetOf("docs/WATCHING.md", "An element, without a build", "html")
          .replaceAll("https://telltale.example", gatewayUrl)
          .replace("0f8fad5b-d9cb-469f-a165-70867728950e", searchParams.get("id") ?? "")
          .replace('token-endpoint="', 'cancellable token-endpoint="');
        const own = searchParams.get("page");
        const body = own === null ? snippet : `<main></main>${own}`;
        const html = `<!doctype html><html lang="en"><link rel="icon" href="data:,">${body}`;
        return new Response(html, { headers: { "Content-Type": "text/html; charset=utf-8" } });
      },
    });
  });
  afterAll(async () => {
    await Promise.all([browser.close(), proxy.stop(), site.stop(true)]);
  });

  async function open(id: string): Promise<{ readonly page: Page; readonly complaints: string[] }> {
    const page = await browser.newPage();
    const origins = [site.url.origin, `http://127.0.0.1:${proxy.port}`];
    const complaints = complaintsOf(page, ...origins);
    await page.goto(`${site.url.origin}/?id=${id}`);
    return { page, complaints };
  }

  const part = (page: Page, name: string) => page.locator(`telltale-progress [part~="${name}"]`);
  const says = (page: Page, name: string, text: string) =>
    part(page, name).filter({ hasText: text }).first().waitFor();

  test("shows progress, stages with the same durations to whoever comes late, a request to cancel, and the verdict", async () => {
    const id = crypto.randomUUID();
    const begun = { current_stage: "uploading", timestamp: "2026-11-24T10:00:00Z" };
    await publish(gateway, id, statusUpdate(begun));
    const { page: first, complaints } = await open(id);
    await says(first, "status", "Running");
    const next = { current_stage: "frame_extraction", progress: 0.5, current: 5, total: 10, unit: "frames" };
    await publish(gateway, id, statusUpdate({ ...next, timestamp: "2026-11-24T10:00:03.240Z" }));
    await says(first, "details", "50% · 5 of 10 frames");
    await says(first, "announcement", "Frame extraction");
    const { page: late } = await open(id);
    await says(late, "details", "50%");
    for (const page of [first, late])
      expect(await part(page, "stage").allTextContents()).toEqual(["Uploading3.2 sec", "Frame extraction"]);
    expect(await part(late, "bar").getAttribute("aria-valuenow")).toBe("50");
    await part(late, "cancel").click();
    await says(first, "status", "Cancelling…");
    await publish(gateway, id, resultUpdate({ timestamp: "2026-11-24T10:00:04Z" }));
    for (const page of [first, late]) {
      await says(page, "verdict", "Manipulated, 93% confidence");
      expect(await part(page, "cancel").isHidden()).toBe(true);
    }
    expect(await part(first, "announcement").textContent()).toContain("Completed");
    expect(complaints).toEqual([]);
    await Promise.all([first.close(), late.close()]);
  });

  test("says that the link is lost, keeps what it knew, goes on, and shows a failure as text", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate({ message: "half way" }));
    const { page } = await open(id);
    await says(page, "message", "half way");
    proxy.refuse(true);
    proxy.cut();
    await says(page, "connection", "reconnecting");
    expect(await part(page, "status").textContent()).toBe("Running");
    proxy.refuse(false);
    const failure = { event_type: "error", error_code: "x", error_message: "<b>no frames</b>" };
    await publish(gateway, id, failure);
    await says(page, "failure", "<b>no frames</b>");
    expect(await part(page, "status").textContent()).toBe("Failed");
    await page.close();
  });

  test("counts the time that is left down by itself, and says none while the link is lost", async () => {
    const id = crypto.randomUUID();
    const estimated_completion = new Date(Date.now() + 3_595_000).toISOString();
    await publish(gateway, id, statusUpdate({ estimated_completion }));
    const { page } = await openPage(
      `<telltale-progress src="http://127.0.0.1:${proxy.port}" analysis-id="${id}" token-endpoint="/token">
        </telltale-progress><script type="module" src="http://127.0.0.1:${proxy.port}/client.js"></script>`,
      (page) => page.clock.install(),
    );
    await says(page, "details", "done in 60 minutes");
    await page.clock.fastForward(30_000);
    await says(page, "details", "done in 59 minutes");
    proxy.refuse(true);
    proxy.cut();
    await says(page, "connection", "reconnecting");
    expect(await part(page, "details").textContent()).toBe("50%");
    proxy.refuse(false);
    await page.close();
  });

  test("is worked by keyboard, and keeps the focus when a button goes", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate());
    const { page } = await open(id);
    await says(page, "status", "Running");
    const focused = () =>
      page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.getAttribute("part"));
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("cancel");
    await page.keyboard.press("Enter");
    await says(page, "status", "Cancelling…");
    expect(await part(page, "cancel").getAttribute("aria-disabled")).toBe("true");
    proxy.refuse(true);
    proxy.cut();
    await says(page, "connection", "reconnecting");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("retry");
    proxy.refuse(false);
    await page.keyboard.press("Enter");
    await part(page, "connection").waitFor({ state: "hidden" });
    expect(await focused()).toBe("card");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("cancel");
    await publish(gateway, id, statusUpdate({ current_stage: "cancelled" }));
    await says(page, "status", "Cancelled");
    expect(await focused()).toBe("card");
    await page.close();
  });

  test("tells people who hear the page of each stage and of the end, and of nothing else", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate({ current_stage: "uploading", progress: 0.1 }));
    const { page } = await open(id);
    await says(page, "details", "10%");
    expect(await part(page, "announcement").textContent()).toBe("");
    await part(page, "announcement").evaluate((element) => {
      const heard: string[] = [];
      Object.assign(window, { heard });
      new MutationObserver(() => void heard.push(element.textContent)).observe(element, { childList: true });
    });
    for (const progress of [0.2, 0.3]) {
      await publish(
        gateway,
        id,
        statusUpdate({ current_stage: "uploading", progress, message: `${progress}` }),
      );
      await says(page, "details", `${progress * 100}%`);
    }
    await publish(gateway, id, statusUpdate({ current_stage: "frame_extraction", progress: 0.4 }));
    await says(page, "details", "40%");
    proxy.cut();
    await publish(gateway, id, statusUpdate({ current_stage: "frame_extraction", progress: 0.5 }));
    await says(page, "details", "50%");
    await publish(gateway, id, resultUpdate());
    await says(page, "verdict", "Manipulated");
    expect(await page.evaluate(() => (window as { heard?: string[] }).heard)).toEqual([
      "Frame extraction",
      "Completed. Manipulated, 93% confidence",
    ]);
    await page.close();
  });

  /** A page of its own below `<main>`, in place of the snippet of the documents. */
  async function openPage(
    body: string,
    prepare: (page: Page) => Promise<void> = async () => {},
  ): Promise<{ readonly page: Page; readonly complaints: string[] }> {
    const page = await browser.newPage();
    await prepare(page);
    const complaints = complaintsOf(page, site.url.origin, `http://127.0.0.1:${proxy.port}`);
    await page.goto(`${site.url.origin}/?page=${encodeURIComponent(body)}`);
    return { page, complaints };
  }

  test.each([
    ["a module", snippetOf("clients/js/README.md", "The element", "ts")],
    ["React", snippetOf("clients/js/README.md", "The element", "tsx")],
  ])("is an entry of the package, for %s", async (kind, snippet) => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate({ message: "half way" }));
    const token = JSON.stringify(await tokenFor());
    const here = snippet
      .replaceAll("https://telltale.example", `http://127.0.0.1:${proxy.port}`)
      .replaceAll("telltale-client/element", "../../clients/js/element.ts");
    const react = `
      import { createElement } from "react";
      import { createRoot } from "react-dom/client";
      createRoot(document.querySelector("main")).render(createElement(Status, { id: analysisId }));`;
    const entry = new URL("element-page.tsx", import.meta.url).pathname;
    const known = `const analysisId = "${id}"; const fetchToken = async () => ${token};`;
    const { outputs } = await Bun.build({
      entrypoints: [entry],
      files: { [entry]: `/** @jsxImportSource react */ ${known}\n${here}${kind === "React" ? react : ""}` },
      target: "browser",
    });
    scripts.set("/page.js", await (outputs[0] as Blob).text());

    const { page, complaints } = await openPage(`<script type="module" src="/page.js"></script>`);

    await says(page, "message", "half way");
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("takes a token and texts that the page set before the script was there", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate());
    const url = `http://127.0.0.1:${proxy.port}`;
    const { page } = await openPage(`
      <telltale-progress src="${url}" analysis-id="${id}"></telltale-progress>
      <script>
        const element = document.querySelector("telltale-progress");
        element.token = ${JSON.stringify(await tokenFor())};
        element.texts = { running: "Läuft" };
      </script>
      <script type="module" src="${url}/client.js"></script>`);
    await says(page, "status", "Läuft");
    await page.close();
  });
});
