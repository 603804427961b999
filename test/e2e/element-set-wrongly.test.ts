import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import type { TelltaleProgress } from "../../clients/js/element.ts";
import { launchBrowser } from "../support/browser.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { useGateway } from "../support/use-gateway.ts";

/** An element that shows a running analysis, in the hands of frameworks and careless pages. */
describe.skipIf(!needs("chromium"))("<telltale-progress>", () => {
  const gateway = useGateway({ ALLOWED_ORIGINS: "*" });
  const [id, other] = [crypto.randomUUID(), crypto.randomUUID()];
  let browser: Browser;
  let token = "";
  beforeAll(async () => {
    [browser, token] = await Promise.all([launchBrowser(), tokenFor()]);
    await publish(gateway, id, statusUpdate({ current_stage: "uploading", message: "half way" }));
    await publish(gateway, other, statusUpdate({ message: "the other one" }));
  });
  afterAll(() => browser.close());

  /** A page with an element for each of these attributes, which has a token and the id of the running analysis. */
  async function open(...attributes: string[]): Promise<{ readonly page: Page; readonly faults: string[] }> {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    const elements = attributes.map(
      (own) => `<telltale-progress src="${gateway.url}" analysis-id="${id}" ${own}></telltale-progress>`,
    );
    await page.setContent(`<main>${elements.join("")}</main>
      <script>
        const all = [...document.querySelectorAll("telltale-progress")];
        for (const element of all) element.token = ${JSON.stringify(token)};
        const changes = [], errors = [];
        addEventListener("telltale-change", ({ detail }) => changes.push(detail), true);
        addEventListener("telltale-error", ({ detail }) => errors.push(detail.message), true);
      </script>
      <script type="module" src="${gateway.url}/client.js"></script>`);
    await page
      .locator('[part="message"]', { hasText: "half way" })
      .nth(attributes.length - 1)
      .waitFor();
    return { page, faults };
  }

  test("shows an analysis on a page of any language, also one that is none", async () => {
    const langs = ["en_US", "en-US@posix", "C", "x", "", "de-DE-u-nu-bogus", "zz-ZZ"];
    const { page, faults } = await open(...langs.map((lang) => `lang="${lang}"`));
    expect(await page.locator('[part="details"]').allTextContents()).toEqual(langs.map(() => "50%"));
    expect(faults).toEqual([]);
    await page.close();
  });

  test("says figures in the language of its words: English, or that of the page if that gave them", async () => {
    const { page } = await open('lang="de"');
    const details = page.locator('[part="details"]');
    expect(await details.textContent()).toBe("50%");
    await page.locator("telltale-progress").evaluate((element) => {
      (element as TelltaleProgress).texts = { running: "Läuft" };
    });
    await details.filter({ hasText: "50\u00a0%" }).waitFor();
    await page.close();
  });

  test("takes any value of a property, and goes on as before once it is taken away", async () => {
    const { page, faults } = await open("");
    const seen = await page.locator("telltale-progress").evaluate(async (element) => {
      const given = element as unknown as Record<string, unknown>;
      const shown: string[] = [];
      const drawn = () => new Promise((resolve) => setTimeout(resolve, 0));
      const { token } = given;
      for (const value of [{ running: 5 }, [], 7, "texts", true, null, undefined]) {
        for (const name of ["texts", "share"]) given[name] = value;
        if (value) given.token = { not: "a token" };
        await drawn();
        shown.push(element.shadowRoot?.querySelector('[part="status"]')?.textContent ?? "");
        given.share = undefined;
        given.token = token;
      }
      return shown;
    });
    expect(seen.slice(0, 5).every((words) => words.includes("set up wrongly: token"))).toBe(true);
    await page.locator('[part="message"]', { hasText: "half way" }).waitFor();
    expect(await page.locator('[part="status"]').textContent()).toBe("Running");
    expect(faults).toEqual([]);
    await page.close();
  });

  test("shows nothing more of an analysis that is taken from it, and the next one afresh", async () => {
    const { page, faults } = await open("");
    const element = page.locator("telltale-progress");
    for (const taken of ["analysis-id", "token"]) {
      await element.evaluate((element, name) => {
        if (name === "token") (element as TelltaleProgress).token = null;
        else element.removeAttribute(name);
      }, taken);
      await page.locator('[part="card"]').waitFor({ state: "hidden" });
      expect(await page.evaluate("changes.at(-1)")).toEqual({
        connection: { status: "closed" },
        analysis: null,
        stalled: false,
        cancelRequested: null,
      });
      expect(await element.evaluate((element) => (element as TelltaleProgress).snapshot)).toBeUndefined();
      await element.evaluate(
        (element, { token, other }) => {
          element.setAttribute("analysis-id", other);
          (element as TelltaleProgress).token = token;
        },
        { token, other },
      );
      await page.locator('[part="message"]', { hasText: "the other one" }).waitFor();
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each([
    ["src", "https://["],
    ["src", "ftp://gateway.example"],
    ["src", "https://gateway.example/?tenant=1"],
    ["token-endpoint", "javascript:alert(1)"],
  ])("says that %s is no address in place of what it showed, and tells the page", async (name, address) => {
    const { page, faults } = await open("");
    await page.locator("telltale-progress").evaluate(
      (element, [name, address]) => {
        if (name !== "src") (element as TelltaleProgress).token = undefined;
        element.setAttribute(name, address);
      },
      [name, address] as const,
    );
    const words = `This page is set up wrongly: ${name}="${address}"`;
    await page.locator('[part="announcement"]', { hasText: words }).waitFor({ state: "attached" });
    expect(await page.locator('[part="message"]').isHidden()).toBe(true);
    expect(await page.evaluate("errors")).toEqual([`${name}="${address}"`]);
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each([
    ["refuses", { status: 404 }, "the token endpoint answered 404"],
    ["answers a page", { status: 200, body: "<!doctype html>" }, "is not valid JSON"],
  ])("says that it gets no token if its endpoint %s", async (_, answer, reason) => {
    const page = await browser.newPage();
    const headers = { "Access-Control-Allow-Origin": "*" };
    await page.route("**/token", (route) => route.fulfill({ ...answer, headers }));
    await page.setContent(`<telltale-progress src="${gateway.url}" analysis-id="${id}"
      token-endpoint="${gateway.url}/token"></telltale-progress><script type="module" src="${gateway.url}/client.js"></script>`);
    const status = page.locator('[part="status"]', { hasText: "Not connected, trying again… no token: " });
    expect(await status.textContent()).toContain(reason);
    expect(await page.locator('[part="retry"]').isVisible()).toBe(true);
    await page.close();
  });

  test("goes on when the page moves it, without another connection and without a moment that shows less", async () => {
    const { page, faults } = await open("");
    let sockets = 0;
    page.on("websocket", () => {
      sockets += 1;
    });
    const seen = await page.locator("telltale-progress").evaluate(async (element) => {
      const card = element.shadowRoot?.querySelector('[part="card"]') as HTMLElement;
      const seen = new Set<string>();
      const look = () => seen.add(card.textContent);
      look();
      const observer = new MutationObserver(look);
      observer.observe(card, { subtree: true, childList: true, characterData: true, attributes: true });
      for (const move of [
        () => document.body.append(element),
        () => document.body.moveBefore?.(element, document.body.firstChild),
      ]) {
        move();
        await new Promise((resolve) => setTimeout(resolve, 50));
        look();
      }
      return [...seen];
    });
    expect(seen).toHaveLength(1);
    expect(sockets).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("goes on over its connection if the page gives another function for the token at each rendering", async () => {
    const { page, faults } = await open("", "");
    const sockets: string[] = [];
    page.on("websocket", (socket) => sockets.push(socket.url()));
    await page.evaluate(async (token) => {
      const all = [...document.querySelectorAll<TelltaleProgress>("telltale-progress")];
      const rendered = () => new Promise((resolve) => setTimeout(resolve, 0));
      const statuses: string[] = [];
      addEventListener(
        "telltale-change",
        ({ target }) => {
          statuses.push((target as TelltaleProgress).snapshot?.connection.status ?? "none");
        },
        true,
      );
      const asked: number[] = [];
      Object.assign(window, { statuses, asked });
      for (let rendering = 0; rendering < 4; rendering += 1) {
        const fetchToken = async () => {
          asked.push(rendering);
          return token;
        };
        for (const element of all) element.token = fetchToken;
        await rendered();
        if (rendering < 2) {
          while (!all.every((element) => element.snapshot?.connection.status === "live")) await rendered();
          statuses.length = 0;
        }
      }
    }, token);
    expect(await page.evaluate("statuses")).not.toContain("connecting");
    await page.evaluate(async (token) => {
      // One of them alone is given another one, as for another user.
      const element = document.querySelector("telltale-progress") as TelltaleProgress;
      element.token = async () => token;
    }, token);
    await page.waitForFunction("statuses.at(-1) === 'live'");
    expect(await page.evaluate("asked")).toEqual([0, 1]);
    expect(sockets).toHaveLength(3);
    expect(faults).toEqual([]);
    await page.close();
  });
});
