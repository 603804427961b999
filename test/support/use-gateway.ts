import { afterAll, beforeAll } from "bun:test";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

/** A gateway for the tests of one `describe`: it starts before the first and stops after the last of them. */
export function useGateway(env: Record<string, string> = {}): GatewayProcess {
  const gateway = new GatewayInUse(() => env);
  beforeAll(() => gateway.start());
  afterAll(() => gateway.stop());
  return gateway;
}

/** Use `useGateway`, or `useRedis` if the gateway is on Redis. */
export class GatewayInUse implements GatewayProcess {
  readonly #env: () => Record<string, string>;
  #process: GatewayProcess | undefined;

  constructor(env: () => Record<string, string>) {
    this.#env = env;
  }

  async start(): Promise<void> {
    this.#process = await startGateway(this.#env());
  }

  get url(): string {
    return this.#running.url;
  }

  get port(): number {
    return this.#running.port;
  }

  get pid(): number {
    return this.#running.pid;
  }

  output(): string {
    return this.#running.output();
  }

  async stop(): Promise<number> {
    // It may never have started: what kept it from starting is what the tests are to tell.
    return (await this.#process?.stop()) ?? 0;
  }

  kill9(): Promise<void> {
    return this.#running.kill9();
  }

  get #running(): GatewayProcess {
    if (this.#process === undefined) throw new Error("the gateway of the tests has not started");
    return this.#process;
  }
}
