/**
 * The causes for which a broker cannot be used, and the words for each that anybody may read. The words hold no address
 * and nothing that the broker wrote: only the log has that.
 */
const WORDS = {
  account_limit: "the gateway's account at the broker may have no more of what the gateway needs",
  away: "the broker is away",
  behind: "an earlier append to the channel has no known outcome, so this one was not sent",
  busy: "the broker is busy with something else",
  certificate: "a certificate between the gateway and the broker is not accepted",
  closed: "the gateway has closed its connections to the broker",
  cluster: "the broker is a cluster that does not serve this gateway",
  connecting: "the gateway is connecting to the broker",
  credentials: "the broker does not accept the gateway's user name or password",
  cut_short: "the broker stopped an append midway",
  database: "the broker does not have the database that is configured",
  deaf: "a connection to the broker is deaf: nothing is heard on it",
  disk: "the broker cannot write to its disk",
  fault: "the broker answered with an error that the gateway does not know",
  full: "the memory of the broker is full",
  ids_used_up: "an entry of telltale:inbox had the largest id, so that workers can add none after it",
  late: "the broker came to it after its deadline had passed",
  loading: "the broker is loading its data",
  message_size: "the broker takes no messages of 256 KiB, which the gateway needs",
  newer_format: "the broker holds data of a newer format than this gateway knows",
  no_jetstream: "the broker does not serve JetStream, or lost a stream of Telltale's",
  no_stream: "telltale:inbox is no stream: what it is must be moved away",
  permission: "the gateway's user at the broker lacks a permission",
  read_only: "the broker is a replica and takes no writes",
  replicas: "too few replicas of the broker are in step",
  silent: "the broker does not answer",
  stream_full: "a stream of the broker has reached a limit of its settings",
  stream_settings: "a stream of the broker has other settings than the gateway needs",
  too_many_clients: "the broker takes no more connections",
  unreachable: "there is no connection to the broker",
} as const;

/** Stable: a part of the answers of `/ready` and `/ws/health`. */
export type BrokerCause = keyof typeof WORDS;

export interface BrokerTrouble {
  readonly cause: BrokerCause;
  /** For cause `permission` the name of the command, or of the kind of key or channel. Never anything of a user's. */
  readonly permission?: string | undefined;
}

/** The words that anybody may read. */
export function wordsOf({ cause, permission }: BrokerTrouble): string {
  return permission === undefined ? WORDS[cause] : `${WORDS[cause]}: ${permission}`;
}

/** The same for `/ws/health`: its cause, and the words that anybody may read. */
export function faultOf(trouble: BrokerTrouble): { readonly cause: BrokerCause; readonly reason: string } {
  return { cause: trouble.cause, reason: wordsOf(trouble) };
}

const AWAY: ReadonlySet<BrokerCause> = new Set([
  "certificate",
  "closed",
  "connecting",
  "credentials",
  "loading",
  "silent",
  "unreachable",
]);

/** Whether the broker answers nobody, so that everybody who asks it finds the same. */
export function isAway({ cause }: BrokerTrouble): boolean {
  return AWAY.has(cause);
}

/** Whether both are the same trouble, so that operators need not be told again. */
export function isSameTrouble(one: BrokerTrouble | undefined, other: BrokerTrouble | undefined): boolean {
  return one?.cause === other?.cause && one?.permission === other?.permission;
}
