import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openBroker } from "../../examples/postgres-broker/src/broker.ts";
import { Database } from "../../examples/postgres-broker/src/database.ts";
import { giveUp } from "../../examples/postgres-broker/src/lost-answers.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import { closeBroker } from "../../src/application/ports/broker-ports.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(60_000);

const NEVER = "nothing may happen meanwhile";

describe.skipIf(!needs("postgres"))("two transactions at the same time on PostgreSQL", () => {
  const inUse = usePostgres();
  const clock = new SystemClock();
  const telemetry = new CollectingTelemetry();
  let schema = "";
  beforeEach(() => {
    schema = inUse.schema();
  });

  test("IB-8 PS-28 entries of one channel come from the outbox in the order of their ids, and each is stored", async () => {
    const broker = openBroker({
      env: { POSTGRES_URL: inUse.server.url, POSTGRES_SCHEMA: schema },
      ...{ clock, telemetry, history: { size: 1_000, ttlMs: 3_600_000 }, listen: new Set() },
    });
    inUse.afterTest(() => closeBroker(broker));
    const { events, inbox } = broker;
    const channel = someAnalysis();
    await events.snapshot(channel);
    const sql = inUse.client(schema);
    const stored: string[] = [];
    /** As a gateway does: it takes, stores each entry by its id, and removes it. */
    const empty = async () => {
      const taken = await inbox.take();
      if (taken.type !== "batch") throw new Error(NEVER);
      for (const { id } of taken.entries) {
        const deduplicate = { by: "entry", id } as const;
        stored.push((await events.append({ channel, events: [status()], deduplicate })).type);
      }
      await inbox.remove(taken.entries.map(({ id }) => id));
    };

    const first = await sql.reserve();
    await first`begin`;
    await first`select telltale_publish(${channel}::text, '{}'::json)`;
    let isCommitted = false;
    const second = sql
      .begin(
        (other) =>
          other`select telltale_publish(${channel.toUpperCase().replace("ANALYSIS", "analysis")}::text, '{}'::json)`,
      )
      .then(() => {
        isCommitted = true;
      });
    await eventually("the second waits for the first, or is through", async () => {
      const waiting = await sql`select 1 from pg_locks where locktype = 'advisory' and not granted`;
      return waiting.length > 0 || isCommitted;
    });
    await empty();
    await first`commit`;
    first.release();
    await second;
    await empty();
    expect(stored).toEqual(["stored", "stored"]);
    expect((await inbox.backlog()).entries).toBe(0);
  });

  describe("giveUp()", () => {
    const outcomes = [{ type: "stored", epoch: "e", firstOffset: 1, count: 1 }] as const;
    const lost = new Error("the connection was closed");
    const soon = () => performance.now() + 800;

    async function calls() {
      const settings = { url: inUse.server.url, schema };
      const database = new Database({ settings, purpose: "test", connections: 2, clock, telemetry });
      inUse.afterTest(async () => database.close());
      await database.read(async () => {});
      return { database, sql: inUse.client(schema), id: crypto.randomUUID() };
    }

    const failureOf = (given: Promise<unknown>) =>
      given.then(
        () => undefined,
        (error: unknown) => error,
      );

    test("PS-30 a call that was given up can be stored no more", async () => {
      const { database, sql, id } = await calls();
      expect(await failureOf(giveUp(database, id, lost, soon()))).toBeInstanceOf(BrokerUnavailable);
      const late = sql`insert into calls (id, outcomes, at) values (${id}, '[]', 0)`;
      expect(await failureOf(late)).toMatchObject({ code: "23505" });
      // Asked again it is given up still.
      expect(await failureOf(giveUp(database, id, lost, soon()))).toBeInstanceOf(BrokerUnavailable);
    });

    test("PS-31 a call that was stored is answered with its outcomes", async () => {
      const { database, sql, id } = await calls();
      await sql`insert into calls (id, outcomes, at) values (${id}, ${JSON.stringify(outcomes)}, 0)`;
      expect(await giveUp(database, id, lost, soon())).toEqual([...outcomes]);
    });

    test("PS-30 while the commit is under way nobody knows, and then it was stored", async () => {
      const { database, sql, id } = await calls();
      const committing = await sql.reserve();
      await committing`begin`;
      await committing`insert into calls (id, outcomes, at) values (${id}, ${JSON.stringify(outcomes)}, 0)`;
      expect(await failureOf(giveUp(database, id, lost, soon()))).toBeInstanceOf(OutcomeUnknown);
      await committing`commit`;
      committing.release();
      expect(await giveUp(database, id, lost, soon())).toEqual([...outcomes]);
    });
  });
});
