import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { tmpdir } from "node:os";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { runOf, until } from "../support/telltale-run.ts";
import { useRedis } from "../support/use-redis.ts";

setDefaultTimeout(90_000);

const counting = "i=0; while :; do i=$((i+1)); echo $i/100000; sleep 0.1; done";

describe.skipIf(!needs("redis-server"))("telltale run through the inbox of a Redis", () => {
  const redis = useRedis();

  const start = (id: string, words: readonly string[]) =>
    runOf(tmpdir(), { TELLTALE_URL: redis.url }, ["--analysis", id, ...words]);

  /** The events of the inbox: no gateway takes them. */
  async function waiting(): Promise<Record<string, unknown>[]> {
    const entries = await redis.client.xrange("telltale:inbox", "-", "+");
    return entries.map(([, [, event]]) => JSON.parse(event ?? ""));
  }

  test("RUN-7: a run that has ended leaves no request to the next one, although no gateway runs", async () => {
    const id = crypto.randomUUID();
    await redis.client.set(`telltale:cancel:${id}`, '{"attempt_id":null}');
    const [first, next] = [["sh", "-c", counting], ["true"]];
    expect(await start(id, ["--", ...first]).exited).toBe(143);
    expect(await redis.client.exists(`telltale:cancel:${id}`)).toBe(0);
    expect(await start(id, ["--", ...next]).exited).toBe(0);
    const ends = (await waiting()).map(({ current_stage }) => current_stage);
    expect(ends.filter((stage) => stage === "cancelled" || stage === "completed")).toEqual([
      "cancelled",
      "completed",
    ]);
    await redis.client.del("telltale:inbox");
  });

  test.each([
    ["of another run is not for it", "first", 0],
    ["of its own is", "second", 143],
    ["of no run is", null, 143],
  ])("RUN-7: a request to end %s, if the run has a name", async (_, attempt_id, code) => {
    const id = crypto.randomUUID();
    await redis.client.set(`telltale:cancel:${id}`, JSON.stringify({ attempt_id }));
    const run = start(id, ["--attempt", "second", "--", "sleep", code === 0 ? "1" : "600"]);
    expect(await run.exited).toBe(code);
    expect(await waiting()).toContainEqual(expect.objectContaining({ attempt_id: "second" }));
    await redis.client.del("telltale:inbox");
  });

  describe("with a gateway", () => {
    const gateway = redis.useGateway();

    async function read(path: string): Promise<Record<string, unknown>> {
      const headers = { Authorization: `Bearer ${await tokenFor()}` };
      const answer = await fetch(`${gateway.url}/v1/analyses/${path}`, { headers });
      return (await answer.json()) as Record<string, unknown>;
    }

    test("INB-13: tells each event once, although every second answer of Redis is lost", async () => {
      const proxy = await TcpProxy.start({ host: "127.0.0.1", port: redis.port });
      const adding = new Set<unknown>();
      let [answers, lost] = [0, 0];
      proxy.onData = (connection, direction, bytes) => {
        if (direction === "up" && /xadd/i.test(Buffer.from(bytes).toString())) adding.add(connection);
        else if (direction === "down" && adding.delete(connection) && ++answers % 2 === 1) {
          lost++;
          connection.cut();
        }
      };
      const id = crypto.randomUUID();
      const counts = "for i in 1 2 3 4 5; do echo $i/5; sleep 0.3; done";
      const environment = { TELLTALE_URL: `redis://127.0.0.1:${proxy.port}` };
      const run = runOf(tmpdir(), environment, ["--analysis", id, "--", "sh", "-c", counts]);
      expect(await run.exited).toBe(0);
      await until(async () => (await read(id)).status === "completed");
      const events = (await read(`${id}/events?limit=1000`)).events as Record<string, unknown>[];
      const told = events.map(({ event_id: _, ...event }) => JSON.stringify(event));
      expect(lost).toBeGreaterThan(1);
      expect(told).toEqual([...new Set(told)]);
      expect(await redis.client.xlen("telltale:deadletters")).toBe(0);
      await proxy.stop();
    });

    test.each([
      ["ends it by SIGTERM", "", 143],
      ["kills it after its time of grace", "trap '' TERM; ", 137],
    ])("RUN-6: hears there that somebody asked for the end of the program, and %s", async (_, trap, code) => {
      const id = crypto.randomUUID();
      const run = start(id, ["--grace", "0.5", "--", "sh", "-c", `${trap}${counting}`]);
      await until(async () => Number((await read(id)).progress) > 0);
      await redis.client.set(`telltale:cancel:${id}`, "{}");
      expect(await run.exited).toBe(Number(code));
      await until(async () => (await read(id)).status === "cancelled");
      const events = (await read(`${id}/events?limit=1000`)).events as Record<string, unknown>[];
      const counts = events.flatMap(({ current }) => (current === undefined ? [] : [current]));
      expect(counts).toEqual(counts.toSorted((one, other) => Number(one) - Number(other)));
    });
  });
});
