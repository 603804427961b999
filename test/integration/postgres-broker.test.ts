import { describe, setDefaultTimeout } from "bun:test";
import { Database } from "../../examples/postgres-broker/src/database.ts";
import { PostgresDeadLetters } from "../../examples/postgres-broker/src/dead-letters.ts";
import { PostgresInbox } from "../../examples/postgres-broker/src/inbox.ts";
import { Listener } from "../../examples/postgres-broker/src/listener.ts";
import { PostgresPubSub } from "../../examples/postgres-broker/src/pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { brokerContract } from "../../src/testing/testing.ts";
import { needs } from "../support/needs.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(20_000);

describe.skipIf(!needs("postgres"))("PostgreSQL", () => {
  const inUse = usePostgres();
  const elapse = (milliseconds: number) => Bun.sleep(milliseconds);
  const clock = new SystemClock();

  function bench() {
    const settings = { url: inUse.server.url, schema: inUse.schema() };
    const telemetry = new CollectingTelemetry();
    const database = (purpose: string, connections = 2) =>
      new Database({ settings, purpose, connections, clock, telemetry });
    const listener = () => {
      const reading = database("reading", 4);
      return { reading, listener: new Listener({ settings, reading, clock, telemetry }) };
    };
    return { settings, telemetry, database, listener, client: inUse.client(settings.schema) };
  }

  brokerContract("PostgreSQL", {
    events: async () => {
      const { telemetry, database, listener, client } = bench();
      return {
        node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) => {
          const node = new PostgresPubSub({
            ...listener(),
            ...{ publishing: database("publishing", 4), history: { size, ttlMs }, clock, telemetry },
          });
          await eventually("the node is up", async () => node.health().status === "up");
          return node;
        },
        loseEverything: async () => {
          await client`truncate channels, events, requests, viewers`;
        },
        writeNewerFormat: async (channel) => {
          await client`update channels set format = 99 where channel = ${channel}`;
        },
        elapse,
        close: async () => {},
      };
    },
    capabilities: {
      newerFormat: true,
      occurrences: false,
      entryIds: ["1", "2", "9", "10", "100", "9007199254740993", "9007199254740994"],
    },
    deadLetters: async () => {
      const { database } = bench();
      return {
        node: () => new PostgresDeadLetters({ database: database("dead-letters", 1), clock }),
        elapse,
        close: async () => {},
      };
    },
    inboxCapabilities: { fields: false, channels: true },
    inbox: async () => {
      const { database, listener, client } = bench();
      const opened: Listener[] = [];
      await database("schema", 1).read(async () => {});
      const add = async (channel: string | null, event: string) => {
        const [added] =
          await client`select add_to_outbox(${channel}, ${event}, ${channel ?? ""})::text as id`;
        return String(added?.id);
      };
      return {
        node: (node) => {
          const listening = listener().listener;
          opened.push(listening);
          return new PostgresInbox({
            ...{ database: database("outbox"), listener: listening, clock },
            ...(node !== undefined && { node }),
          });
        },
        add: ([field]) => add(null, field?.[1] ?? ""),
        addTo: add,
        elapse,
        close: async () => {
          for (const one of opened) one.close();
        },
      };
    },
  });
});
