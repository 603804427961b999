import { describe, expect, test } from "bun:test";
import { appBench } from "./app-bench.ts";

describe("the inbox, as operators see it", () => {
  const bench = () => {
    const all = appBench();
    const json = async (path: string) => {
      const answer = await all.ask(path, { token: null });
      return { code: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const look = async (after: number) => {
      all.clock.advance(after);
      await all.inbox.execute();
    };
    return { ...all, json, look };
  };

  test("INB-5: /ws/health shows how many entries wait and how long the oldest has", async () => {
    const { inboxOfWorkers, json, look } = bench();
    const inbox = async () => (await json("/ws/health")).body.inbox;
    expect(await inbox()).toEqual({ status: "unknown", entries: null, oldest_age_seconds: null });
    await look(0);
    expect(await inbox()).toEqual({ status: "up", entries: 0, oldest_age_seconds: null });
    inboxOfWorkers.add(["event", "{}"]);
    await look(2_500);
    expect(await inbox()).toEqual({ status: "up", entries: 1, oldest_age_seconds: 2.5 });
    inboxOfWorkers.backlog = () => Promise.reject(new Error("10.0.0.1: no stream"));
    await look(2_000);
    expect(await inbox()).toEqual({
      status: "down",
      cause: "fault",
      reason: "the inbox cannot be read",
      entries: null,
      oldest_age_seconds: null,
    });
    expect((await json("/ready")).code).toBe(200);
  });

  test("INB-12: /ws/health says why workers can add nothing, and the gateway stays ready", async () => {
    const { inboxOfWorkers, json, look } = bench();
    const oldest = { id: "5-1", ageMs: 1_000 };
    inboxOfWorkers.backlog = async () => ({ entries: 2, oldest, refuses: { cause: "ids_used_up" } });
    await look(0);
    expect((await json("/ws/health")).body).toMatchObject({
      status: "degraded",
      inbox: {
        status: "up",
        entries: 2,
        oldest_age_seconds: 1,
        reason: expect.stringContaining("largest id"),
      },
    });
    expect((await json("/ready")).code).toBe(200);
    inboxOfWorkers.backlog = async () => ({ entries: 0, oldest: undefined });
    await look(2_000);
    expect((await json("/ws/health")).body).toMatchObject({ status: "ok" });
  });

  test("INB-5: /ready ends when the oldest entry has not moved for 30 s, whatever the backlog", async () => {
    const { inboxOfWorkers, json, look } = bench();
    const ids = Array.from({ length: 100 }, () => inboxOfWorkers.add(["event", "{}"]));
    for (const id of ids.slice(0, 50)) {
      await look(2_000);
      expect((await json("/ready")).code).toBe(200);
      await inboxOfWorkers.remove([id]);
    }
    await look(2_000);
    await look(30_000);
    expect(await json("/ready")).toEqual({
      code: 503,
      body: { ready: false, reason: expect.stringContaining("inbox") },
    });
    expect((await json("/ws/health")).body).toMatchObject({ status: "degraded", inbox: { status: "stuck" } });
    expect((await json("/health")).code).toBe(200);
    await inboxOfWorkers.remove(ids.slice(50, 51));
    await look(2_000);
    expect((await json("/ready")).code).toBe(200);
  });
});
