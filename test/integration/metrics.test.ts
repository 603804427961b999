import { afterEach, describe, expect, test } from "bun:test";
import { METRICS } from "../../src/application/ports/metric-catalogue.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { startNats } from "../support/nats-server.ts";
import { needs, programPath } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** The metrics of a gateway as a process. */
describe("the metrics of a gateway", () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const start = async (env: Record<string, string> = {}) => {
    const gateway = await startGateway(env);
    stops.push(() => gateway.stop());
    return gateway;
  };
  const scrape = async (url: string) => (await fetch(`${url}/metrics`)).text();
  const sampleOf = (text: string, series: string) => {
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };

  test("MET-1 and MET-3: count connections, deliveries, closes and refusals once", async () => {
    const gateway = await start();
    const { url } = gateway;
    const analysisId = crypto.randomUUID();
    const token = await tokenFor();
    const socket = new WatchingSocket(watchUrl(url, analysisId, { token }));
    await socket.established();
    const stream = await fetch(`${url}/v1/analyses/${analysisId}/events`, {
      headers: { Authorization: `Bearer ${token}`, Accept: "text/event-stream" },
    });
    await publish(gateway, analysisId, statusUpdate());
    await socket.untilType("status_update");
    await eventually("both are delivered", async () => {
      const text = await scrape(url);
      return sampleOf(text, "telltale_delivery_seconds_count") === 2;
    });
    const watched = await scrape(url);
    expect(sampleOf(watched, 'telltale_connections{transport="websocket"}')).toBe(1);
    expect(sampleOf(watched, 'telltale_connections{transport="sse"}')).toBe(1);
    expect(sampleOf(watched, 'telltale_events_delivered_total{transport="websocket"}')).toBe(1);
    expect(sampleOf(watched, 'telltale_events_delivered_total{transport="sse"}')).toBe(1);
    expect(sampleOf(watched, 'telltale_publish_total{lane="http",outcome="stored"}')).toBe(1);
    expect(sampleOf(watched, "telltale_watched_analyses")).toBe(1);
    expect(sampleOf(watched, "telltale_ready")).toBe(1);
    expect(watched).not.toContain(analysisId);

    await socket.leave();
    await stream.body?.cancel();
    const refused = new WatchingSocket(watchUrl(url, analysisId, { token: "nonsense" }));
    expect((await refused.closed).code).toBe(4001);
    expect((await fetch(`${url}/v1/analyses/${analysisId}`)).status).toBe(401);
    await eventually("everybody has left", async () => {
      const text = await scrape(url);
      return (
        sampleOf(text, 'telltale_connections{transport="websocket"}') === 0 &&
        sampleOf(text, 'telltale_connections{transport="sse"}') === 0 &&
        sampleOf(text, 'telltale_connections_closed_total{code="none"}') === 2 &&
        sampleOf(text, 'telltale_connections_closed_total{code="4001"}') === 1 &&
        sampleOf(text, 'telltale_refused_total{reason="unauthenticated"}') === 2
      );
    });
  });

  test("MET-1: are served at an address of their own, or nowhere, as METRICS says", async () => {
    const port = await freePort();
    const apart = await start({ METRICS: `127.0.0.1:${port}`, BASE_PATH: "/telltale" });
    expect((await fetch(`${apart.url}/metrics`)).status).toBe(404);
    const own = `http://127.0.0.1:${port}`;
    expect((await fetch(`${own}/metrics`)).headers.get("Content-Type")).toContain("version=0.0.4");
    expect((await fetch(`${own}/telltale/metrics`)).status).toBe(200);
    expect((await fetch(`${own}/health`)).status).toBe(404);
    const off = await start({ METRICS: "off" });
    expect((await fetch(`${off.url}/metrics`)).status).toBe(404);
  });

  test.skipIf(!needs("promtool"))("MET-1: are as Prometheus wants them", async () => {
    const { url } = await start();
    const text = await scrape(url);
    for (const name of Object.keys(METRICS)) expect(text).toContain(`# TYPE ${name} `);
    const check = Bun.spawnSync([programPath("promtool"), "check", "metrics"], { stdin: Buffer.from(text) });
    expect([check.exitCode, check.stderr.toString()]).toEqual([0, ""]);
  });
});

describe.each([
  ["Redis", "redis-server", startRedis, "REDIS_URL"],
  ["NATS", "nats-server", startNats, "NATS_URL"],
] as const)("the metrics of gateways on one %s", (_, program, startBroker, setting) => {
  const FROZEN_MS = 1_500;

  test.skipIf(!needs(program))(
    "MET-4: the time to deliver counts from the append at another gateway, the time in the network included",
    async () => {
      const broker = await startBroker();
      const gateways = await Promise.all(
        [0, 1].map(() => startGateway({ [setting]: broker.url, HEARTBEAT_TIMEOUT_SECONDS: "60" })),
      );
      const [appending, delivering] = gateways as [GatewayProcess, GatewayProcess];
      try {
        const analysisId = crypto.randomUUID();
        const socket = new WatchingSocket(watchUrl(delivering.url, analysisId, { token: await tokenFor() }));
        await socket.established();
        const measured = async () => {
          const text = await (await fetch(`${delivering.url}/metrics`)).text();
          const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
          const times = "telltale_delivery_seconds";
          return {
            count: figure(`${times}_count`),
            sum: figure(`${times}_sum`),
            roundTrips: figure("telltale_broker_round_trip_seconds_count"),
          };
        };
        await eventually("the way to the broker and back is measured", async () => {
          return (await measured()).roundTrips > 0;
        });
        process.kill(delivering.pid, "SIGSTOP");
        expect((await publish(appending, analysisId, statusUpdate())).status).toBe(202);
        await Bun.sleep(FROZEN_MS);
        process.kill(delivering.pid, "SIGCONT");
        await socket.untilType("status_update");
        await eventually("it is measured", async () => (await measured()).count === 1);
        expect((await measured()).sum).toBeGreaterThanOrEqual(FROZEN_MS / 1_000 - 0.1);
      } finally {
        process.kill(delivering.pid, "SIGCONT");
        await Promise.all(gateways.map((gateway) => gateway.stop()));
        await broker.stop();
      }
    },
  );
});
