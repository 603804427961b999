import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Sql } from "postgres";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import { type GatewayProcess, startGateway, TEST_SECRET, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { SnippetRunner } from "../support/running-snippets.ts";
import { usePostgres } from "../support/use-postgres.ts";
import { WatchingSocket } from "../support/watching-socket.ts";

setDefaultTimeout(30_000);

const root = new URL("../..", import.meta.url).pathname;

describe.skipIf(!needs("postgres"))("a gateway whose broker is a module, on PostgreSQL", () => {
  const inUse = usePostgres();
  let gateways: GatewayProcess[] = [];
  let env: Record<string, string>;

  beforeAll(async () => {
    env = { BROKER: "module:./examples/postgres-broker/src/broker.ts", POSTGRES_URL: inUse.server.url };
    gateways = [await startGateway(env), await startGateway(env)];
  }, 30_000);
  afterAll(() => Promise.all(gateways.map((gateway) => gateway.kill9())));

  async function watch(gateway: GatewayProcess, id: string, lastEventId?: string): Promise<WatchingSocket> {
    const token = await tokenFor({ analyses: [id] });
    const after = lastEventId === undefined ? "" : `&last_event_id=${lastEventId}`;
    const url = `${gateway.url.replace("http", "ws")}/ws/analysis/${id}?token=${token}${after}`;
    const socket = new WatchingSocket(url);
    await socket.opened;
    return socket;
  }

  async function eventsOf(id: string): Promise<Record<string, unknown>[]> {
    const answer = await fetch(`${gateways[1]?.url}/v1/analyses/${id}/events`, {
      headers: { Authorization: `Bearer ${await tokenFor({ analyses: [id] })}` },
    });
    return ((await answer.json()) as { events: Record<string, unknown>[] }).events;
  }

  const messagesOf = async (id: string) => (await eventsOf(id)).map(({ message }) => message);

  const ran = (command: string[], more: Record<string, string> = {}) => {
    const child = Bun.spawnSync([process.execPath, "run", "src/main.ts", ...command], {
      cwd: root,
      env: { PATH: process.env.PATH ?? "", JWT_SECRET_KEY: TEST_SECRET, ...env, ...more },
    });
    return { code: child.exitCode, said: child.stdout.toString() + child.stderr.toString() };
  };

  test("passes on what another gateway took, and resumes from the last event", async () => {
    const [one, two] = gateways as [GatewayProcess, GatewayProcess];
    const id = crypto.randomUUID();
    const first = await watch(two, id);
    await first.established();
    expect((await publish(one, id, statusUpdate({ message: "1" }))).status).toBe(202);
    await first.until(({ message }) => message === "1");
    await first.leave();
    await publish(one, id, statusUpdate({ message: "2" }));
    await publish(one, id, resultUpdate());
    const again = await watch(two, id, first.events[0]?.event_id);
    await again.until(({ event_type }) => event_type === "result_update");
    expect(again.events.map(({ message, event_type }) => message ?? event_type)).toEqual([
      "2",
      "result_update",
    ]);
    await again.leave();
  });

  test("CAN-11: a worker with PostgreSQL alone asks whether it was cancelled, and shows that it lives", async () => {
    const [one, two] = gateways as [GatewayProcess, GatewayProcess];
    const sql = inUse.client("telltale");
    const id = crypto.randomUUID();
    const beat = async () =>
      (await sql<{ told: boolean }[]>`select telltale_heartbeat(${id}) as told`)[0]?.told;
    expect(await beat()).toBe(false);
    await publish(one, id, statusUpdate());
    const heard = async () =>
      (
        await sql<{ heard_at: number }[]>`select heard_at from channels where channel = ${`analysis:${id}`}`
      )[0]?.heard_at;
    const before = await heard();
    await eventually("it is a sign of life", async () => {
      expect(await beat()).toBe(false);
      return (await heard()) !== before;
    });
    for (const attempt_id of ["first", 'the "second"']) await publish(one, id, statusUpdate({ attempt_id }));
    const stored = await heard();
    await sql`select telltale_heartbeat(${id}, 'first')`;
    expect(await heard()).toBe(stored);
    await eventually("that of the current attempt is one", async () => {
      await sql`select telltale_heartbeat(${id}, 'the "second"')`;
      return (await heard()) !== stored;
    });
    const token = await tokenFor({ analyses: [id], scopes: ["analysis:cancel"] });
    const headers = { Authorization: `Bearer ${token}` };
    const asked = await fetch(`${two.url}/v1/analyses/${id}/cancel`, { method: "POST", headers });
    expect([asked.status, await beat()]).toEqual([202, true]);
    await publish(one, id, statusUpdate({ current_stage: "cancelled" }));
    expect(await beat()).toBe(false);
  });

  test("says which broker it has, without a word about settings of the module", async () => {
    const [one] = gateways as [GatewayProcess];
    const health = (await (await fetch(`${one.url}/ws/health`)).json()) as Record<string, unknown>;
    expect(health).toMatchObject({ status: "ok", broker: { kind: "postgres", status: "up" } });
    expect(one.output()).not.toContain("POSTGRES");
  });

  test("stores what an application published in a transaction that it committed, and nothing of one rolled back", async () => {
    const sql = inUse.client("telltale");
    const id = crypto.randomUUID();
    const tell = (on: Pick<Sql, "unsafe">, message: string) =>
      on.unsafe("select telltale_publish($1::text, $2::text::json)", [
        `analysis:${id}`,
        JSON.stringify(statusUpdate({ message })),
      ]);
    await sql`create table if not exists orders (id text)`;
    await sql.begin(async (transaction) => {
      await transaction`insert into orders values (${id})`;
      await tell(transaction, "committed");
    });
    await sql
      .begin(async (transaction) => {
        await tell(transaction, "rolled back");
        throw new Error("the order was refused");
      })
      .catch(() => {});
    await sql`select telltale_publish(${id}::uuid, ${JSON.stringify(statusUpdate({ message: "by id" }))}::text::json)`;
    const named = JSON.stringify({ analysis_id: id, ...statusUpdate({ message: "named in the event" }) });
    await sql`select telltale_publish(${named}::text::json)`;
    await eventually("all that was committed is stored", async () => (await messagesOf(id)).length === 3);
    expect(await messagesOf(id)).toEqual(["committed", "by id", "named in the event"]);
    await eventually("the outbox is empty", async () => (await sql`select 1 from outbox`).length === 0);
  });

  test("stores what the README's transaction publishes", async () => {
    const sql = inUse.client("public");
    await sql`create table videos (id integer, state text)`;
    await sql`insert into videos values (7, 'waiting')`;
    const reserved = await sql.reserve();
    await reserved.unsafe(
      snippetOf("examples/postgres-broker/README.md", "Publish in your own transaction", "sql"),
    );
    reserved.release();
    const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const stored = () => eventsOf(id);
    await eventually("it is stored", async () => (await stored()).length === 1);
    expect((await stored())[0]).toMatchObject({ task_id: "video-7", current_stage: "model_inference" });
    expect((await sql`select state from videos`)[0]?.state).toBe("analysed");
  });

  test("starts as its README says", async () => {
    const [install, module, start = ""] = snippetOf(
      "examples/postgres-broker/README.md",
      "Run it",
      "sh",
    ).split("\n");
    expect([install, start.split(" ").slice(1)]).toEqual(["npm ci", ["npm", "start"]]);
    const here = start.replace(/postgres:\S+/, inUse.server.url);
    const runner = new SnippetRunner(() => "");
    const child = await runner.shell(`${module}\nexport PORT=0\n${here}`, { JWT_SECRET_KEY: TEST_SECRET });
    try {
      await eventually("it says where it answers", async () => child.said().includes("Telltale answers at"));
    } finally {
      child.kill();
      runner.remove();
    }
  });

  test("stores both of two overlapping transactions on one channel, in the order of their commits", async () => {
    const sql = inUse.client("telltale");
    const id = crypto.randomUUID();
    const event = (message: string) => JSON.stringify(statusUpdate({ message }));
    const first = await sql.reserve();
    await first`begin`;
    await first`select telltale_publish(${`analysis:${id}`}::text, ${event("first")}::text::json)`;
    // The second asks for its id while the first is under way. It must not appear before the first.
    let committed = false;
    const second = sql.begin(
      (other) =>
        other`select telltale_publish(${`analysis:${id.toUpperCase()}`}::text, ${event("second")}::text::json)`,
    );
    void second.then(() => {
      committed = true;
    });
    await eventually("the second waits for the first", async () => {
      const waiting = await sql`select 1 from pg_locks where locktype = 'advisory' and not granted`;
      return waiting.length > 0 || committed;
    });
    // Another channel goes its own way meanwhile.
    const other = crypto.randomUUID();
    await sql`select telltale_publish(${other}::uuid, ${event("elsewhere")}::text::json)`;
    await eventually("the other channel has its event", async () => (await messagesOf(other)).length === 1);
    await first`commit`;
    first.release();
    await second;
    await eventually("both are stored", async () => (await messagesOf(id)).length === 2);
    expect(await messagesOf(id)).toEqual(["first", "second"]);
  });

  test("keeps what cannot be stored as a dead letter, which the command shows, republishes and drops", async () => {
    const sql = inUse.client("telltale");
    const id = crypto.randomUUID();
    await sql`select telltale_publish(${id}::uuid, '{"event_type":"nonsense"}')`;
    const list = () => ran(["deadletters", "list", "--channel", `analysis:${id}`, "--json"]).said;
    await eventually("it is kept", async () => list().includes("nonsense"));
    const { id: letter } = JSON.parse(list());
    expect(ran(["deadletters", "republish", letter])).toMatchObject({ code: 1 });
    expect(ran(["deadletters", "drop", letter])).toMatchObject({ code: 0 });
    expect(list()).toBe("");
  });

  test("telltale check tries the module, and says what it gives", () => {
    const { code, said } = ran(["check"]);
    expect([code, said]).toEqual([0, expect.stringContaining("postgres")]);
    expect(said).toContain("an event would be stored");
  });

  test.each([
    [{ POSTGRES_URL: "" }, /openBroker failed: POSTGRES_URL must be/],
    [{ BROKER: "module:./examples/postgres-broker/none.ts" }, /there is no such module/],
  ])("does not start with %j, and says why with exit code 78", (wrong, why) => {
    const { code, said } = ran([], wrong);
    expect([code, said]).toEqual([78, expect.stringMatching(why)]);
  });
});
