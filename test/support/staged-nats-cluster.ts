import { connect, RequestError, TimeoutError } from "@nats-io/transport-node";
import { eventually } from "../../src/testing/eventually.ts";
import { freePort } from "./free-port.ts";
import { type RunningNats, startNats } from "./nats-server.ts";
import type { Address, StagedBroker, WorkerConnection } from "./staged-broker.ts";
import { NatsWorker } from "./staged-nats.ts";

const SERVERS = 3;

/** Three NATS servers that keep each stream three times. Gateways and workers reach each of them without a proxy. */
export class StagedNatsCluster implements StagedBroker {
  readonly lanes = ["bare", "inbox"] as const;
  readonly keepsBareMessages = true;
  readonly recognisesRetries = false;
  readonly burst = 100_000;
  readonly listenersOf = undefined;
  readonly servers: readonly RunningNats[];

  private constructor(servers: readonly RunningNats[]) {
    this.servers = servers;
  }

  static async start(): Promise<StagedNatsCluster> {
    const ports = await Promise.all(Array.from({ length: SERVERS }, freePort));
    const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`).join(", ");
    const servers = await Promise.all(
      ports.map((port, index) =>
        startNats({
          config: [
            `server_name: "server-${index}"`,
            `cluster { name: "rounds", listen: "127.0.0.1:${port}", routes: [${routes}] }`,
          ].join("\n"),
        }),
      ),
    );
    const cluster = new StagedNatsCluster(servers);
    await eventually("the cluster has a leader", async () => {
      try {
        return (await cluster.#ask<{ error?: unknown }>("INFO")).error === undefined;
      } catch (error) {
        // Nobody answers before there is a leader.
        if (error instanceof TimeoutError || error instanceof RequestError) return false;
        throw error;
      }
    });
    return cluster;
  }

  get host(): string {
    return this.#first.host;
  }

  get port(): number {
    return this.#first.port;
  }

  settingsFor(): Record<string, string> {
    return { NATS_URL: `nats://${this.#addresses.join(",")}` };
  }

  connectWorker(_: Address): WorkerConnection {
    return new NatsWorker(this.#addresses);
  }

  /** The server that leads the stream of events. */
  async leader(): Promise<RunningNats> {
    const { cluster } = await this.#ask<{ cluster?: { leader?: string } }>("STREAM.INFO.TELLTALE_EVENTS");
    const leader = this.servers.find((_, index) => cluster?.leader === `server-${index}`);
    if (leader === undefined) throw new Error(`nobody leads: ${JSON.stringify(cluster)}`);
    return leader;
  }

  /** Resolves when every stream has a leader and both others have all that it has. */
  async untilWhole(): Promise<void> {
    await eventually("every server has all of every stream", async () => {
      try {
        const { streams } = await this.#ask<{ streams?: readonly StreamInfo[] }>("STREAM.LIST");
        return (streams ?? []).length > 0 && (streams ?? []).every(({ cluster }) => isWhole(cluster));
      } catch (error) {
        if (error instanceof TimeoutError || error instanceof RequestError) return false;
        throw error;
      }
    });
  }

  async kill9(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill9()));
  }

  async restart(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.restart()));
  }

  freeze(): void {
    for (const server of this.servers) server.freeze();
  }

  thaw(): void {
    for (const server of this.servers) server.thaw();
  }

  async deadLetters(): Promise<number> {
    const { state } = await this.#ask<{ state: { messages: number } }>("STREAM.INFO.TELLTALE_DEADLETTERS");
    return state.messages;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  get #addresses(): readonly string[] {
    return this.servers.map(({ address }) => address);
  }

  get #first(): RunningNats {
    return this.servers[0] as RunningNats;
  }

  /** Calls the interface of JetStream on whichever server answers. */
  async #ask<Answer>(call: string): Promise<Answer> {
    const connection = await connect({ servers: [...this.#addresses], reconnect: false });
    try {
      return (await connection.request(`$JS.API.${call}`, undefined, { timeout: 2_000 })).json<Answer>();
    } finally {
      await connection.close();
    }
  }
}

interface StreamInfo {
  readonly cluster?: Cluster;
}

interface Cluster {
  readonly leader?: string;
  readonly replicas?: readonly { readonly current: boolean }[];
}

function isWhole(cluster: Cluster | undefined): boolean {
  const replicas = cluster?.replicas ?? [];
  return (
    cluster?.leader !== undefined && replicas.length === SERVERS - 1 && replicas.every((it) => it.current)
  );
}
