import type { EventRules } from "../../../domain/event-rules.ts";
import { eventSchema, PUBLISHED_TYPES, type PublishedType } from "../../../domain/event-schema.ts";
import { publishedNameOf, type Schema, withoutDialect } from "./components.ts";

/** The servers, channels and operations of workers that publish to the broker itself, for the AsyncAPI document. */
export function workerChannels(): Record<"servers" | "channels" | "operations", Schema> {
  return {
    servers: Object.fromEntries(
      Object.entries(SERVERS).map(([name, host]) => [name, { host, protocol: name }]),
    ),
    channels: Object.fromEntries(
      Object.entries(CHANNELS).map(([name, channel]) => [name, describe(channel)]),
    ),
    operations: Object.fromEntries(
      Object.entries(CHANNELS).map(([name, { types }]) => [
        `${name}FromWorker`,
        {
          action: "receive",
          channel: { $ref: `#/channels/${name}` },
          messages: types.map((type) => ({ $ref: `#/channels/${name}/messages/${fromWorker(type)}` })),
        },
      ]),
    ),
  };
}

/** The events of workers as messages, judged by the rules in force. */
export function workerMessages(rules: EventRules): Schema {
  return Object.fromEntries(
    PUBLISHED_TYPES.map((type) => [
      fromWorker(type),
      { title: publishedNameOf(type), payload: withoutDialect(eventSchema(type, rules)) },
    ]),
  );
}

interface WorkerChannel {
  readonly server: keyof typeof SERVERS;
  readonly address: string;
  readonly summary: string;
  readonly types: readonly PublishedType[];
}

const SERVERS = { redis: "127.0.0.1:6379", nats: "127.0.0.1:4222" };

const OF_ANALYSES = PUBLISHED_TYPES.filter((type) => type !== "notice");
const INBOX =
  "Events and notices that are kept until a gateway has stored them, each exactly once. An event names its `analysis_id`.";
const PLAIN =
  "Events of one analysis. The gateway stores each that it hears; what no gateway hears is lost. The same bytes within a minute are a retry.";
const TO_A_USER = "Notices to one user.";
const TO_EVERYBODY = "Notices to everybody.";

const CHANNELS: Readonly<Record<string, WorkerChannel>> = {
  redisInbox: {
    server: "redis",
    address: "telltale:inbox",
    summary: `A stream: \`XADD telltale:inbox * event JSON idempotency_key TEXT\`, the key being optional: repeated within five minutes, it is one event. ${INBOX}`,
    types: PUBLISHED_TYPES,
  },
  redisAnalysis: {
    server: "redis",
    address: "analysis:{analysis_id}",
    summary: `\`PUBLISH\`. ${PLAIN}`,
    types: OF_ANALYSES,
  },
  redisUser: { server: "redis", address: "user:{user_id}", summary: TO_A_USER, types: ["notice"] },
  redisSystem: { server: "redis", address: "system:updates", summary: TO_EVERYBODY, types: ["notice"] },
  natsInbox: { server: "nats", address: "telltale.inbox", summary: INBOX, types: PUBLISHED_TYPES },
  natsAnalysis: { server: "nats", address: "analysis.{analysis_id}", summary: PLAIN, types: OF_ANALYSES },
  natsUser: { server: "nats", address: "user.{user_id}", summary: TO_A_USER, types: ["notice"] },
  natsSystem: { server: "nats", address: "system.updates", summary: TO_EVERYBODY, types: ["notice"] },
};

const PARAMETERS: Readonly<Record<string, Schema>> = {
  analysis_id: { description: "A UUID of any version." },
  user_id: { description: "The user, as tokens name it." },
};

function describe({ server, address, summary, types }: WorkerChannel): Schema {
  const names = [...address.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  return {
    address,
    summary,
    servers: [{ $ref: `#/servers/${server}` }],
    ...(names.length > 0 && {
      parameters: Object.fromEntries(names.map((name) => [name, PARAMETERS[name]])),
    }),
    messages: Object.fromEntries(
      types.map((type) => [fromWorker(type), { $ref: `#/components/messages/${fromWorker(type)}` }]),
    ),
  };
}

/** A worker publishes an event without the members that the gateway adds. */
const fromWorker = (type: PublishedType) => `worker_${type}`;
