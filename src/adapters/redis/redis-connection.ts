import { Redis } from "ioredis";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import { certificateFault } from "../broker/certificate-fault.ts";
import type { LinkEnd } from "../broker/link-state.ts";
import { addressHint, credentialsHint } from "./connection-hints.ts";
import { isReply, isTimeout, troubleOf } from "./redis-errors.ts";
import { type RedisSentinels, sentinelConnector } from "./sentinel-connector.ts";
import {
  noteAttempt,
  type RedisTls,
  tlsConnector,
  tlsOptions,
  unansweredHandshake,
} from "./server-streams.ts";

/** The place of a Redis, and the user that the gateway is there. */
export type RedisTarget = RedisUser & (RedisServer | { readonly sentinels: RedisSentinels });

/** A Redis Cluster, and the user that the gateway is on each of its servers. */
export type ClusterTarget = RedisUser & {
  /** Servers that may be asked for the others. There is at least one. */
  readonly cluster: { readonly servers: readonly { readonly host: string; readonly port: number }[] };
};

interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly sentinels?: undefined;
}

interface RedisUser {
  readonly db: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordFrom?: PasswordSource | undefined;
  /** If it is there, the client talks to no server without TLS. */
  readonly tls?: RedisTls | undefined;
}

/** The place that a password comes from. */
interface PasswordSource {
  /** The setting that names it, for operators. */
  readonly setting: string;
  /** Reads it anew: before each connection, since it may have changed. Undefined if it cannot be read now. */
  readonly read?: (() => string | undefined) | undefined;
}

/** Longer than any script takes that is not refused, shorter than a publisher waits for its answer. */
const COMMAND_TIMEOUT_MS = 2_000;

/**
 * Makes a client, which begins to connect. For each connection it looks its address up, or asks the sentinels, and reads its
 * password from its file. `pauseMs` says how long it waits before the next attempt, given how many failed in a row; null: it makes none.
 */
export function connect(
  target: RedisTarget,
  purpose: string,
  pauseMs: (attempts: number) => number | null,
): Redis {
  const { tls } = target;
  const password = target.passwordFrom?.read?.() ?? target.password;
  const redis = new Redis({
    ...wayTo(target),
    db: target.db,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    connectionName: `telltale-${purpose}`,
    protocol: 2,
    connectTimeout: COMMAND_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    // The client's own check writes to the console if its user may not run INFO, and waits as long as it likes.
    enableReadyCheck: false,
    // With these two a command without an answer fails when its connection does, and is never sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: (attempts) => {
      const changed = target.passwordFrom?.read?.();
      if (changed !== undefined) redis.options.password = changed;
      return pauseMs(attempts);
    },
  });
  redis.on("error", (error) => noteAttempt(error, redis.stream));
  // The client listens for the first error of a socket only; Deno tells of a second if the server refuses the certificate.
  redis.on("connect", () => redis.stream.on("error", () => {}));
  return redis;
}

function wayTo(target: RedisTarget) {
  if (target.sentinels !== undefined) return { Connector: sentinelConnector(target.sentinels, target.tls) };
  const { host, port, tls } = target;
  return { host, port, ...(tls === undefined ? {} : { Connector: tlsConnector(target, tls) }) };
}

/** Resolves once Redis serves the gateway's user in its database. Rejects with `BrokerUnavailable` at the first failure. */
export async function connected(redis: Redis, target: RedisTarget): Promise<void> {
  const end = Promise.withResolvers<void>();
  let last: unknown;
  redis.on("error", (error) => {
    last = error;
    if (isReply(error)) end.reject(unavailable(error, target));
  });
  redis.on("ready", () => end.resolve());
  redis.on("end", () => end.reject(unavailable(last, target)));
  await end.promise;
}

/** The servers of the settings as `host:port`: Redis itself, its sentinels, or those of a Cluster that are asked first. */
export function serversOf(target: RedisTarget | ClusterTarget): string[] {
  return addressesOf(target).map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`);
}

function addressesOf(
  target: RedisTarget | ClusterTarget,
): readonly { readonly host: string; readonly port: number }[] {
  if ("cluster" in target) return target.cluster.servers;
  return target.sentinels === undefined ? [target] : target.sentinels.servers;
}

/** Reads from the failure of a connection why it ends; the detail says how an operator mends it. */
export function endFor(error: unknown, target: RedisTarget): LinkEnd {
  if (error instanceof BrokerUnavailable) return { trouble: error.trouble, detail: error.message };
  const trouble = troubleOf(error);
  const said = reasonOf(error);
  if (trouble.cause === "credentials")
    return { trouble, detail: `${said.replace(/\.$/, "")}; ${credentialsHint(target)}` };
  if (isReply(error) || isTimeout(error)) return { trouble, detail: said };
  const handshake = unansweredHandshake(error);
  if (handshake !== undefined && said.includes("ETIMEDOUT"))
    return { trouble: { cause: "silent" }, detail: handshake.servedBefore ? HANGS : MAY_BE_PLAIN };
  const fault = target.tls && certificateFault(error, wordsFor(target.tls));
  if (fault !== undefined) return { trouble: fault.trouble, detail: fault.message };
  if (target.tls === undefined && /ECONNRESET|EPIPE/.test(said))
    return { trouble, detail: `${said}${MAY_BE_TLS}` };
  const hint = addressHint(said);
  return { trouble, detail: hint === undefined ? said : `${said}; ${hint}` };
}

function unavailable(error: unknown, target: RedisTarget): BrokerUnavailable {
  const { trouble, detail } = endFor(error, target);
  return new BrokerUnavailable(error === undefined ? wordsOf(trouble) : detail, { cause: error, trouble });
}

const MAY_BE_TLS = "; if the port is one for TLS, use rediss:// in REDIS_URL";
const HANGS = "Redis took the connection but did not answer the TLS handshake: it hangs or is overloaded";
/** A port without TLS waits for the rest of a line that never comes. */
const MAY_BE_PLAIN = `${HANGS}, or this port has no TLS (use its tls-port)`;

function wordsFor({ ca }: RedisTls) {
  return {
    ...{ broker: "Redis", address: "REDIS_URL" },
    ...{ ca: "REDIS_CA", isCaSet: ca !== undefined, cert: "REDIS_CERT", key: "REDIS_KEY" },
    plain: "use its tls-port",
  };
}
