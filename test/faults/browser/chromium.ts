import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { CHROMIUM_FLAGS } from "../../support/browser.ts";
import { remember } from "../../support/children.ts";
import { programPath } from "../../support/needs.ts";

type Params = Readonly<Record<string, unknown>>;
type Listener = (params: Params) => void;

/** A busy machine answers in seconds. A page that does not answer at all is a fault, and must not hold up the others. */
const ANSWER_MS = 60_000;
/** Chromium reports no end of some navigations. */
const NAVIGATION_MS = 15_000;

/**
 * The system's Chromium over its own protocol, because Playwright keeps every page visible and awake. Each page has a window and a
 * browser context of its own, so that it can be hidden, frozen and cut off by itself.
 */
export class Chromium {
  readonly #child: Subprocess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, PromiseWithResolvers<Params>>();
  readonly #listeners = new Map<string, (method: string, params: Params) => void>();

  private constructor(child: Subprocess, folder: string, socket: WebSocket) {
    this.#child = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#took(JSON.parse(String(data))));
    socket.addEventListener("close", () => {
      for (const { reject } of this.#asked.values()) reject(new Error("Chromium is gone"));
    });
  }

  static async start(): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), "telltale-chromium-"));
    const child = Bun.spawn(
      [programPath("chromium"), ...CHROMIUM_FLAGS, "--remote-debugging-port=0", `--user-data-dir=${folder}`],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    remember(child);
    const url = await addressIn(child.stderr);
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("Chromium does not answer")));
    });
    return new Chromium(child, folder, socket);
  }

  /** The page is of a user of its own, or of the same one as `beside`. */
  async openPage(url: string, beside?: BrowserPage): Promise<BrowserPage> {
    const { browserContextId } = beside
      ? { browserContextId: beside.context }
      : await this.send("Target.createBrowserContext");
    const target = { url: "about:blank", browserContextId, newWindow: true };
    const { targetId } = await this.send("Target.createTarget", target);
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const { windowId } = await this.send("Browser.getWindowForTarget", { targetId });
    const page = new BrowserPage(this, String(sessionId), Number(windowId), String(browserContextId));
    this.#listeners.set(String(sessionId), (method, params) => page.took(method, params));
    for (const domain of ["Page", "Runtime", "Network"]) await page.send(`${domain}.enable`);
    await page.goTo(url);
    return page;
  }

  send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = this.#asked.size + 1;
    const answer = Promise.withResolvers<Params>();
    this.#asked.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const timer = setTimeout(() => answer.reject(new Error(`no answer to ${method}`)), ANSWER_MS);
    return answer.promise.finally(() => clearTimeout(timer));
  }

  async stop(): Promise<void> {
    this.#socket.close();
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    // Its children write for a moment longer.
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #took({ id, method, params, result, error, sessionId }: Message): void {
    if (id === undefined) {
      this.#listeners.get(sessionId ?? "")?.(method ?? "", params ?? {});
      return;
    }
    const answer = this.#asked.get(id);
    if (error === undefined) answer?.resolve(result ?? {});
    else answer?.reject(new Error(error.message));
  }
}

/** A page in a window of its own. */
export class BrowserPage {
  /** Errors that it threw and nobody caught. */
  readonly exceptions: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;
  readonly #window: number;
  /** The user's. */
  readonly context: string;
  readonly #open = new Map<string, string>();
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(browser: Chromium, session: string, window: number, context: string) {
    this.#browser = browser;
    this.#session = session;
    this.#window = window;
    this.context = context;
  }

  /** The addresses of the requests that the browser has open for it. */
  get openRequests(): readonly string[] {
    return [...this.#open.values()];
  }

  send(method: string, params: Params = {}): Promise<Params> {
    return this.#browser.send(method, params, this.#session);
  }

  /** The value of an expression, or of its promise, in the page. Rejects with what it threw. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: Value }).value;
  }

  /** Resolves when the page has loaded. */
  async goTo(url: string): Promise<void> {
    const loaded = this.next("Page.frameStoppedLoading");
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** Resolves when the page before is there again. */
  async goBack(): Promise<void> {
    const history = (await this.send("Page.getNavigationHistory")) as unknown as NavigationHistory;
    const shown = this.next("Page.frameNavigated");
    await this.send("Page.navigateToHistoryEntry", {
      entryId: history.entries[history.currentIndex - 1]?.id,
    });
    await shown;
  }

  async setFrozen(isFrozen: boolean): Promise<void> {
    await this.send("Page.setWebLifecycleState", { state: isFrozen ? "frozen" : "active" });
    // Freezing hides it, and only a window that was minimized shows it again.
    if (!isFrozen) await this.setHidden(true);
    if (!isFrozen) await this.setHidden(false);
  }

  async setHidden(isHidden: boolean): Promise<void> {
    const bounds = { windowState: isHidden ? "minimized" : "normal" };
    await this.#browser.send("Browser.setWindowBounds", { windowId: this.#window, bounds });
  }

  async setOffline(offline: boolean): Promise<void> {
    const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.send("Network.emulateNetworkConditions", { offline, ...unlimited });
  }

  /** Closes it, and all others of the same user. */
  async close(): Promise<void> {
    await this.#browser.send("Target.disposeBrowserContext", { browserContextId: this.context });
  }

  /** Takes an event that the browser reports about it. */
  took(method: string, params: Params): void {
    const id = String(params.requestId);
    if (method === "Network.requestWillBeSent") {
      const { url, method: verb } = params.request as { url: string; method: string };
      // Nothing is reported of the end of a preflight.
      if (verb !== "OPTIONS") this.#open.set(id, url);
    } else if (/^Network\.loading(Finished|Failed)$/.test(method)) this.#open.delete(id);
    else if (method === "Runtime.exceptionThrown")
      this.exceptions.push(JSON.stringify(params.exceptionDetails));
    // Nothing is reported of what a page before had open.
    else if (method === "Page.frameNavigated") this.#open.clear();
    for (const listener of this.#listeners.get(method) ?? []) listener(params);
  }

  /** Resolves with it when it is reported, and after some time in any case: the caller looks for itself. */
  next(method: string): Promise<Params> {
    return new Promise((resolve) => {
      const listeners = this.#listeners.get(method) ?? new Set();
      this.#listeners.set(method, listeners);
      const listener = (params: Params) => {
        clearTimeout(timer);
        listeners.delete(listener);
        resolve(params);
      };
      const timer = setTimeout(() => listener({}), NAVIGATION_MS);
      listeners.add(listener);
    });
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

interface NavigationHistory {
  readonly currentIndex: number;
  readonly entries: readonly { readonly id: number }[];
}

/** The address at which it is driven, which it writes when it has started. */
async function addressIn(stream: ReadableStream<Uint8Array>): Promise<string> {
  let written = "";
  const found = Promise.withResolvers<string>();
  const read = async () => {
    for await (const text of stream.pipeThrough(new TextDecoderStream() as never)) {
      written += text;
      const url = /listening on (ws:\S+)/.exec(written)?.[1];
      if (url !== undefined) found.resolve(url);
    }
    found.reject(new Error(`Chromium did not start:\n${written}`));
  };
  void read();
  return found.promise;
}
