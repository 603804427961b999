import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "../../examples/postgres-broker/src/database.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(60_000);

/** A busy server takes seconds for a connection. A gateway that gives each up at the deadline of its first append never gets one. */
describe.skipIf(!needs("postgres"))("connections to a PostgreSQL that is slow", () => {
  const inUse = usePostgres();

  function opened(schema: string, port = inUse.server.port) {
    const url = inUse.server.url.replace(`:${inUse.server.port}/`, `:${port}/`);
    const clock = new SystemClock();
    const options = { purpose: schema, connections: 2, clock, telemetry: new CollectingTelemetry() };
    const database = new Database({ ...options, settings: { url, schema } });
    inUse.afterTest(async () => database.close());
    return database;
  }

  const pidOf = async (database: Database) =>
    database.attempt(async (sql) => (await sql`select pg_backend_pid() as pid`)[0]?.pid as number, 10_000);

  test("a connection that was made too late for one piece of work serves the next", async () => {
    const schema = inUse.schema();
    await pidOf(opened(schema));
    const proxy = await TcpProxy.start(inUse.server);
    inUse.afterTest(() => proxy.stop());
    proxy.pause("down");
    const database = opened(schema, proxy.port);
    await expect(database.attempt(async () => {}, 200)).rejects.toThrow("no answer within 200 ms");
    proxy.resume("down");
    const admin = inUse.client("public");
    const pids = async () => {
      const rows = await admin<{ pid: number; port: number }[]>`
        select pid from pg_stat_activity where application_name = ${`telltale ${schema}`} order by backend_start desc`;
      return rows.map(({ pid }) => pid);
    };
    const [made] = await pids();
    expect(await pidOf(database)).toBe(made as number);
    expect(proxy.connections).toHaveLength(1);
  });

  test("a connection that is not made in time is given up", async () => {
    const schema = inUse.schema();
    await pidOf(opened(schema));
    const proxy = await TcpProxy.start(inUse.server);
    inUse.afterTest(() => proxy.stop());
    proxy.pause("down");
    const database = opened(schema, proxy.port);
    await expect(database.attempt(async () => {}, 10_000)).rejects.toThrow();
    proxy.resume();
    await eventually("nothing is left of it", async () => proxy.connections.length === 0);
    expect(await pidOf(database)).toBeGreaterThan(0);
  });

  test("a connection is made while another gateway holds the lock of the schema", async () => {
    const schema = inUse.schema();
    await pidOf(opened(schema));
    const other = await inUse.client("public").reserve();
    await other`select pg_advisory_lock(hashtextextended(${`telltale schema ${schema}`}, 0))`;
    expect(await pidOf(opened(schema))).toBeGreaterThan(0);
    other.release();
  });

  test("a schema that was dropped is made anew on the next connection", async () => {
    const schema = inUse.schema();
    await pidOf(opened(schema));
    await inUse.client("public").unsafe(`drop schema ${schema} cascade`);
    const database = opened(schema);
    expect(await database.attempt((sql) => sql`select number from format`, 10_000)).toHaveLength(1);
  });
});
