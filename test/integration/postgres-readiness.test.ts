import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { snippetOf } from "../support/documents.ts";
import { needs } from "../support/needs.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(60_000);

describe.skipIf(!needs("postgres"))("PostgreSQL that stores nothing, while nobody publishes", () => {
  const inUse = usePostgres();

  function open(user = "postgres") {
    return inUse.broker({ POSTGRES_URL: inUse.server.url.replace("postgres@", `${user}@`) });
  }

  const stores = (events: PubSubPort) =>
    eventually("an event would be stored", async () => {
      const health = events.health();
      return health.status === "up" && health.refuses === undefined;
    });

  const refuses = (events: PubSubPort, cause: string) =>
    eventually(`it refuses for ${cause}`, async () => {
      const health = events.health();
      return health.status === "up" && health.refuses?.cause === cause;
    });

  test("RDY-1 a server that was made read-only shows, and so does its end", async () => {
    const { events } = open();
    await stores(events);
    const admin = inUse.client("public");
    await admin`alter system set default_transaction_read_only = on`;
    await admin`select pg_reload_conf()`;
    await refuses(events, "read_only");
    // It can still be read.
    expect((await events.history(someAnalysis(), undefined, 10)).events).toEqual([]);
    const writing = await admin.reserve();
    await writing.unsafe("set default_transaction_read_only = off");
    await writing.unsafe("alter system reset default_transaction_read_only");
    await writing.unsafe("select pg_reload_conf()");
    writing.release();
    await stores(events);
  });

  test("RDY-1 RDY-2 a gateway with the permissions of its README has enough, and one that is missing shows", async () => {
    const owner = open();
    await stores(owner.events);
    const admin = inUse.client("public");
    await admin.unsafe(snippetOf("examples/postgres-broker/README.md", "Permissions", "sql"));
    await admin.unsafe(
      snippetOf("examples/postgres-broker/README.md", "Permissions of an application", "sql"),
    );

    const { events, deadLetters, inbox } = open("telltale_gateway");
    await stores(events);
    const channel = someAnalysis();
    const outcome = await events.append({ channel, events: [status()] });
    expect(outcome).toMatchObject({ type: "stored", firstOffset: 1 });
    await events.declareViewers(channel, new Set(["alice"]));
    await deadLetters.keep({
      channel,
      payload: "x",
      reason: "not_json",
      windowMs: 1,
      rememberMs: 1,
    } as never);
    for await (const { id } of deadLetters.read("oldest")) expect(await deadLetters.remove(id)).toBe(true);

    const application = inUse.clientOf("application");
    await application`select telltale.telltale_publish(${channel}::text, '{"event_type":"x"}'::json)`;
    await eventually("the entry is taken", async () => {
      const taken = await inbox.take();
      if (taken.type !== "batch" || taken.entries.length === 0) return false;
      await inbox.remove(taken.entries.map(({ id }) => id));
      return true;
    });
    await inbox.release();
    for (const forbidden of ["select * from telltale.outbox", "delete from telltale.events"])
      expect(application.unsafe(forbidden).then(() => undefined)).rejects.toThrow(/permission denied/);

    await admin`revoke insert on telltale.events from telltale_gateway`;
    await refuses(events, "permission");
    expect(events.health()).toMatchObject({ refuses: { reason: expect.stringContaining("permission") } });
    await admin`grant insert on telltale.events to telltale_gateway`;
    await stores(events);
  });

  test("RDY-1 a standby that is waited for and does not answer shows, and so does its end", async () => {
    const { events } = open();
    await stores(events);
    const admin = inUse.client("public");
    await admin`alter system set synchronous_standby_names = 'nobody'`;
    await admin`select pg_reload_conf()`;
    // Its probes wait for the standby as well.
    await eventually("it is down", async () => events.health().status === "down");
    await admin`alter system reset synchronous_standby_names`;
    await admin`select pg_reload_conf()`;
    await stores(events);
  });
});
