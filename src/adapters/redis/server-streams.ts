import { type Socket, connect as toServer } from "node:net";
import { connect as toTlsServer } from "node:tls";
import { AbstractConnector } from "ioredis";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The certificates of a connection. Each text is PEM. */
export interface RedisTls {
  /** The authorities that are trusted; those of the runtime if it is left out. */
  readonly ca?: string;
  /** The certificate of the gateway, and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** False: any certificate is accepted. */
  readonly verifies: boolean;
}

/** Connects to a server, over TLS if there is any. */
export function openStream({ host, port }: Address, tls: RedisTls | undefined): Socket {
  if (tls === undefined) return toServer({ host, port });
  const stream = toTlsServer({ host, port, ...tlsOptions(tls) });
  const name = `${host} ${port}`;
  const attempt = { taken: false, servedBefore: servedWith(tls).has(name) };
  ATTEMPTS.set(stream, attempt);
  stream.once("connect", () => {
    attempt.taken = true;
  });
  stream.once("secureConnect", () => {
    attempt.taken = false;
    servedWith(tls).add(name);
  });
  return stream;
}

/** Makes the class with which the client connects to one server over TLS. */
export function tlsConnector(server: Address, tls: RedisTls) {
  return class TlsConnector extends AbstractConnector {
    constructor() {
      super(LEAVE_MS);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      delete this.firstError;
      const stream = openStream(server, tls);
      stream.once("error", (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };
}

/** The options of TLS, as the runtimes have them. */
export function tlsOptions({ verifies, ...certificates }: RedisTls) {
  return { ...certificates, rejectUnauthorized: verifies };
}

/** Remembers how far the connection came that failed with `error`. */
export function noteAttempt(error: object, stream: Socket | undefined): void {
  const attempt = stream && ATTEMPTS.get(stream);
  if (attempt?.taken === true) UNANSWERED.set(error, attempt);
}

/**
 * Tells of a failure of a connection whether the server took the connection and left the handshake of TLS unanswered;
 * `servedBefore`: this server has answered one in this process.
 */
export function unansweredHandshake(error: unknown): { readonly servedBefore: boolean } | undefined {
  return error instanceof Error ? UNANSWERED.get(error) : undefined;
}

interface Attempt {
  /** The server has taken the connection and not yet answered the handshake. */
  taken: boolean;
  readonly servedBefore: boolean;
}

const LEAVE_MS = 2_000;
const ATTEMPTS = new WeakMap<Socket, Attempt>();
const UNANSWERED = new WeakMap<object, Attempt>();
/** The servers that have answered a handshake, by the settings of TLS that all connections to one Redis share. */
const SERVED = new WeakMap<RedisTls, Set<string>>();

function servedWith(tls: RedisTls): Set<string> {
  const servers = SERVED.get(tls) ?? new Set();
  SERVED.set(tls, servers);
  return servers;
}
