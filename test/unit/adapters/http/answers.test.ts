import { describe, expect, test } from "bun:test";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

describe("every error", () => {
  test("PUB-11: is a problem with type, title, status and a stable code", async () => {
    const { publish, ask } = appBench();
    for (const answer of [
      await publish("{"),
      await publish(statusUpdate({ progress: 2 })),
      await publish(statusUpdate(), { token: null }),
      await publish(statusUpdate(), { token: "watcher" }),
      await publish("x".repeat(1024 * 1024 + 1)),
      await ask("/nowhere"),
    ]) {
      const problem = await problemOf(answer);
      expect(problem).toMatchObject({ type: "about:blank", title: expect.any(String) });
      expect(problem.code).toMatch(/^[a-z_]+$/);
    }
  });

  test("PUB-11: never repeats the body or the token", async () => {
    const { publish, notify, declare, ask, tokens } = appBench();
    const s = "S3CRET";
    tokens.know("good-S3CRET");
    const answers = [
      await publish(`{"${s}":`),
      await publish(`"${s}"`),
      await publish(
        statusUpdate({ progress: s, current_stage: s, timestamp: s, message: [s], error: { [s]: s } }),
      ),
      await publish(statusUpdate({ event_type: s, attempt_id: { [s]: 1 } })),
      await publish(statusUpdate({ analysis_id: s })),
      await notify({ user_id: [s], message: s }),
      await notify({ level: s, message: { [s]: s }, data: s }),
      await declare({ viewers: s }),
      await declare({ viewers: [{ [s]: s }] }),
      await publish(statusUpdate(), { token: s }),
      await publish(statusUpdate(), { token: `good-${s}` }),
      await ask(`/v1/analyses/${s}`),
    ];
    for (const answer of answers) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(await answer.text()).not.toContain(s);
    }
  });

  test("OPS-7: a fault nobody expected is 500, logged, and says nothing of itself", async () => {
    const { publish, pubSub, telemetry } = appBench();
    pubSub.fault = () => new Error("S3CRET");
    const { status, code, detail } = await problemOf(await publish(statusUpdate()));
    expect([status, code, detail]).toEqual([500, "internal", undefined]);
    expect(telemetry.logs).toContainEqual(
      expect.objectContaining({ level: "error", fields: expect.objectContaining({ message: "S3CRET" }) }),
    );
  });

  test("OPS-7: an unknown path is 404", async () => {
    const { ask } = appBench();
    for (const path of ["/", "/v1", "/v1/analyses", "/wp-admin", "/v1/analyses/x/y/z"])
      expect([path, ...(await codeOf(await ask(path)))]).toEqual([path, 404, "not_found"]);
    expect(await codeOf(await ask("/v1/notices"))).toEqual([404, "not_found"]);
  });

  test("OPS-7: the address of a WebSocket says so to whoever asks without an upgrade", async () => {
    const { ask, analysisId } = appBench();
    for (const path of ["/ws", "/ws/", `/ws/analysis/${analysisId}`])
      expect([path, ...(await codeOf(await ask(path)))]).toEqual([path, 426, "upgrade_required"]);
  });
});

describe("the answers for operators", () => {
  test("OPS-5: /health is alive whatever the broker does, /ready says why it is not", async () => {
    const { ask, pubSub, drain } = appBench();
    const get = async (path: string) => {
      const answer = await ask(path, { token: null });
      return [answer.status, await answer.json()];
    };
    expect(await get("/health")).toEqual([200, { status: "alive" }]);
    expect(await get("/ready")).toEqual([200, { ready: true }]);
    pubSub.health = () => ({
      status: "down",
      cause: "unreachable",
      reason: "cannot be reached",
      warnings: [],
    });
    expect(await get("/health")).toEqual([200, { status: "alive" }]);
    expect(await get("/ready")).toEqual([503, { ready: false, reason: "cannot be reached" }]);
    drain();
    expect(await get("/ready")).toEqual([503, { ready: false, reason: "draining" }]);
    expect(pubSub.made).toEqual([]);
  });

  test("OPS-6: /ws/health warns of a broker that takes smaller bodies than 1 MiB, beside its own warnings", async () => {
    const { ask, pubSub } = appBench({}, undefined, { mostBytes: 960_000 });
    pubSub.health = () => ({ status: "up", warnings: ["maxmemory-policy"] });
    const { broker } = await (await ask("/ws/health", { token: null })).json();
    expect(broker.warnings).toEqual(["maxmemory-policy", expect.stringContaining("at most 960000 bytes")]);
  });

  test("OPS-6: /ws/health says how the broker is and how many watch what", async () => {
    const { ask, registry, clock, analysisId, pubSub } = appBench();
    registry.add({ id: "1", userId: "alice", connectedAt: 0, analysisId });
    registry.add({ id: "2", userId: "bob", connectedAt: 0, analysisId });
    expect(await (await ask("/ws/health", { token: null })).json()).toMatchObject({
      status: "ok",
      broker: { status: "up", kind: "hand-driven", warnings: [] },
      websocket_stats: { total_connections: 2, active_analyses: 1 },
      timestamp: new Date(clock.now()).toISOString(),
    });
    pubSub.health = () => ({
      status: "down",
      cause: "away",
      reason: "away",
      warnings: ["maxmemory-policy"],
    });
    const down = await ask("/ws/health", { token: null });
    expect(down.status).toBe(200);
    expect(await down.json()).toMatchObject({
      status: "degraded",
      broker: { status: "down", reason: "away", warnings: ["maxmemory-policy"] },
    });
  });

  test("OPS-7: no answer binds the domain it is served from to TLS", async () => {
    const { ask } = appBench();
    expect((await ask("/health")).headers.get("Strict-Transport-Security")).toBeNull();
  });
});
