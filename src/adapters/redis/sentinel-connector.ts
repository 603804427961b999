import { Socket } from "node:net";
import { AbstractConnector, Redis } from "ioredis";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import { troubleOf } from "./redis-errors.ts";
import { openStream, type RedisTls, tlsOptions } from "./server-streams.ts";

/** The sentinels that know where the primary is. */
export interface RedisSentinels {
  /** The name of the primary among them. */
  readonly name: string;
  /** In the order in which they are asked. There is at least one. */
  readonly servers: readonly Address[];
  readonly password?: string | undefined;
  /** Reads the password anew, since it may have changed. Undefined if it cannot be read now. */
  readonly readPassword?: (() => string | undefined) | undefined;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const CONNECT_MS = 1_000;
const ANSWER_MS = 1_000;

/**
 * Makes the class with which the client connects to the primary. For each connection it asks the sentinels anew, until one
 * answers, and begins with another one each time: one that is cut off from the others may go on naming the old primary.
 * If none knows a primary, the connection fails as one that a server refused, so that the client tries again.
 */
export function sentinelConnector(sentinels: RedisSentinels, tls: RedisTls | undefined) {
  return class SentinelConnector extends AbstractConnector {
    #first = 0;

    constructor() {
      super(CONNECT_MS);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      delete this.firstError;
      const stream = await this.#open();
      stream.once("error", (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }

    async #open(): Promise<Socket> {
      try {
        const primary = await this.#primary();
        // The client gave up meanwhile.
        if (!this.connecting) return closed();
        return openStream(primary, tls);
      } catch (error) {
        this.firstError = error as Error;
        return closed();
      }
    }

    async #primary(): Promise<Address> {
      const { servers } = sentinels;
      const first = this.#first++ % servers.length;
      let failure: unknown;
      for (const server of [...servers.slice(first), ...servers.slice(0, first)]) {
        try {
          return await primaryAt(server, sentinels, tls);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    }
  };
}

/** Rejects with `BrokerUnavailable`, which says what is wrong with the sentinel. */
async function primaryAt(
  server: Address,
  sentinels: RedisSentinels,
  tls: RedisTls | undefined,
): Promise<Address> {
  const password = sentinels.readPassword?.() ?? sentinels.password;
  const client = new Redis({
    ...server,
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    protocol: 2,
    connectTimeout: CONNECT_MS,
    commandTimeout: CONNECT_MS + ANSWER_MS,
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  let failure: unknown;
  client.on("error", (error) => {
    failure = error;
  });
  const at = `the sentinel ${server.host}:${server.port}`;
  let answer: unknown;
  try {
    answer = await client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.name);
  } catch (error) {
    // If there was no connection, it says more than the command that failed with it.
    const cause = failure ?? error;
    const trouble = troubleOf(cause);
    const hint = trouble.cause === "credentials" ? "; look at REDIS_SENTINEL_PASSWORD" : "";
    throw new BrokerUnavailable(`${at}: ${reasonOf(cause)}${hint}`, { cause, trouble });
  } finally {
    client.disconnect();
  }
  if (Array.isArray(answer)) return { host: String(answer[0]), port: Number(answer[1]) };
  const unknown = `${at} knows no primary of the name in REDIS_URL`;
  throw new BrokerUnavailable(unknown, { trouble: { cause: "unreachable" } });
}

/** The client treats it as a connection that was closed. */
function closed(): Socket {
  return new Socket().destroy();
}
