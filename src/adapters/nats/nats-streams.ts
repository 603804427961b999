import { BrokerUnavailable } from "../../application/errors.ts";
import { callApi } from "./nats-api.ts";
import type { NatsRequests, NatsServer } from "./nats-connection.ts";
import { isRefusal, REFUSED } from "./nats-errors.ts";

/** A stream that Telltale needs. Durations are milliseconds. */
export interface WantedStream {
  readonly name: string;
  readonly subjects: readonly string[];
  /** How long messages are recognised by their `Nats-Msg-Id`, at least. */
  readonly duplicateWindowMs?: number;
  /** Every message that the server takes must be kept, however large. */
  readonly keepsAnySize?: boolean;
  /** Only the last message of each subject is kept. */
  readonly lastPerSubject?: boolean;
  /** A new message is refused if the stream has so many, unless it takes the place of one of its subject. Default: no limit. */
  readonly mostMessages?: number;
  /** How long messages are kept; left out: for good. */
  readonly maxAgeMs?: number;
  /** Stored messages are published again, from subjects below the first to subjects below the second. */
  readonly republish?: { readonly src: string; readonly dest: string; readonly headers_only?: boolean };
}

/** A stream that is there. */
export interface FoundStream {
  readonly name: string;
  /** When it was made, in milliseconds since 1970 in base 36: a stream made anew is another one. */
  readonly creation: string;
  /** The servers that keep it. */
  readonly replicas: number;
  /** `memory`: it is gone with the process of the server. */
  readonly keptIn: "disk" | "memory";
  /** Words for what keeps less than Telltale asks for; empty if all is well. */
  readonly warnings: readonly string[];
}

/** The most replicas that a stream of ours gets. */
const REPLICAS = 3;
const MS = 1_000_000;

/**
 * Finds a stream, or makes it if it is not there. A user that may not make streams can use those that an operator made.
 *
 * Rejects with `BrokerUnavailable` (cause `stream_settings`) if the stream has settings with which Telltale cannot keep its
 * promises; the message names the stream, the setting, the value found and the value wanted. Otherwise it rejects as a
 * call does.
 */
export async function ensureStream(
  link: NatsRequests,
  wanted: WantedStream,
  server: NatsServer,
): Promise<FoundStream> {
  return judged(await findOrMake(link, wanted, server), wanted, server);
}

/** Does the same with a stream that is there, and makes none: the call is refused if it is not. */
export async function findStream(
  link: NatsRequests,
  wanted: WantedStream,
  server: NatsServer,
): Promise<FoundStream> {
  return judged(await callApi<StreamInfo>(link, `STREAM.INFO.${wanted.name}`), wanted, server);
}

function judged(info: StreamInfo, wanted: WantedStream, server: NatsServer): FoundStream {
  const { config } = info;
  const offence = offenceOf(config, wanted, server);
  if (offence !== undefined) {
    const { setting, found, needed } = offence;
    throw new BrokerUnavailable(
      `the stream ${wanted.name} has ${setting} ${JSON.stringify(found)} and needs ${needed}`,
      { trouble: { cause: "stream_settings" } },
    );
  }
  return {
    name: wanted.name,
    creation: creationIn(info),
    replicas: config.num_replicas ?? 1,
    keptIn: config.storage === "memory" ? "memory" : "disk",
    warnings: warningsOf(wanted.name, config),
  };
}

/** Resolves with the `FoundStream.creation` of a stream. Rejects as a call does. */
export async function creationOf(link: NatsRequests, stream: string): Promise<string> {
  return creationIn(await callApi<StreamInfo>(link, `STREAM.INFO.${stream}`));
}

function creationIn({ created }: StreamInfo): string {
  return Date.parse(created).toString(36);
}

function warningsOf(name: string, { storage }: StreamConfig): readonly string[] {
  return storage === "memory" ? [`the stream ${name} is kept in memory, not in files`] : [];
}

async function findOrMake(link: NatsRequests, wanted: WantedStream, server: NatsServer): Promise<StreamInfo> {
  const found = await find(link, wanted);
  if (found !== undefined) return found;
  try {
    // Two gateways that make it at once find the same one: it has the same settings.
    return await callApi<StreamInfo>(link, `STREAM.CREATE.${wanted.name}`, configOf(wanted, server), 10_000);
  } catch (error) {
    if (!isRefusal(error, REFUSED.subjectsOverlap)) throw error;
    // Servers before 2.10 may look at the subjects just when another gateway has made it.
    const made = await find(link, wanted);
    if (made === undefined) throw error;
    return made;
  }
}

/** Resolves with undefined if the stream is not there. */
async function find(link: NatsRequests, { name }: WantedStream): Promise<StreamInfo | undefined> {
  try {
    return await callApi<StreamInfo>(link, `STREAM.INFO.${name}`);
  } catch (error) {
    if (isRefusal(error, REFUSED.streamNotFound)) return undefined;
    throw error;
  }
}

