import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const LARGE = "x".repeat(900_000);

describe("a client that does not keep up", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  test("WS-9: delays nobody else, and is closed with 4009 once more waits for it than may be kept", async () => {
    const id = crypto.randomUUID();
    const quick = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor({ user: "quick" }) }));
    await quick.established();
    const stuck = await stuckWatcher(gateway, id, "stuck");
    await eventually("both are there", async () => (await connections(gateway)) === 2);
    for (let step = 1; step <= 40; step++) {
      await publish(gateway, id, statusUpdate({ message: `step ${step}`, filler: LARGE }));
      await quick.until((frame) => frame.message === `step ${step}`);
    }
    await eventually("the slow one is gone", async () => (await connections(gateway)) === 1);
    stuck.resume();
    expect(await closeCodeOf(stuck)).toBe(4009);
    await quick.leave();
  });

  test("WS-21: by default it gets the newest status and everything terminal, however much it missed", async () => {
    const id = crypto.randomUUID();
    const stuck = await stuckWatcher(gateway, id, "conflated", {});
    await eventually("it is there", async () => (await connections(gateway)) === 1);
    for (let step = 1; step <= 40; step++) {
      await publish(gateway, id, statusUpdate({ message: `step ${step}`, filler: LARGE }));
    }
    await publish(gateway, id, resultUpdate());
    stuck.resume();
    const seen = await stepsUntilResult(stuck);
    expect(seen.slice(-2)).toEqual(["step 40", "result"]);
    expect(seen.length).toBeLessThan(30);
    stuck.destroy();
    await eventually("it is gone", async () => (await connections(gateway)) === 0);
  });

  test.each([
    [
      "WS-10: a client that is slow for a while gets everything that waited, in order, each event once",
      stuckWatcher,
    ],
    ["SSE-8: so does a client of a stream, and it delays nobody", stuckReader],
  ])("%s", async (_, open) => {
    const id = crypto.randomUUID();
    const stuck = await open(gateway, id, "late");
    await eventually("it is there", async () => (await connections(gateway)) === 1);
    for (let step = 1; step <= 12; step++) {
      await publish(gateway, id, statusUpdate({ message: `step ${step}`, filler: LARGE }));
    }
    await publish(gateway, id, resultUpdate());
    stuck.resume();
    const seen = await stepsUntilResult(stuck);
    expect(seen).toEqual([...Array.from({ length: 12 }, (_, index) => `step ${index + 1}`), "result"]);
    stuck.destroy();
    await eventually("it is gone", async () => (await connections(gateway)) === 0);
  });
});

async function connections(gateway: GatewayProcess): Promise<number> {
  const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as {
    websocket_stats: { total_connections: number };
  };
  return health.websocket_stats.total_connections;
}

/** A peer that finishes the handshake and then reads nothing until it is resumed. */
async function stuckWatcher(
  gateway: GatewayProcess,
  id: string,
  user: string,
  query: Record<string, string> = { conflate: "none" },
): Promise<Socket> {
  const { pathname, search } = new URL(
    watchUrl(gateway.url, id, { ...query, token: await tokenFor({ user }) }),
  );
  const upgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  return stuckPeer(gateway, `GET ${pathname}${search} HTTP/1.1\r\n${upgrade}`);
}

/** The same over a stream of server-sent events. */
async function stuckReader(gateway: GatewayProcess, id: string, user: string): Promise<Socket> {
  const path = `/v1/analyses/${id}/events?conflate=none&token=${await tokenFor({ user })}`;
  return stuckPeer(gateway, `GET ${path} HTTP/1.1\r\nAccept: text/event-stream`);
}

async function stuckPeer(gateway: GatewayProcess, request: string): Promise<Socket> {
  const socket = connect(gateway.port, "127.0.0.1");
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.write(`${request}\r\nHost: ${new URL(gateway.url).host}\r\n\r\n`);
  await new Promise<void>((resolve) => socket.once("data", () => resolve()));
  socket.pause();
  return socket;
}

/** The steps in the order in which they came, up to the result. */
async function stepsUntilResult(socket: Socket): Promise<string[]> {
  const seen: string[] = [];
  let unread = "";
  for await (const bytes of socket) {
    unread += (bytes as Buffer).toString("latin1");
    for (const found of unread.matchAll(/"message":"(step \d+)"|"event_type":"result_update"/g)) {
      seen.push(found[1] ?? "result");
      unread = unread.slice(unread.indexOf(found[0]) + found[0].length);
    }
    if (seen.at(-1) === "result") break;
    // The text that is looked for may be split between two reads.
    unread = unread.slice(-64);
  }
  return seen;
}

/** Reads to the end and finds the code of the last frame, which is the close frame. */
async function closeCodeOf(socket: Socket): Promise<number> {
  let tail = Buffer.alloc(0);
  for await (const bytes of socket) tail = Buffer.concat([tail, bytes as Buffer]).subarray(-256);
  const at = tail.lastIndexOf(0x88);
  return at < 0 ? 0 : tail.readUInt16BE(at + 2);
}
