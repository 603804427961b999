import { callApi } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isRefusal, REFUSED } from "./nats-errors.ts";
import type { WantedStream } from "./nats-streams.ts";

/** The stream that keeps what workers publish, also while no gateway runs. */
export const WORKERS_STREAM = "TELLTALE_WORKERS";

/** A worker publishes here an event that itself says which analysis it is of. */
const INBOX_SUBJECT = "telltale.inbox";

/** The kinds of the workers' channels, as LISTEN names them, and their subjects. */
const SUBJECTS = { analysis: "analysis.>", user: "user.>", system: "system.updates" } as const;

export type WorkerKind = keyof typeof SUBJECTS;

/** Every subject that the stream may have. */
export const ALL_SUBJECTS: readonly string[] = [...Object.values(SUBJECTS), INBOX_SUBJECT];

/** How long JetStream recognises a worker's message by its `Nats-Msg-Id`. */
const MESSAGE_IDS_KNOWN_MS = 120_000;

/** The stored messages are told again without their payload, so that a gateway learns that one has arrived. */
export const ARRIVALS = "telltale.arrived.>";

/** The stream of workers, as it must be at least if these kinds of channels are listened to. */
export function workersStream(kinds: readonly WorkerKind[]): WantedStream {
  return {
    name: WORKERS_STREAM,
    subjects: [...kinds.map((kind) => SUBJECTS[kind]), INBOX_SUBJECT],
    duplicateWindowMs: MESSAGE_IDS_KNOWN_MS,
    republish: { src: ">", dest: ARRIVALS, headers_only: true },
  };
}

/**
 * Adds the subjects that the stream lacks, if it is there. It keeps those that it has: another gateway may listen to them,
 * and every message in it is ingested. If two gateways add subjects at once, one of them finds that some are missing and
 * connects again.
 */
export async function addSubjects(link: NatsRequests, { name, subjects }: WantedStream): Promise<void> {
  const config = await configOf(link, name);
  const missing = subjects.filter((subject) => !config?.subjects.includes(subject));
  if (config === undefined || missing.length === 0) return;
  await callApi(link, `STREAM.UPDATE.${name}`, { ...config, subjects: [...config.subjects, ...missing] });
}

interface StreamConfig {
  readonly subjects: readonly string[];
}

async function configOf(link: NatsRequests, name: string): Promise<StreamConfig | undefined> {
  try {
    const { config } = await callApi<{ readonly config: StreamConfig }>(link, `STREAM.INFO.${name}`);
    return config;
  } catch (error) {
    if (isRefusal(error, REFUSED.streamNotFound)) return undefined;
    throw error;
  }
}

/**
 * The channel that a worker addressed by publishing on a subject: all that follows the first dot is the name in it.
 * Undefined if it published to the inbox itself. A subject of no channel counts as a channel's name, which is then none.
 */
export function channelOfSubject(subject: string): string | undefined {
  return subject === INBOX_SUBJECT ? undefined : subject.replace(".", ":");
}
