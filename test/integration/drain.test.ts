import { afterEach, describe, expect, test } from "bun:test";
import { retryAfterOf } from "../../src/domain/close-code.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { frozenClient, UPGRADE } from "../support/frozen-client.ts";
import { type GatewayProcess, publisherToken, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { RawRequest, requestText } from "../support/raw-request.ts";
import { openStream, type ReadingStream } from "../support/reading-stream.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const ID = "00000000-0000-4000-8000-00000000d4a1";
/** The analysis of the clients that never read. */
const FROZEN = "00000000-0000-4000-8000-00000000d4a2";
const HINT = /^retry_after_ms=\d+$/;
/** Several batches of them. */
const CROWD = 120;

/** The end of a gateway as its clients meet it: real processes, real signals. */
describe("a gateway that drains", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  const started = async (drainSeconds: number) => {
    const gateway = await startGateway({
      DRAIN_SECONDS: String(drainSeconds),
      MAX_CONNECTIONS_PER_USER: "1000",
      // It ends frozen clients by itself later than any drain.
      HEARTBEAT_TIMEOUT_SECONDS: "120",
    });
    ends.push(() => void gateway.kill9());
    return gateway;
  };

  const watch = async (gateway: GatewayProcess) =>
    new WatchingSocket(watchUrl(gateway.url, ID, { token: await tokenFor() }));

  const stream = async (gateway: GatewayProcess) => openStream(gateway.url, ID, { token: await tokenFor() });

  /** Two clients that never read, with more on its way to each of them than the system takes. */
  const freeze = async (gateway: GatewayProcess) => {
    const token = await tokenFor();
    const frozen = [
      await frozenClient(`${gateway.url}/ws/analysis/${FROZEN}?token=${token}`, UPGRADE),
      await frozenClient(`${gateway.url}/v1/analyses/${FROZEN}/events?token=${token}`, {
        Accept: "text/event-stream",
      }),
    ];
    ends.push(() => {
      for (const socket of frozen) socket.destroy();
    });
    await connected(gateway, CROWD + frozen.length);
    const large = resultUpdate({ filler: "x".repeat(1_000_000) });
    for (let sent = 0; sent < 14; sent++) expect((await publish(gateway, FROZEN, large)).status).toBe(202);
  };

  const connected = (gateway: GatewayProcess, count: number) =>
    eventually(`${count} clients are connected`, async () => {
      const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as {
        websocket_stats: { total_connections: number };
      };
      return health.websocket_stats.total_connections >= count;
    });

  const ready = async (gateway: GatewayProcess) => {
    const answer = await fetch(`${gateway.url}/ready`);
    return { status: answer.status, body: await answer.json(), answer };
  };

  const draining = (gateway: GatewayProcess) =>
    eventually("the gateway drains", async () => (await ready(gateway)).status === 503);

  const crowd = async (gateway: GatewayProcess) => {
    const sockets = await Promise.all(Array.from({ length: CROWD / 2 }, () => watch(gateway)));
    const streams = await Promise.all(Array.from({ length: CROWD / 2 }, () => stream(gateway)));
    await Promise.all(sockets.map((socket) => socket.established()));
    return { sockets, streams };
  };

  const expectSentAway = async ({ sockets, streams }: Awaited<ReturnType<typeof crowd>>) => {
    for (const closed of await Promise.all(sockets.map((socket) => socket.closed)))
      expect(closed).toEqual({ code: 1001, reason: expect.stringMatching(HINT) });
    await Promise.all(streams.map((events) => events.rest()));
    for (const { retry } of streams) expect(retry).toBeGreaterThanOrEqual(500);
  };

  test("OPS-19: /ready says so, a probe and a publish are answered, and each answer ends its connection", async () => {
    const gateway = await started(60);
    await crowd(gateway);
    const exit = gateway.stop();
    await draining(gateway);
    const { status, body, answer } = await ready(gateway);
    expect([status, body]).toEqual([503, { ready: false, reason: "draining" }]);
    expect(answer.headers.get("Connection")).toBe("close");
    const published = await publish(gateway, ID, statusUpdate());
    expect([published.status, published.headers.get("Connection")]).toEqual([202, "close"]);
    const probe = new RawRequest(gateway.port, requestText(["GET /health HTTP/1.1", "Host: a"]));
    expect(await probe.closed()).toStartWith("HTTP/1.1 200");
    await gateway.kill9();
    await exit;
  });

  test("OPS-9: a client that comes is sent away with a time to come back, and a wait is answered", async () => {
    const gateway = await started(60);
    await crowd(gateway);
    const read = async () =>
      fetch(`${gateway.url}/v1/analyses/${ID}/events?wait=50`, {
        headers: { Authorization: `Bearer ${await tokenFor()}` },
      });
    const waiting = read();
    await connected(gateway, CROWD + 1);
    const exit = gateway.stop();
    const waited = await waiting;
    expect([waited.status, await waited.json()]).toMatchObject([200, { events: [] }]);
    const { code, reason } = await (await watch(gateway)).closed;
    expect([code, reason]).toEqual([1001, expect.stringMatching(HINT)]);
    const events: ReadingStream = await stream(gateway);
    const [closing, ...more] = await events.rest();
    expect([events.response.status, more]).toEqual([200, []]);
    expect(closing).toMatchObject({ event: "closing", data: { code: 1001, reconnect: true } });
    expect(events.retry).toBe(closing?.data.retry_after_ms as number);
    expect(events.retry).toBeGreaterThanOrEqual(500);
    const refused = await read();
    expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "1"]);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    // The WebSocket, the stream and the wait.
    expect(metrics).toContain('telltale_refused_total{reason="going_away"} 3');
    await gateway.kill9();
    await exit;
  });

  test("OPS-8: clients are told in batches, and served until then; each has a time of its own to come back", async () => {
    const gateway = await started(8);
    const watching = await crowd(gateway);
    const exit = gateway.stop();
    await Promise.race(watching.sockets.map((socket) => socket.closed));
    await publish(gateway, ID, statusUpdate({ message: "still served" }));
    await expectSentAway(watching);
    const served = watching.sockets.filter(({ events }) => events.length > 0).length;
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(watching.sockets.length);
    const reasons = await Promise.all(watching.sockets.map(async (socket) => (await socket.closed).reason));
    const hints = reasons.map((reason) => retryAfterOf(reason));
    expect(new Set(hints).size).toBeGreaterThan(CROWD / 4);
    expect(await exit).toBe(0);
  });

  test("OPS-8: a client that never reads holds the end up no longer than the drain time", async () => {
    const gateway = await started(5);
    const watching = await crowd(gateway);
    await freeze(gateway);
    const began = performance.now();
    const exit = gateway.stop();
    await expectSentAway(watching);
    expect(await exit).toBe(0);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test("OPS-19: a publish that is under way is finished and answered", async () => {
    const gateway = await started(6);
    const body = JSON.stringify(statusUpdate());
    const request = new RawRequest(
      gateway.port,
      requestText(
        [
          `POST /v1/analyses/${ID}/events HTTP/1.1`,
          "Host: a",
          `Authorization: Bearer ${await publisherToken()}`,
          `Content-Length: ${body.length}`,
        ],
        body.slice(0, 10),
      ),
    );
    await crowd(gateway);
    const exit = gateway.stop();
    await draining(gateway);
    request.send(body.slice(10));
    expect(await request.closed()).toStartWith("HTTP/1.1 202");
    expect(await exit).toBe(0);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "OPS-17: a second signal, %s, ends it at once, after 1001 to whoever is still there",
    async (second) => {
      const gateway = await started(200);
      const watching = await crowd(gateway);
      const exit = gateway.stop();
      await Promise.race(watching.sockets.map((socket) => socket.closed));
      process.kill(gateway.pid, second);
      await expectSentAway(watching);
      expect(await exit).toBe(0);
    },
  );

  test("OPS-3: a signal ends it at once if nobody is connected, whatever came and went", async () => {
    const gateway = await started(200);
    const socket = await watch(gateway);
    await socket.established();
    await socket.leave();
    expect((await ready(gateway)).status).toBe(200);
    expect(await gateway.stop()).toBe(0);
  });
});
