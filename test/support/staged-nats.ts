import { connect, type NatsConnection, NoRespondersError, RequestError } from "@nats-io/transport-node";
import { type NatsOptions, type RunningNats, startNats } from "./nats-server.ts";
import type { Address, StagedBroker, WorkerAnswer, WorkerConnection, WorkerLane } from "./staged-broker.ts";
import { StagedServer } from "./staged-server.ts";

/** One NATS with JetStream, which keeps its streams in files. */
export class StagedNats extends StagedServer<RunningNats> implements StagedBroker {
  readonly lanes = ["bare", "inbox"] as const;
  readonly keepsBareMessages = true;
  readonly recognisesRetries = false;
  readonly burst = 100_000;
  static async start(options: NatsOptions = {}): Promise<StagedNats> {
    return new StagedNats(await startNats(options));
  }

  settingsFor({ host, port }: Address): Record<string, string> {
    return { NATS_URL: `nats://${host}:${port}` };
  }

  connectWorker(address: Address): WorkerConnection {
    return new NatsWorker([`${address.host}:${address.port}`]);
  }

  async deadLetters(): Promise<number> {
    const { state } = await this.ask<{ state?: { messages: number } }>("STREAM.INFO.TELLTALE_DEADLETTERS");
    // A stream that was removed is made anew for the next dead letter.
    return state?.messages ?? 0;
  }

  /** NATS tells who listens only over a monitoring port, which the servers of the rounds do not have. */
  readonly listenersOf = undefined;

  /** Removes every stream that is there. Connections stay. */
  async removeStreams(): Promise<void> {
    const { streams } = await this.ask<{ streams: string[] | null }>("STREAM.NAMES");
    for (const stream of streams ?? []) await this.ask(`STREAM.DELETE.${stream}`);
  }

  /** Calls the interface of JetStream. */
  async ask<Answer>(call: string, body?: unknown): Promise<Answer> {
    const connection = await connect({ servers: `${this.host}:${this.port}`, reconnect: false });
    try {
      const answer = await connection.request(
        `$JS.API.${call}`,
        body === undefined ? undefined : JSON.stringify(body),
        { timeout: 5_000 },
      );
      return answer.json<Answer>();
    } finally {
      await connection.close();
    }
  }
}

const ANSWER_WITHIN_MS = 2_000;

export class NatsWorker implements WorkerConnection {
  /** One `host:port` for each server. */
  readonly #servers: readonly string[];
  #connection: NatsConnection | undefined;
  #connecting = false;
  #closed = false;

  constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  async publish(lane: WorkerLane, analysisId: string, payload: string | Uint8Array): Promise<WorkerAnswer> {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed()) {
      void this.#connect();
      return "refused";
    }
    const subject = lane === "inbox" ? "telltale.inbox" : `analysis.${analysisId}`;
    try {
      const answer = await connection.request(subject, payload, { timeout: ANSWER_WITHIN_MS });
      return answer.json<{ error?: unknown }>().error === undefined ? "taken" : "refused";
    } catch (error) {
      if (error instanceof NoRespondersError) return "refused";
      if (error instanceof RequestError && error.isNoResponders()) return "refused";
      return "unknown";
    }
  }

  close(): void {
    this.#closed = true;
    void this.#connection?.close();
  }

  /** Never rejects: the next message tries again. */
  async #connect(): Promise<void> {
    if (this.#connecting || this.#closed) return;
    this.#connecting = true;
    try {
      const servers = [...this.#servers];
      this.#connection = await connect({ servers, reconnect: false, timeout: 1_000 });
      if (this.#closed) await this.#connection.close();
    } catch {
      // The server is away.
    } finally {
      this.#connecting = false;
    }
  }
}
