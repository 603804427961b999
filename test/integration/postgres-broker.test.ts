import { afterEach, describe, setDefaultTimeout } from "bun:test";
import { openBroker } from "../../examples/postgres-broker/src/broker.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { closeBroker } from "../../src/application/ports/broker-ports.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { brokerContract } from "../../src/testing/testing.ts";
import { needs } from "../support/needs.ts";
import { runningIndexRules } from "../support/running-index-rules.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(60_000);

describe.skipIf(!needs("postgres"))("PostgreSQL", () => {
  const inUse = usePostgres();
  const clock = new SystemClock();
  const closings: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closings.splice(0)) await close();
  });

  runningIndexRules(async () => {
    const schema = inUse.schema();
    const open = () => {
      const env = { POSTGRES_URL: inUse.server.url, POSTGRES_SCHEMA: schema };
      const history = { size: 1_000, ttlMs: 86_400_000 };
      const node = openBroker({
        env,
        clock,
        telemetry: new CollectingTelemetry(),
        history,
        listen: new Set(),
      });
      closings.push(() => closeBroker(node));
      return node.running;
    };
    return [open(), open()];
  });

  brokerContract(
    "PostgreSQL",
    async () => {
      const schema = inUse.schema();
      const client = inUse.client(schema);
      const env = { POSTGRES_URL: inUse.server.url, POSTGRES_SCHEMA: schema };
      let made: Promise<void> | undefined;
      const makeTables = () => {
        made = made ?? node().then(closeBroker);
        return made;
      };
      const add = async (channel: string | null, event: string) => {
        // A worker may come before any node.
        await makeTables();
        const [added] =
          await client`select add_to_outbox(${channel}, ${event}, ${channel ?? ""})::text as id`;
        return String(added?.id);
      };
      const node = async ({ size = 1_000, ttlMs = 86_400_000 } = {}) => {
        const [telemetry, listen] = [new CollectingTelemetry(), new Set<never>()];
        const opened = openBroker({ env, clock, telemetry, history: { size, ttlMs }, listen });
        await eventually("the node is up", async () => opened.events.health().status === "up");
        return opened;
      };
      return {
        node,
        add: ([field]) => add(null, field?.[1] ?? ""),
        addTo: add,
        elapse: (milliseconds) => Bun.sleep(milliseconds),
        loseEverything: async () => {
          await client`truncate channels, events, requests, viewers`;
        },
        writeNewerFormat: async (channel) => {
          await client`update channels set format = 99 where channel = ${channel}`;
        },
        close: async () => {},
      };
    },
    {
      // The server of the tests does not sync its disk.
      capabilities: ["dead_letters", "inbox", "durability:memory", "replicas:0"],
      newerFormat: true,
      inbox: {
        fields: false,
        channels: true,
        entryIds: ["1", "2", "9", "10", "100", "9007199254740993", "9007199254740994"],
      },
    },
  );
});
