import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { openStream } from "../support/reading-stream.ts";
import { runtimeDifferences } from "../support/runtime-differences.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const LARGE = "x".repeat(900_000);
const MEBIBYTE = 1024 * 1024;
const UPGRADE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
/** A masked ping frame of 120 bytes. */
const PING = Buffer.concat([Buffer.from([0x89, 0x80 | 120, 0, 0, 0, 0]), Buffer.alloc(120, 97)]);
const MANY_PINGS = Buffer.concat(Array.from({ length: 1_500 }, () => PING));

describe("clients that do not read, on a real server", () => {
  let gateway: GatewayProcess;
  const peers: Socket[] = [];

  beforeAll(async () => {
    gateway = await startGateway({
      HEARTBEAT_INTERVAL_SECONDS: "1",
      HEARTBEAT_TIMEOUT_SECONDS: "3",
      MAX_CONNECTIONS_PER_USER: "400",
    });
  });
  afterAll(async () => {
    for (const peer of peers) peer.destroy();
    await gateway.stop();
  });

  /** Asks, reads until the gateway says that it is let in, and then nothing more. */
  const stuck = async (request: string): Promise<Socket> => {
    const socket = connect(gateway.port, "127.0.0.1");
    peers.push(socket);
    // One that the gateway cuts is none of the test's business.
    socket.on("error", () => socket.destroy());
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    socket.write(`${request}\r\nHost: ${new URL(gateway.url).host}\r\n\r\n`);
    const letIn = Promise.withResolvers<void>();
    let read = "";
    const listen = (bytes: Buffer) => {
      read += bytes.toString("latin1");
      if (read.includes("connection_established")) letIn.resolve();
    };
    socket.on("data", listen);
    await letIn.promise;
    socket.off("data", listen);
    socket.pause();
    return socket;
  };
  const stuckStream = async (id: string, token: string, query = "") =>
    stuck(`GET /v1/analyses/${id}/events?token=${token}${query} HTTP/1.1\r\nAccept: text/event-stream`);
  const stuckSocket = async (id: string, token: string, query = "") =>
    stuck(`GET /ws/analysis/${id}?token=${token}${query} HTTP/1.1\r\n${UPGRADE}`);
  const openFiles = async () => {
    // The connection that this keeps open is one of them, each time.
    await connections(gateway);
    const list = Bun.spawn(["ls", `/proc/${gateway.pid}/fd`], { stdout: "pipe" });
    return (await new Response(list.stdout).text()).trim().split("\n").length;
  };

  test("ADM-1: HEAD on every address is answered without a body, and admits nobody a hundred and one times", async () => {
    const token = await tokenFor({ user: crypto.randomUUID() });
    const id = crypto.randomUUID();
    const head = (path: string, headers: Record<string, string> = {}) =>
      fetch(`${gateway.url}${path}`, { method: "HEAD", headers });
    const paths = ["/", "/health", "/ready", "/ws/health", "/ws", `/v1/analyses/${id}?token=${token}`];
    for (const path of paths) {
      const answer = await head(path);
      const { status } = await fetch(`${gateway.url}${path}`);
      expect([path, answer.status, await answer.text()]).toEqual([path, status, ""]);
    }
    expect((await head(`/v1/analyses/${id}/events?wait=60&token=${token}`)).status).toBe(200);
    for (let time = 0; time < 101; time++) {
      const answer = await head(`/v1/analyses/${id}/events?token=${token}`, { Accept: "text/event-stream" });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    }
    expect(await connections(gateway)).toBe(0);
  });

  test.each([
    ["quiet", 0],
    ["busy", 40],
  ])(
    "ADM-9: a stream on a %s channel whose client never reads ends, and gives all back",
    async (_, more) => {
      const id = crypto.randomUUID();
      const before = await openFiles();
      const token = await tokenFor({ user: crypto.randomUUID() });
      for (let event = 0; event < 8; event++) await publish(gateway, id, statusUpdate({ filler: LARGE }));
      const healthy = await openStream(gateway.url, id, { token, query: "?conflate=none" });
      await stuckStream(id, token, "&replay=all&conflate=none");
      for (let event = 0; event < more; event++) {
        await publish(gateway, id, statusUpdate({ message: `${event}`, filler: LARGE }));
        while ((await healthy.next()).data.message !== `${event}`);
      }
      const reading = healthy.comments(Number.POSITIVE_INFINITY).catch((error: unknown) => error);
      await eventually("the stuck one is gone", async () => (await connections(gateway)) === 1);
      await healthy.leave();
      await reading;
      await eventually("its socket as well", async () => (await openFiles()) <= before);
    },
    40_000,
  );

  test("ADM-9: a socket whose client sends frames and never reads ends, and gives all back", async () => {
    const id = crypto.randomUUID();
    const before = await openFiles();
    for (let event = 0; event < 8; event++) await publish(gateway, id, statusUpdate({ filler: LARGE }));
    const socket = await stuckSocket(id, await tokenFor(), "&replay=all");
    const chatter = setInterval(() => socket.write(textFrame('{"type":"ping"}')), 200);
    await eventually("it is gone", async () => (await connections(gateway)) === 0);
    clearInterval(chatter);
    await eventually("its socket as well", async () => (await openFiles()) <= before);
  }, 40_000);

  test("ADM-4: a read that waits gives its place back when its client goes", async () => {
    const token = await tokenFor();
    const leave = new AbortController();
    const gone = fetch(`${gateway.url}/v1/analyses/${crypto.randomUUID()}/events?wait=60&token=${token}`, {
      signal: leave.signal,
    }).catch((error: unknown) => error);
    await eventually("it is counted", async () => (await connections(gateway)) === 1);
    leave.abort();
    await gone;
    await eventually("it is not counted any more", async () => (await connections(gateway)) === 0);
  });

  test("ADM-14: a hundred of each kind cost no memory for long, and a client that reads gets its events", async () => {
    const id = crypto.randomUUID();
    const token = await tokenFor({ user: "hostile" });
    const healthy = new WatchingSocket(
      watchUrl(gateway.url, id, { token: await tokenFor({ user: "well" }) }),
    );
    await healthy.established();
    const latency = async (step: string) => {
      const sent = performance.now();
      await publish(gateway, id, statusUpdate({ message: step }));
      await healthy.until((frame) => frame.message === step);
      return performance.now() - sent;
    };
    for (let step = 0; step < 20; step++) await latency(`warm ${step}`);
    for (let event = 0; event < 12; event++) await publish(gateway, id, statusUpdate({ filler: LARGE }));
    const before = memoryOf(gateway);
    const waits: Promise<unknown>[] = [];
    const leave = new AbortController();
    for (let count = 0; count < 100; count++) {
      await stuckStream(id, token, "&replay=all");
      await stuckSocket(id, token, "&replay=all");
      const pinging = await stuckSocket(crypto.randomUUID(), token);
      for (let burst = 0; burst < 10; burst++) pinging.write(MANY_PINGS);
      const path = `/v1/analyses/${crypto.randomUUID()}/events?token=${token}`;
      waits.push(fetch(`${gateway.url}${path}&wait=60`, { signal: leave.signal }).catch((error) => error));
      await fetch(`${gateway.url}${path}`, { method: "HEAD", headers: { Accept: "text/event-stream" } });
    }
    const latencies: number[] = [];
    for (let step = 0; step < 100; step++) latencies.push(await latency(`under load ${step}`));
    latencies.sort((a, b) => a - b);
    expect(latencies[98]).toBeLessThan(1_000);
    leave.abort();
    await Promise.all(waits);
    await eventually("only the client that reads is left", async () => (await connections(gateway)) === 1);
    const kept = runtimeDifferences.keptMebibytes * MEBIBYTE;
    await eventually("its memory is back", async () => memoryOf(gateway) - before < kept);
    await latency("after all");
    await healthy.leave();
  }, 120_000);
});

/** Resident, in bytes. */
function memoryOf({ pid }: GatewayProcess): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

async function connections(gateway: GatewayProcess): Promise<number> {
  const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as {
    websocket_stats: { total_connections: number };
  };
  return health.websocket_stats.total_connections;
}

function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}
