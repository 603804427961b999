import { expect } from "bun:test";
import { buildPages, type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { type RuntimeName, runtimeCommand } from "../support/runtime-command.ts";
import type { StagedBroker, WorkerConnection } from "../support/staged-broker.ts";
import type { MatrixBroker } from "./cells.ts";

const OPTIONS = { DEMO: "on", DRAIN_SECONDS: "2", MAX_CONNECTIONS_PER_USER: "1000" };

/** One broker with gateways on one runtime. */
export class Cell {
  readonly runtime: RuntimeName;
  readonly #of: MatrixBroker;
  readonly #gateways: GatewayProcess[] = [];
  #broker: StagedBroker | undefined;
  #worker: WorkerConnection | undefined;
  #gateway: GatewayProcess | undefined;
  #capabilities: readonly string[] = [];

  constructor(of: MatrixBroker, runtime: RuntimeName) {
    this.#of = of;
    this.runtime = runtime;
  }

  async start(): Promise<void> {
    this.#broker = await this.#of.start();
    this.#gateway = await this.startGateway();
    const health = await (await fetch(`${this.url}/ws/health`)).json();
    this.#capabilities = (health as { broker: { capabilities: string[] } }).broker.capabilities;
    this.#worker = this.#broker?.connectWorker(this.#broker);
  }

  /** The gateway that every check may use and none may stop. */
  get url(): string {
    if (this.#gateway === undefined) throw new Error("the cell has not started");
    return this.#gateway.url;
  }

  /** The capabilities that its broker declares. */
  get capabilities(): readonly string[] {
    return this.#capabilities;
  }

  /** A worker that needs no HTTP. */
  get worker(): WorkerConnection {
    if (this.#worker === undefined) throw new Error("this broker has no server for workers");
    return this.#worker;
  }

  /** Another gateway on the same broker. */
  async startGateway(env: Record<string, string> = {}): Promise<GatewayProcess> {
    if (this.runtime === "deno") buildPages();
    const settings = this.#broker?.settingsFor(this.#broker) ?? {};
    const command = runtimeCommand("src/main.ts", this.runtime);
    const gateway = await startGateway({ ...OPTIONS, ...settings, ...env }, command);
    this.#gateways.push(gateway);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toContain(`runtime="${this.runtime}"`);
    return gateway;
  }

  /** Ends every gateway of the cell; the broker goes on. */
  async stopGateways(): Promise<void> {
    await Promise.all(this.#gateways.splice(0).map((gateway) => gateway.kill9()));
  }

  async startFirstAgain(): Promise<void> {
    this.#gateway = await this.startGateway();
  }

  token(): Promise<string> {
    return tokenFor({ user: "alice", analyses: "*", scopes: ["analysis:publish"] });
  }

  async end(): Promise<void> {
    this.#worker?.close();
    await this.stopGateways();
    await this.#broker?.stop();
  }
}
