import type { Page } from "playwright-core";
import { type GatewayProcess, startGateway, tokenFor } from "./gateway-process.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "./publishing.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** A `<telltale-progress>` that a real gateway has brought into one of its states. */
export interface ElementState {
  readonly name: string;
  /** Words that it shows in that state, and in none before. */
  readonly says: string;
}

export const ELEMENT_STATES: readonly ElementState[] = [
  { name: "connecting", says: "Connecting" },
  { name: "queued", says: "Queued" },
  { name: "running", says: "1,200 of 3,600 frames" },
  { name: "stalled", says: "not been heard of" },
  { name: "reconnecting", says: "reconnecting" },
  { name: "cancelling", says: "Cancelling…" },
  { name: "verdict", says: "Manipulated" },
  { name: "result", says: "12 pages" },
  { name: "completed", says: "Completed" },
  { name: "failed", says: "cannot be decoded" },
  { name: "cancelled", says: "Requested by alice: the wrong video" },
  { name: "refused", says: "may not watch" },
];

const VIDEO = ["uploading", "frame_extraction", "feature_extraction", "model_inference"];
/** Seconds that each stage takes. */
const TOOK = [3.2, 41.7, 95, 12.4];

/** Real gateways that hold an analysis in each state, and the site of a page that shows them. */
export class ElementStage {
  readonly #ids = new Map(ELEMENT_STATES.map(({ name }) => [name, crypto.randomUUID()]));
  readonly #gateway: GatewayProcess;
  /** Calls a worker stalled after a second. */
  readonly #impatient: GatewayProcess;
  readonly #proxy: TcpProxy;
  readonly #site: Bun.Server<undefined>;

