import { eventually } from "../../../src/testing/eventually.ts";
import {
  type GatewayProcess,
  publisherToken,
  startGateway,
  tokenFor,
} from "../../support/gateway-process.ts";
import { type RunningRedis, startRedis } from "../../support/redis-server.ts";
import { Chromium } from "./chromium.ts";

/** How the tokens of one page are for now. */
export type Tokens = { lifetimeMs: number; how: "good" | "expired" | "unavailable" | "nonsense" | "slow" };

/** Everything is served below it as well. */
export const BASE_PATH = "/telltale";

const SETTINGS = {
  BASE_PATH,
  ALLOWED_ORIGINS: "*",
  WATCH_DEFAULT: "deny",
  HEARTBEAT_INTERVAL_SECONDS: "1",
  HEARTBEAT_TIMEOUT_SECONDS: "3",
  STALL_AFTER_SECONDS: "1",
  DRAIN_SECONDS: "1",
};

/** Two gateways on one Redis, a Chromium, and the site of the pages with its endpoint for tokens. */
export class FaultStage {
  readonly browser: Chromium;
  readonly #redis: RunningRedis;
  readonly #gateways: GatewayProcess[];
  readonly #site: Bun.Server<undefined>;
  readonly #tokens = new Map<string, Tokens>();
  #restarting: Promise<unknown> = Promise.resolve();

  private constructor(browser: Chromium, redis: RunningRedis, gateways: GatewayProcess[], script: string) {
    this.browser = browser;
    this.#redis = redis;
    this.#gateways = gateways;
    this.#site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => this.#serve(new URL(url), script),
    });
  }

  static async set(): Promise<FaultStage> {
    const redis = await startRedis();
    const [browser, script, ...gateways] = await Promise.all([
      Chromium.start(),
      pageScript(),
      startGateway({ ...SETTINGS, REDIS_URL: redis.url }),
      startGateway({ ...SETTINGS, REDIS_URL: redis.url }),
    ]);
    return new FaultStage(browser, redis, gateways, script);
  }

  async strike(): Promise<void> {
    this.#site.stop(true);
    await this.browser.stop();
    await Promise.all(this.#gateways.map((gateway) => gateway.kill9()));
    await this.#redis.stop();
  }

  /** The page of one schedule, whose tokens are as `tokens` says at each moment. */
  pageUrl(name: string, tokens: Tokens): string {
    this.#tokens.set(name, tokens);
    return `${this.#site.url.origin}/page/${name}`;
  }

  get elsewhereUrl(): string {
    return `${this.#site.url.origin}/elsewhere`;
  }

  portOf(index: number): number {
    return (this.#gateways[index] as GatewayProcess).port;
  }

  /** Ends one gateway and starts it again on its port. One at a time, so that the other listens. */
  restart(index: number, how: "killed" | "drained"): Promise<void> {
    return this.#oneAtATime(async () => {
      const gateway = this.#gateways[index] as GatewayProcess;
      await (how === "killed" ? gateway.kill9() : gateway.stop());
      const env = { ...SETTINGS, REDIS_URL: this.#redis.url, PORT: String(gateway.port) };
      this.#gateways[index] = await startGateway(env);
    });
  }

  freeze(index: number, ms: number): Promise<void> {
    return this.#oneAtATime(async () => {
      const { pid } = this.#gateways[index] as GatewayProcess;
      process.kill(pid, "SIGSTOP");
      await Bun.sleep(ms);
      process.kill(pid, "SIGCONT");
    });
  }

  /** Sends it again, to one gateway or the other, until one has taken it; counts once. */
  async publish(analysisId: string, event: object): Promise<{ readonly cancel_requested?: boolean }> {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    return this.#insist("POST", `/${analysisId}/events`, await publisherToken(), event, headers);
  }

  async declare(analysisId: string, viewers: readonly string[]): Promise<void> {
    await this.#insist("PUT", `/${analysisId}`, await publisherToken(), { viewers });
  }

  /** Everything that is kept of it, and the state that the gateway folds of it. */
  async logOf(
    analysisId: string,
  ): Promise<{ readonly ids: string[]; readonly types: string[]; state: object }> {
    const token = await tokenFor({ analyses: [analysisId] });
    const path = `/${analysisId}/events?limit=1000`;
    const { events } = await this.#insist<{ events: { event_id: string; event_type: string }[] }>(
      "GET",
      path,
      token,
    );
    const state = await this.#insist<object>("GET", `/${analysisId}`, token);
    return {
      ids: events.map(({ event_id }) => event_id),
      types: events.map(({ event_type }) => event_type),
      state,
    };
  }

  async #insist<Answer>(
    method: string,
    path: string,
    token: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    let answer: Answer | undefined;
    let last = "";
    let index = Math.floor(Math.random() * 2);
    await eventually(
      () => `${method} ${path} is taken: ${last}`,
      async () => {
        index = 1 - index;
        try {
          const response = await fetch(
            `${(this.#gateways[index] as GatewayProcess).url}/v1/analyses${path}`,
            {
              method,
              headers: { Authorization: `Bearer ${token}`, ...headers },
              body: body === undefined ? null : JSON.stringify(body),
              signal: AbortSignal.timeout(6_000),
            },
          );
          const text = await response.text();
          if (response.ok) answer = (text === "" ? {} : JSON.parse(text)) as Answer;
          else last = `${response.status} ${text}`;
          return response.ok;
        } catch (error) {
          last = String(error);
          return false;
        }
      },
      60_000,
    );
    return answer as Answer;
  }

  #oneAtATime<Result>(deed: () => Promise<Result>): Promise<Result> {
    const done = this.#restarting.then(deed);
    this.#restarting = done.catch(() => {});
    return done;
  }

  async #serve({ pathname }: URL, script: string): Promise<Response> {
    if (pathname === "/script.js")
      return new Response(script, { headers: { "Content-Type": "text/javascript" } });
    const name = /^\/token\/(.+)/.exec(pathname)?.[1];
    if (name !== undefined) return this.#token(name);
    const html = pathname.startsWith("/page/") ? '<script src="/script.js"></script>' : "elsewhere";
    return new Response(`<!doctype html><link rel="icon" href="data:,">${html}`, {
      headers: { "Content-Type": "text/html" },
    });
  }

  async #token(name: string): Promise<Response> {
    const { how, lifetimeMs } = this.#tokens.get(name) as Tokens;
    if (how === "unavailable") return new Response("later", { status: 503 });
    if (how === "nonsense") return Response.json({ token: "this is no token" });
    if (how === "slow") await Bun.sleep(1_500);
    const expiresInSeconds = how === "expired" ? -60 : lifetimeMs / 1_000;
    return Response.json({
      token: await tokenFor({ user: name, scopes: ["analysis:cancel"], expiresInSeconds }),
    });
  }
}

async function pageScript(): Promise<string> {
  const entry = new URL("watched-page.ts", import.meta.url).pathname;
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser", format: "iife" });
  return (outputs[0] as Blob).text();
}
