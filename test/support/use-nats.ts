import { afterAll, afterEach, beforeAll } from "bun:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type NatsOptions, type RunningNats, startNats } from "./nats-server.ts";

/**
 * A NATS for the tests of one `describe`: it starts before the first and ends after the last of them. Call it in the
 * `describe`, before other hooks; everything is there once the tests run.
 */
export function useNats(options: NatsOptions = {}): NatsInUse {
  const nats = new NatsInUse(options);
  beforeAll(() => nats.start());
  afterEach(() => nats.endTest());
  afterAll(() => nats.end());
  return nats;
}

/** Use `useNats`. */
export class NatsInUse implements RunningNats {
  readonly #options: NatsOptions;
  readonly #afterTest: Ending[] = [];
  #server: RunningNats | undefined;

  constructor(options: NatsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#server = await startNats(this.#options);
  }

  get host(): string {
    return this.#running.host;
  }

  get port(): number {
    return this.#running.port;
  }

  get address(): string {
    return this.#running.address;
  }

  get url(): string {
    return this.#running.url;
  }

  get pid(): number | undefined {
    return this.#running.pid;
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }

  kill9(): Promise<void> {
    return this.#running.kill9();
  }

  restart(): Promise<void> {
    return this.#running.restart();
  }

  freeze(): void {
    this.#running.freeze();
  }

  thaw(): void {
    this.#running.thaw();
  }

  saveStore(): Promise<void> {
    return this.#running.saveStore();
  }

  restoreStore(): Promise<void> {
    return this.#running.restoreStore();
  }

  loseStore(): Promise<void> {
    return this.#running.loseStore();
  }

  /** A connection of the tests' own. It ends after the test. */
  async client(): Promise<NatsConnection> {
    const connection = await connect({
      servers: this.address,
      reconnect: false,
      ...this.#options.user,
    });
    this.afterTest(() => connection.close());
    return connection;
  }

  /** Empties every stream. Connections stay. */
  async purgeStreams(): Promise<void> {
    const client = await connect({ servers: this.address, reconnect: false, ...this.#options.user });
    const names = await client.request("$JS.API.STREAM.NAMES");
    const { streams } = names.json<{ streams?: string[] }>();
    for (const stream of streams ?? []) await client.request(`$JS.API.STREAM.PURGE.${stream}`);
    await client.close();
  }

  /** Does this after the running test; the last one first. */
  afterTest(ending: Ending): void {
    this.#afterTest.push(ending);
  }

  async endTest(): Promise<void> {
    for (const ending of this.#afterTest.splice(0).reverse()) await ending();
  }

  async end(): Promise<void> {
    await this.#server?.stop();
  }

  get #running(): RunningNats {
    if (this.#server === undefined) throw new Error("the NATS of the tests has not started");
    return this.#server;
  }
}

type Ending = () => unknown;
