import { CLOSE_CODES } from "../../../domain/close-code.ts";
import { DELIVERED, SERVER_FRAMES } from "../../../domain/delivered-schemas.ts";
import type { EventRules } from "../../../domain/event-rules.ts";
import { CLIENT_FRAMES } from "../../../session/client-frames.ts";
import { nameOf, type Schema, schemaOf } from "./components.ts";
import { WATCHING } from "./parameters.ts";
import { workerChannels, workerMessages } from "./worker-channels.ts";

const SENT = { ...DELIVERED, ...SERVER_FRAMES };
/** Frames that a client gets on `/ws` alone, and frames that it may send there alone. */
const OF_MANY = ["subscribed", "unsubscribed", "subscription_refused"];
const BY_CLIENTS_OF_MANY = ["subscribe", "unsubscribe"];

/**
 * The description of the WebSockets, and of the channels of workers on Redis and NATS, as AsyncAPI 3.0. Operations are the
 * gateway's: it sends to watchers.
 */
export function asyncApi(rules: EventRules, version: string): Schema {
  const workers = workerChannels();
  const sent = Object.keys(SENT);
  const received = Object.keys(CLIENT_FRAMES);
  const one = {
    sent: sent.filter((type) => !OF_MANY.includes(type)),
    received: received.filter((type) => !BY_CLIENTS_OF_MANY.includes(type)),
  };
  return {
    asyncapi: "3.0.0",
    info: { title: "Telltale", version, description: DESCRIPTION },
    defaultContentType: "application/json",
    servers: {
      gateway: {
        host: "127.0.0.1:8000",
        protocol: "ws",
        security: [
          { $ref: "#/components/securitySchemes/bearer" },
          { $ref: "#/components/securitySchemes/query" },
        ],
      },
      ...workers.servers,
    },
    channels: {
      analysis: {
        address: "/ws/analysis/{analysis_id}",
        summary: "One analysis.",
        parameters: { analysis_id: { description: "A UUID of any version." } },
        servers: [{ $ref: "#/servers/gateway" }],
        messages: messagesOf(one),
        bindings: bindings(WATCHING.map(({ name }) => name)),
      },
      analyses: {
        address: "/ws",
        summary: "Many analyses, each subscribed to by a frame.",
        servers: [{ $ref: "#/servers/gateway" }],
        messages: messagesOf({ sent, received }),
        bindings: bindings(["conflate", "until", "markers", "resume"]),
      },
      ...workers.channels,
    },
    operations: {
      ...operationsOf("analysis", one),
      ...operationsOf("analyses", { sent, received }),
      ...workers.operations,
    },
    components: {
      messages: {
        ...Object.fromEntries([
          ...Object.entries(SENT).map(([type, schema]) => [
            type,
            message(nameOf(type), schemaOf(schema, "draft-7")),
          ]),
          ...Object.entries(CLIENT_FRAMES).map(([type, schema]) => [
            fromClient(type),
            message(`${nameOf(type)} of a client`, schemaOf(schema, "draft-7")),
          ]),
        ]),
        ...workerMessages(rules),
      },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        query: { type: "httpApiKey", in: "query", name: "token" },
      },
    },
  };
}

const DESCRIPTION = [
  "Every frame is JSON text and has an `event_type`. The first is `connection_established`. The same messages come as server-sent events.",
  "The gateway closes with one of these codes:",
  ...Object.values(CLOSE_CODES).map(
    ({ code, meaning, reconnect }) => `- ${code}: ${meaning}; reconnect: ${reconnect}`,
  ),
].join("\n");

interface Frames {
  readonly sent: readonly string[];
  readonly received: readonly string[];
}

/** A client's `unsubscribe` and the gateway's `unsubscribed` share no name, but `heartbeat` and its like might. */
const fromClient = (type: string) => `client_${type}`;

function message(title: string, payload: Schema): Schema {
  return { title, payload };
}

function messagesOf({ sent, received }: Frames): Schema {
  const names = [...sent, ...received.map(fromClient)];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
}

function operationsOf(channel: string, { sent, received }: Frames): Schema {
  const of = (names: readonly string[]) =>
    names.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` }));
  const at = { channel: { $ref: `#/channels/${channel}` } };
  return {
    [`${channel}ToWatcher`]: {
      action: "send",
      ...at,
      summary: "Events, and frames of the protocol.",
      messages: of(sent),
    },
    [`${channel}FromWatcher`]: {
      action: "receive",
      ...at,
      summary: "Frames of at most 4 KiB.",
      messages: of(received.map(fromClient)),
    },
  };
}

function bindings(names: readonly string[]): Schema {
  const given = WATCHING.filter(({ name }) => names.includes(name));
  const properties = given.map(({ name, schema, description }) => [name, { ...schema, description }]);
  return { ws: { query: { type: "object", properties: Object.fromEntries(properties) } } };
}