  private constructor(gateway: GatewayProcess, impatient: GatewayProcess, proxy: TcpProxy, token: string) {
    this.#gateway = gateway;
    this.#impatient = impatient;
    this.#proxy = proxy;
    this.#site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/never") return new Promise<Response>(() => {});
        if (pathname === "/token") return Response.json({ token });
        return new Response(this.#html(searchParams), {
          headers: { "Content-Type": "text/html; charset=utf-8" },
        });
      },
    });
  }

  static async start(): Promise<ElementStage> {
    const [gateway, impatient, token] = await Promise.all([
      startGateway({ ALLOWED_ORIGINS: "*", STAGES: "*" }),
      startGateway({ ALLOWED_ORIGINS: "*", STAGES: "*", STALL_AFTER_SECONDS: "1" }),
      tokenFor({ scopes: ["analysis:cancel"] }),
    ]);
    const proxy = await TcpProxy.start({ host: "127.0.0.1", port: gateway.port });
    const stage = new ElementStage(gateway, impatient, proxy, token);
    await stage.#publish();
    return stage;
  }

  /** Opens the page and waits until each element is in its state. `query`: `theme`, `width` (px), `columns`, `lang`, `dir`. */
  async open(page: Page, query: Readonly<Record<string, string>>): Promise<void> {
    this.#proxy.refuse(false);
    await page.goto(`${this.#site.url.origin}/?${new URLSearchParams(query)}`);
    const element = (name: string, text: string) =>
      page.locator(`#${name}`).filter({ hasText: text }).waitFor();
    await element("reconnecting", "Running");
    this.#proxy.refuse(true);
    this.#proxy.cut();
    for (const { name, says } of ELEMENT_STATES) await element(name, says);
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#gateway.stop(),
      this.#impatient.stop(),
      this.#proxy.stop(),
      this.#site.stop(true),
    ]);
  }

  #id(name: string): string {
    return this.#ids.get(name) as string;
  }

  /** The first `count` stages of a video, and the time at which the next event would come. */
  #stages(count: number): { readonly events: Record<string, unknown>[]; readonly at: number } {
    let at = Date.now() - 600_000;
    const events = VIDEO.slice(0, count).map((stage, index) => {
      const timestamp = new Date(at).toISOString();
      at += (TOOK[index] as number) * 1000;
      return statusUpdate({
        current_stage: stage,
        progress: (index + 1) / 5,
        message: "Looking at faces",
        timestamp,
      });
    });
    return { events, at };
  }

  async #publish(): Promise<void> {
    const send = (name: string, events: unknown, gateway = this.#gateway) =>
      publish(gateway, this.#id(name), events);
    const { events: two, at: then } = this.#stages(2);
    const stopped = new Date(then).toISOString();
    const { events: four, at } = this.#stages(4);
    const timestamp = new Date(at).toISOString();
    const counted = {
      ...two[1],
      progress: 1 / 3,
      current: 1200,
      total: 3600,
      unit: "frames",
      estimated_completion: new Date(Date.now() + 150_000).toISOString(),
    };
    const regions = [
      { frame_number: 118, x: 0.3, y: 0.2, width: 0.2, height: 0.1, confidence: 0.97, region_type: "eyes" },
      {
        frame_number: 342,
        x: 0.4,
        y: 0.5,
        width: 0.2,
        height: 0.1,
        confidence: 0.88,
        region_type: "lip_sync",
      },
    ];
    const declared = await fetch(`${this.#gateway.url}/v1/analyses/${this.#id("refused")}`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${await tokenFor({ scopes: ["analysis:publish"] })}` },
      body: JSON.stringify({ viewers: ["somebody else"] }),
    });
    const sent = await Promise.all([
      declared,
      send("queued", statusUpdate({ current_stage: "queued", progress: 0, message: "3 analyses are ahead" })),
      send("running", [two[0], counted]),
      send("stalled", two, this.#impatient),
      send("reconnecting", two),
      send("cancelling", two),
      send("verdict", [...four, resultUpdate({ suspicious_regions: regions, timestamp })]),
      send("result", [
        statusUpdate({ current_stage: "rendering", timestamp: new Date(at - 8_300).toISOString() }),
        {
          event_type: "result",
          data: { pages: 12, words: 4180, searchable: true },
          summary: "12 pages were rendered",
          timestamp,
        },
      ]),
      send("completed", [...four, statusUpdate({ current_stage: "completed", progress: 1, timestamp })]),
      send("failed", [
        ...two,
        errorEvent({ error_message: "Frame 1,204 cannot be decoded", timestamp: stopped }),
      ]),
      send("cancelled", two),
    ]);
    const cancel = async (name: string, reason?: string) =>
      fetch(`${this.#gateway.url}/v1/analyses/${this.#id(name)}/cancel`, {
        method: "POST",
        headers: { Authorization: `Bearer ${await tokenFor({ scopes: ["analysis:cancel"] })}` },
        body: JSON.stringify({ reason }),
      });
    sent.push(await cancel("cancelling"), await cancel("cancelled", "the wrong video"));
    const end = { current_stage: "cancelled", message: "cancelled", progress: 0.4, timestamp: stopped };
    sent.push(await send("cancelled", statusUpdate(end)));
    for (const answer of sent) if (!answer.ok) throw new Error(await answer.text());
  }

  #html(query: URLSearchParams): string {
    const {
      theme = "light",
      width = "320",
      columns = "4",
      lang = "en",
      dir = "ltr",
    } = Object.fromEntries(query);
    const source = (name: string) =>
      ({ stalled: this.#impatient.url, reconnecting: `http://127.0.0.1:${this.#proxy.port}` })[name] ??
      this.#gateway.url;
    const elements = ELEMENT_STATES.map(
      ({ name }) => `
      <article>
        <h2>${name}</h2>
        <telltale-progress id="${name}" theme="${theme}" src="${source(name)}" analysis-id="${this.#id(name)}"
          token-endpoint="${name === "connecting" ? "/never" : "/token"}"${name === "cancelling" ? " cancellable" : ""}
        ></telltale-progress>
      </article>`,
    );
    return `<!doctype html><html lang="${lang}" dir="${dir}"><title>Every state</title><link rel="icon" href="data:,">
      <meta name="viewport" content="width=device-width">
      <style>
        body { margin: 0; font: 13px/1.5 system-ui, sans-serif; color-scheme: ${theme}; background: light-dark(#f3f5f8, #0d1116) }
        main { display: grid; grid-template-columns: repeat(${columns}, ${width}px); align-items: start }
        article { padding: 12px 16px }
        h1 { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; margin: 0 }
        h2 { font: inherit; margin: 0 0 6px; color: light-dark(#57606a, #9aa4b0) }
      </style>
      <main><h1>Every state</h1>${elements.join("")}</main>
      <script type="module" src="${this.#gateway.url}/client.js"></script>`;
  }
}