function configOf(wanted: WantedStream, { clusterSize }: NatsServer): StreamConfig {
  const duplicate_window = (wanted.duplicateWindowMs ?? 1_000) * MS;
  return {
    name: wanted.name,
    subjects: wanted.subjects,
    storage: "file",
    retention: "limits",
    discard: wanted.lastPerSubject === true && wanted.mostMessages === undefined ? "old" : "new",
    max_age: (wanted.maxAgeMs ?? 0) * MS,
    max_msgs: wanted.mostMessages ?? -1,
    max_bytes: -1,
    max_msgs_per_subject: wanted.lastPerSubject === true ? 1 : -1,
    duplicate_window,
    num_replicas: Math.min(REPLICAS, Math.max(1, clusterSize)),
    allow_direct: true,
    allow_rollup_hdrs: false,
    deny_delete: false,
    deny_purge: false,
    ...(wanted.republish !== undefined && { republish: wanted.republish }),
  };
}

interface Offence {
  readonly setting: string;
  readonly found: unknown;
  readonly needed: string;
}

/** The first setting with which Telltale could not keep its promises. */
function offenceOf(config: StreamConfig, wanted: WantedStream, server: NatsServer): Offence | undefined {
  const perSubject = wanted.lastPerSubject === true ? 1 : -1;
  const missing = wanted.subjects.filter((subject) => !config.subjects.includes(subject));
  const window = (wanted.duplicateWindowMs ?? 0) * MS;
  const { republish } = config;
  const live = wanted.republish;
  const replicas = config.num_replicas ?? 1;
  const settings: readonly (readonly [setting: string, found: unknown, needed: string, isRight: boolean])[] =
    [
      ["subjects", config.subjects, wanted.subjects.join(", "), missing.length === 0],
      ["retention", config.retention, "limits", config.retention === "limits"],
      [
        "max_age",
        config.max_age ?? 0,
        `${(wanted.maxAgeMs ?? 0) * MS} ns`,
        (config.max_age ?? 0) === (wanted.maxAgeMs ?? 0) * MS,
      ],
      ["max_msgs", config.max_msgs, "-1", (config.max_msgs ?? -1) === -1 || config.discard === "new"],
      ["max_bytes", config.max_bytes, "-1", (config.max_bytes ?? -1) === -1 || config.discard === "new"],
      [
        "max_msg_size",
        config.max_msg_size,
        "-1",
        wanted.keepsAnySize !== true || unlimited(config.max_msg_size) === -1,
      ],
      ["sealed", config.sealed, "false", config.sealed !== true],
      ["discard", config.discard, "new", perSubject === 1 || config.discard === "new"],
      [
        "max_msgs_per_subject",
        config.max_msgs_per_subject,
        `${perSubject}`,
        unlimited(config.max_msgs_per_subject) === perSubject,
      ],
      [
        "duplicate_window",
        config.duplicate_window,
        `at least ${window} ns`,
        (config.duplicate_window ?? 0) >= window,
      ],
      ["allow_direct", config.allow_direct ?? false, "true", config.allow_direct === true],
      ["deny_delete", config.deny_delete, "false", config.deny_delete !== true],
      ["deny_purge", config.deny_purge, "false", config.deny_purge !== true],
      [
        "republish",
        republish,
        JSON.stringify(live),
        live === undefined || (republish?.src === live.src && republish.dest === live.dest),
      ],
      ["num_replicas", replicas, "more than 1 in a cluster", replicas > 1 || server.clusterSize <= 1],
    ];
  const [offence] = settings.filter(([, , , isRight]) => !isRight);
  return offence && { setting: offence[0], found: offence[1], needed: offence[2] };
}

function unlimited(limit: number | undefined): number {
  return limit === undefined || limit <= 0 ? -1 : limit;
}

interface StreamInfo {
  readonly config: StreamConfig;
  /** RFC 3339. */
  readonly created: string;
}

/** The settings of a stream as JetStream writes them; durations are nanoseconds. */
interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly storage: "file" | "memory";
  readonly retention: string;
  readonly discard: "old" | "new";
  readonly max_age?: number;
  readonly max_msgs?: number;
  readonly max_bytes?: number;
  readonly max_msgs_per_subject?: number;
  readonly max_msg_size?: number;
  readonly sealed?: boolean;
  readonly duplicate_window?: number;
  readonly num_replicas?: number;
  readonly allow_direct?: boolean;
  readonly allow_rollup_hdrs?: boolean;
  readonly deny_delete?: boolean;
  readonly deny_purge?: boolean;
  readonly republish?: { readonly src: string; readonly dest: string; readonly headers_only?: boolean };
}
