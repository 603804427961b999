import { type GatewayProcess, publisherToken, startGateway, tokenFor } from "../support/gateway-process.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import type { Lengths } from "./lengths.ts";

export type Event = Readonly<Record<string, unknown>>;

/** A gateway and its Redis, which the faults of one kind meet. */
export class Deployment {
  readonly redis: RunningRedis;
  readonly #settings: Record<string, string>;
  #gateway: GatewayProcess;

  private constructor(redis: RunningRedis, gateway: GatewayProcess, settings: Record<string, string>) {
    this.redis = redis;
    this.#gateway = gateway;
    this.#settings = settings;
  }

  static async start({ stall, abandon }: Lengths, { abandons = false } = {}): Promise<Deployment> {
    const redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
    const settings = {
      REDIS_URL: redis.url,
      STALL_AFTER_SECONDS: `${stall}`,
      ...(abandons ? { ABANDON_AFTER_SECONDS: `${abandon}` } : {}),
    };
    try {
      const gateway = await startGateway(settings);
      return new Deployment(redis, gateway, { ...settings, PORT: `${gateway.port}` });
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  get url(): string {
    return this.#gateway.url;
  }

  /** The environment of its workers. */
  async env(): Promise<Record<string, string>> {
    return { TELLTALE_URL: this.url, TELLTALE_TOKEN: await publisherToken() };
  }

  killGateway(): Promise<void> {
    return this.#gateway.kill9();
  }

  /** Resolves when it answers again. */
  async restartGateway(): Promise<void> {
    this.#gateway = await startGateway(this.#settings);
  }

  /** Whether the gateway is ready: Redis answers it as well. */
  async isReady(): Promise<boolean> {
    return (await fetch(`${this.url}/ready`)).ok;
  }

  async state(analysisId: string): Promise<Event> {
    return this.#read(analysisId);
  }

  async history(analysisId: string): Promise<readonly Event[]> {
    return (await this.#read(`${analysisId}/events?limit=1000`)).events as Event[];
  }

  async cancel(analysisId: string): Promise<void> {
    const headers = { Authorization: `Bearer ${await tokenFor({ scopes: ["analysis:cancel"] })}` };
    const answer = await fetch(`${this.url}/v1/analyses/${analysisId}/cancel`, { method: "POST", headers });
    if (answer.status !== 202) throw new Error(`the cancel was answered ${answer.status}`);
  }

  async stop(): Promise<void> {
    await this.#gateway.kill9();
    await this.redis.stop();
  }

  async #read(path: string): Promise<Event> {
    const headers = { Authorization: `Bearer ${await tokenFor()}` };
    return (await (await fetch(`${this.url}/v1/analyses/${path}`, { headers })).json()) as Event;
  }
}
