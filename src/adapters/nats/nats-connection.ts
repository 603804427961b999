import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nkeyAuthenticator,
  TimeoutError,
} from "@nats-io/transport-node";
import { certificateFault } from "../broker/certificate-fault.ts";

/** The addresses of a NATS, and the user that the gateway is there. */
export interface NatsTarget {
  /** One `host:port` for each server, in the order in which they are tried. */
  readonly servers: readonly string[];
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The text of a credentials file, or the seed of a user's key (`SU…`). */
  readonly credentials?: string | undefined;
  /**
   * If it is there, the link talks to no server without TLS. `ca`: the authorities that are trusted, those of the runtime if
   * it is left out. `cert` and `key`: the certificate of the gateway. Each text is PEM.
   */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** The server at the other end of a connection. */
export interface NatsServer {
  /** Another one after each start of the server. */
  readonly id: string;
  readonly version: string;
  /** The most bytes of a message, its headers included. */
  readonly mostBytes: number;
  /** How many servers the cluster has, as far as the server knows; 0 if it is in no cluster. */
  readonly clusterSize: number;
}

export interface NatsRequestOptions {
  readonly headers?: MsgHdrs;
  /** Default: 2 s. */
  readonly timeoutMs?: number;
}

/** A connection on which somebody asks. */
export interface NatsRequests {
  /** Resolves with the answer. Rejects with the client's error, or `BrokerUnavailable` if nothing was sent. */
  request(subject: string, payload?: Uint8Array | string, options?: NatsRequestOptions): Promise<Msg>;
  /** Called when JetStream said that a stream is gone. */
  streamIsGone?(refusal: unknown): void;
}

/** Longer than any request takes that is not refused, shorter than a publisher waits for its answer. */
const REQUEST_TIMEOUT_MS = 2_000;

/**
 * Connects to the first of the servers that answers. Each connection is to one process of a server. Rejects with the client's
 * error, and with `BrokerUnavailable` (cause `certificate`) if a certificate is not accepted.
 */
export async function connectTo(target: NatsTarget, purpose: string): Promise<NatsConnection> {
  try {
    return await connect({
      servers: [...target.servers],
      name: `telltale-${purpose}`,
      ...(target.user === undefined ? {} : { user: target.user, pass: target.password ?? "" }),
      ...(target.token === undefined ? {} : { token: target.token }),
      ...(target.credentials === undefined ? {} : { authenticator: authenticatorOf(target.credentials) }),
      ...(target.tls === undefined ? {} : { tls: { ...target.tls } }),
      timeout: REQUEST_TIMEOUT_MS,
      // A message that was made for one process must not reach another one.
      reconnect: false,
      noRandomize: true,
      ignoreClusterUpdates: true,
      noAsyncTraces: true,
    });
  } catch (error) {
    throw certificateFault(error, { ...OF_NATS, isCaSet: target.tls?.ca !== undefined }) ?? error;
  }
}

const OF_NATS = {
  broker: "NATS",
  address: "NATS_URL",
  ca: "NATS_CA",
  cert: "NATS_CERT",
  key: "NATS_KEY",
  plain: "set `tls` in its configuration, or use nats:// in NATS_URL",
} as const;

function authenticatorOf(credentials: string): Authenticator {
  const text = credentials.trim().replaceAll("\r\n", "\n");
  const isSeed = text.startsWith("SU");
  // The client wants a line break after the last line of a file.
  const bytes = new TextEncoder().encode(isSeed ? text : `${text}\n`);
  return isSeed ? nkeyAuthenticator(bytes) : credsAuthenticator(bytes);
}

/** Sends a request and resolves with its answer. Rejects with the client's error. */
export function requestOn(
  connection: NatsConnection,
  subject: string,
  payload: Uint8Array | string,
  { headers, timeoutMs = REQUEST_TIMEOUT_MS }: NatsRequestOptions,
): Promise<Msg> {
  const timeout = Math.max(1, timeoutMs);
  return connection.request(subject, payload, headers === undefined ? { timeout } : { timeout, headers });
}

export function requestsOn(connection: NatsConnection): NatsRequests {
  return {
    request: (subject, payload = "", options = {}) => requestOn(connection, subject, payload, options),
  };
}

/** Resolves when the server has handled everything that was sent before. */
export async function flushed(connection: NatsConnection): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new TimeoutError()), REQUEST_TIMEOUT_MS);
  try {
    await Promise.race([connection.flush(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Closes a connection without waiting for its peer. */
export function leave(connection: NatsConnection): void {
  void connection.close();
}

export function serverOf(connection: NatsConnection): NatsServer {
  const { info } = connection;
  if (info === undefined) throw new Error("the server did not say who it is");
  return {
    id: info.server_id,
    version: info.version,
    mostBytes: info.max_payload,
    clusterSize: info.cluster === undefined ? 0 : Math.max(1, new Set(info.connect_urls ?? []).size),
  };
}
