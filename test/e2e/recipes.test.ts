import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { compile } from "svelte/compiler";
import { eventually } from "../../src/testing/eventually.ts";
import { complaintsOf, launchBrowser } from "../support/browser.ts";
import { snippetOf } from "../support/documents.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { RECIPE_PAGES } from "../support/recipe-programs.ts";
import { useGateway } from "../support/use-gateway.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

declare global {
  interface Window {
    recipe: { show(id: string): void; leave(): void };
  }
}

/** Each recipe of the README in a page of its framework, in a browser, on a real gateway. */
describe.skipIf(!needs("chromium"))("the recipe", () => {
  const gateway = useGateway({ ALLOWED_ORIGINS: "*" });
  let browser: Browser;
  let site: Bun.Server<undefined>;
  const scripts = new Map<string, string>();
  beforeAll(async () => {
    browser = await launchBrowser();
    site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        const script = scripts.get(new URL(request.url).pathname);
        if (script !== undefined)
          return new Response(script, { headers: { "Content-Type": "text/javascript" } });
        const { pathname } = new URL(request.url);
        const html = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><div id="root"></div>
          <script type="module" src="${pathname}.js"></script>`;
        return new Response(html, { headers: { "Content-Type": "text/html" } });
      },
    });
  });
  afterAll(async () => {
    await Promise.all([browser.close(), site.stop(true)]);
  });

  test.each([
    ["Vue", snippetOf("clients/js/README.md", "In Vue", "ts")],
    ["Svelte", compiled(snippetOf("clients/js/README.md", "In Svelte", "svelte"))],
    ["Solid", snippetOf("clients/js/README.md", "In Solid", "ts")],
    ["TanStack Query", snippetOf("clients/js/README.md", "With TanStack Query", "ts")],
  ])(
    "for %s follows its analysis and a change of its id over one socket, and leaves nothing behind",
    async (name, recipe) => {
      const path = `/${name.replaceAll(" ", "")}`;
      scripts.set(`${path}.js`, await bundle(name, recipe));
      const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
      await publish(gateway, first, statusUpdate({ message: "of the first" }));
      await publish(gateway, second, statusUpdate({ message: "of the second" }));
      const page = await browser.newPage();
      const complaints = complaintsOf(page, site.url.origin, gateway.url);
      const sockets: string[] = [];
      page.on("websocket", (socket) => void sockets.push(socket.url()));
      await page.goto(`${site.url.origin}${path}?id=${first}`);
      const says = (text: string) => page.locator("#root").filter({ hasText: text }).waitFor();
      await says("live running of the first");
      await publish(gateway, first, statusUpdate({ message: "half way", progress: 0.5 }));
      await says("live running half way");
      await page.evaluate((id) => window.recipe.show(id), second);
      await says("live running of the second");
      await publish(gateway, second, resultUpdate());
      await says("live completed of the second");
      if (name === "TanStack Query")
        expect(await textsWhenShown(page, first)).toEqual(["live running half way"]);
      expect(sockets).toHaveLength(1);
      expect(await connections()).toBe(1);
      await page.evaluate(() => window.recipe.leave());
      await eventually("nothing is watched", async () => (await connections()) === 0);
      expect(complaints).toEqual([]);
      await page.close();
    },
  );

  /** All that the page says from then on until the analysis is there. */
  function textsWhenShown(page: Page, id: string): Promise<string[]> {
    return page.evaluate(async (id) => {
      const root = document.getElementById("root") as HTMLElement;
      const texts: string[] = [];
      window.recipe.show(id);
      await new Promise<void>((resolve) => {
        new MutationObserver(() => {
          texts.push(root.textContent);
          if (root.textContent.includes("half way")) resolve();
        }).observe(root, { subtree: true, childList: true, characterData: true });
      });
      return texts;
    }, id);
  }

  async function bundle(name: string, snippet: string): Promise<string> {
    const token = JSON.stringify(await tokenFor());
    const [entry, recipe] = [`${ROOT}test/e2e/recipe-page.js`, `${ROOT}test/e2e/recipe.ts`];
    const here = snippet
      .replaceAll("https://telltale.example", gateway.url)
      .replaceAll('"telltale-client"', '"../../src/client/sdk.ts"');
    const { outputs } = await Bun.build({
      entrypoints: [entry],
      files: {
        [entry]: RECIPE_PAGES[name]?.("./recipe.ts") ?? "",
        [recipe]: `const fetchToken = async () => ${token};\n${here}`,
      },
      target: "browser",
      conditions: ["browser"],
      define: { "process.env.NODE_ENV": '"development"' },
    });
    return (outputs[0] as Blob).text();
  }

  async function connections(): Promise<number> {
    const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as {
      readonly websocket_stats: { readonly total_connections: number };
    };
    return health.websocket_stats.total_connections;
  }
});

function compiled(component: string): string {
  return compile(component, { generate: "client", filename: "Analysis.svelte" }).js.code;
}
