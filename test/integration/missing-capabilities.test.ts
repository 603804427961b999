import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { publish, statusUpdate } from "../support/publishing.ts";

describe("a gateway whose broker has neither worker channels nor an inbox", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway({ LOG_LEVEL: "info" }, "test/support/events-alone.ts");
  });
  afterAll(() => gateway.stop());

  test("OPS-13: starts, is ready, and says in its log which capabilities are missing", async () => {
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
    const lines = gateway.output().split("\n");
    const missing = lines.filter((line) => line.includes("the broker lacks a capability"));
    expect(missing.map((line) => JSON.parse(line))).toMatchObject([
      { broker: "memory", capability: "worker_channels" },
      { broker: "memory", capability: "inbox" },
    ]);
  });

  test("OPS-13: shows the same members in /ws/health, with an inbox that is unsupported", async () => {
    const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as Record<string, unknown>;
    expect(Object.keys(health)).toEqual([
      "status",
      "broker",
      "inbox",
      "websocket_stats",
      "counters",
      "timestamp",
    ]);
    expect(health).toMatchObject({
      status: "ok",
      broker: {
        kind: "memory",
        status: "up",
        capabilities: ["dead_letters", "durability:process", "replicas:0"],
      },
      inbox: { status: "unsupported", entries: null, oldest_age_seconds: null },
    });
  });

  test("OPS-13: stores what is published over HTTP, and drains", async () => {
    const answer = await publish(gateway, crypto.randomUUID(), statusUpdate());
    expect(answer.status).toBe(202);
    expect(await gateway.stop()).toBe(0);
  });
});
