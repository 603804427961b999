import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { compile } from "svelte/compiler";
import { runProgram } from "../../scripts/check/run-program.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { complaintsOf, launchBrowser } from "../support/browser.ts";
import { snippetOf } from "../support/documents.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { RECIPE_PAGES, RECIPE_SERVERS } from "../support/recipe-programs.ts";
import { useGateway } from "../support/use-gateway.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

declare global {
  interface Window {
    recipe: { show(id: string): void; leave(): void };
  }
}

const SNIPPETS: Readonly<Record<string, string>> = {
  Vue: snippetOf("clients/js/README.md", "In Vue", "ts"),
  Svelte: snippetOf("clients/js/README.md", "In Svelte", "svelte"),
  Solid: snippetOf("clients/js/README.md", "In Solid", "ts"),
  "TanStack Query": snippetOf("clients/js/README.md", "With TanStack Query", "ts"),
};
const NAMES = Object.keys(SNIPPETS);

/** Each recipe of the README in a program of its framework: in a browser on a real gateway, and on a server. */
describe.skipIf(!needs("chromium"))("the recipe", () => {
  const gateway = useGateway({ ALLOWED_ORIGINS: "*" });
  let browser: Browser;
  let site: Bun.Server<undefined>;
  const folder = mkdtempSync(join(tmpdir(), "telltale-recipes-"));
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
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(NAMES)(
    "for %s follows its analysis and a change of its id over one socket, and leaves nothing behind",
    async (name) => {
      const path = `/${name.replaceAll(" ", "")}`;
      const token = JSON.stringify(await tokenFor());
      const program = RECIPE_PAGES[name]?.("./recipe.ts") ?? "";
      scripts.set(
        `${path}.js`,
        await bundled("browser", program, `const fetchToken = async () => ${token};`, name),
      );
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

  test.each(NAMES)("for %s watches nothing on a server", async (name) => {
    const program = RECIPE_SERVERS[name]?.("./recipe.ts") ?? "";
    const fetchToken = `const fetchToken = () => { console.log("asked"); return "a.b.c"; };`;
    const text = await bundled("node", `const ID = "${crypto.randomUUID()}";${program}`, fetchToken, name);
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, text);
    // A watch would ask for a token, and print that.
    const { output, exitCode } = await runProgram(["node", path], folder, 1);
    expect({ output, exitCode }).toEqual({ output: "<p></p>\n", exitCode: 0 });
  });

  /** `program`, with the recipe's own module below `before` beside it. */
  async function bundled(
    target: "browser" | "node",
    program: string,
    before: string,
    name: string,
  ): Promise<string> {
    const snippet = SNIPPETS[name] ?? "";
    const [entry, recipe] = [`${ROOT}test/e2e/recipe-page.js`, `${ROOT}test/e2e/recipe.ts`];
    const generate = target === "node" ? "server" : "client";
    const own =
      name === "Svelte" ? compile(snippet, { generate, filename: "Analysis.svelte" }).js.code : snippet;
    const here = own
      .replaceAll("https://telltale.example", gateway.url)
      .replaceAll('"telltale-client"', '"../../src/client/sdk.ts"');
    const { outputs } = await Bun.build({
      entrypoints: [entry],
      files: { [entry]: program, [recipe]: `${before}\n${here}` },
      target,
      conditions: [target],
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
