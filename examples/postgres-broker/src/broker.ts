import { OutageLog } from "telltale/adapter";
import type { BrokerContext, BrokerPorts } from "telltale/ports";
import { Database } from "./database.ts";
import { PostgresDeadLetters } from "./dead-letters.ts";
import { PostgresInbox } from "./inbox.ts";
import { Listener } from "./listener.ts";
import { PostgresPubSub } from "./pub-sub.ts";
import { PostgresRunningIndex } from "./running-index.ts";
import { readSettings } from "./settings.ts";

/**
 * Telltale on PostgreSQL 13 or newer, for `BROKER=module:…`. It has the outbox as its inbox, and no worker channels.
 * Throws if a setting is wrong. It connects in the background.
 */
export function openBroker({
  env,
  clock,
  telemetry,
  history,
}: BrokerContext): Required<Omit<BrokerPorts, "workerChannels" | "selfCheck">> {
  const settings = readSettings(env);
  // Three pools: a page of history or a batch of the outbox never holds up a publisher.
  const pool = (purpose: string, connections: number) =>
    new Database({ settings, purpose, connections, clock, telemetry });
  const reading = pool("reading", 4);
  const publishing = pool("publishing", 8);
  const outages = new OutageLog(clock, telemetry);
  const listener = new Listener({ settings, reading, clock, telemetry, outages });
  return {
    events: new PostgresPubSub({
      publishing,
      reading,
      listener,
      history,
      clock,
      telemetry,
      outages,
    }),
    deadLetters: new PostgresDeadLetters({ database: pool("dead-letters", 1), clock }),
    running: new PostgresRunningIndex(publishing),
    inbox: new PostgresInbox({ database: pool("outbox", 2), listener, clock }),
  };
}
