import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, TEST_SECRET, tokenFor } from "../support/gateway-process.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { runtimeCommand } from "../support/runtime-command.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** The endpoint as browsers and programs meet it: a real gateway process, real sockets, the in-memory broker. */
describe("watching over a real socket", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway({ MAX_CONNECTIONS_PER_USER: "3", MESSAGE_RATE: "50" });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const watch = async (id: string, query: Record<string, string> = {}, user = "alice") =>
    new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor({ user }), ...query }));

  test("WS-1: connection_established comes first, then the last status and the current terminal event, in order", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, [
      statusUpdate({ progress: 0.1 }),
      statusUpdate({ progress: 0.9 }),
      resultUpdate(),
    ]);
    const socket = await watch(id, {}, "late");
    await socket.untilType("result_update");
    expect(socket.frames.map((frame) => frame.event_type)).toEqual([
      "connection_established",
      "status_update",
      "result_update",
    ]);
    expect(socket.frames[1]).toMatchObject({ progress: 0.9, analysis_id: id });
    expect(socket.frames[0]).toMatchObject({
      analysis_id: id,
      resumed: null,
      heartbeat_interval_seconds: 15,
    });
    await socket.leave();
  });

  test("ID-1: every event carries its event_id as the first key, with offsets 1, 2, 3", async () => {
    const id = crypto.randomUUID();
    const socket = await watch(id);
    await socket.established();
    const answer = await publish(gateway, id, [statusUpdate(), errorEvent()]);
    const { event_ids } = (await answer.json()) as { event_ids: string[] };
    await socket.untilType("error");
    expect(socket.events.map((event) => event.event_id)).toEqual(event_ids);
    expect(event_ids.map((eventId) => eventId.split("-")[1])).toEqual(["1", "2"]);
    expect(Object.keys(socket.events[0] ?? {})[0]).toBe("event_id");
    await socket.leave();
  });

  test("WS-2: the token is taken from header, subprotocol and cookie as well, and telltale.v1 alone is echoed", async () => {
    const token = await tokenFor();
    const id = crypto.randomUUID();
    const url = watchUrl(gateway.url, id);
    const byHeader = new WatchingSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    await byHeader.established();
    await byHeader.leave();
    const byProtocol = new WatchingSocket(url, { protocols: ["telltale.v1", `bearer.${token}`] });
    await byProtocol.established();
    expect(byProtocol.protocol).toBe("telltale.v1");
    await byProtocol.leave();
    const byCookie = new WatchingSocket(url, {
      headers: { Cookie: `a=b; access_token=${token}`, Origin: "https://app.example" },
    });
    await byCookie.established();
    await byCookie.leave();
  });

  test("WS-3: a refused client can read why from the close code", async () => {
    const id = crypto.randomUUID();
    const good = await tokenFor();
    const expired = await tokenFor({ expiresInSeconds: -5 });
    const elsewhere = await tokenFor({ analyses: [crypto.randomUUID()] });
    const other = await tokenFor({ user: "bob" });
    const codeOf = async (url: string, headers: Record<string, string> = {}) =>
      (await new WatchingSocket(url, { headers }).closed).code;
    expect(await codeOf(watchUrl(gateway.url, id))).toBe(4001);
    expect(await codeOf(watchUrl(gateway.url, id, { token: "nonsense" }))).toBe(4001);
    expect(await codeOf(watchUrl(gateway.url, id, { token: expired }))).toBe(4001);
    expect(
      await codeOf(watchUrl(gateway.url, id, { token: good }), { Authorization: `Bearer ${other}` }),
    ).toBe(4001);
    expect(await codeOf(watchUrl(gateway.url, id, { token: elsewhere }))).toBe(4003);
    expect(await codeOf(watchUrl(gateway.url, "not-a-uuid", { token: good }))).toBe(4004);
  });

  test("WS-4: a user over the limit is closed with 4029, and another user is not", async () => {
    const id = crypto.randomUUID();
    const held = await Promise.all([1, 2, 3].map(() => watch(id, {}, "crowd")));
    await Promise.all(held.map((socket) => socket.established()));
    expect((await (await watch(id, {}, "crowd")).closed).code).toBe(4029);
    const bob = await watch(id, {}, "bob");
    await bob.established();
    await Promise.all([...held, bob].map((socket) => socket.leave()));
  });

  test("WS-5: ping is answered with pong, and authenticate with the new expiry", async () => {
    const socket = await watch(crypto.randomUUID());
    await socket.established();
    socket.send({ type: "ping" });
    expect(await socket.untilType("heartbeat")).toMatchObject({ message: "pong" });
    socket.send({ type: "authenticate", token: await tokenFor({ expiresInSeconds: 3600 }) });
    const { expires_at } = await socket.untilType("authenticated");
    expect(Date.parse(String(expires_at))).toBeGreaterThan(Date.now() + 3_000_000);
    socket.send({ type: "authenticate", token: "nonsense" });
    expect((await socket.closed).code).toBe(4001);
  });

  test("WS-6: the gateway answers ten frames that are not of the protocol, binary ones included, then closes with 4400", async () => {
    const socket = await watch(crypto.randomUUID());
    await socket.established();
    socket.sendBytes(new Uint8Array([1, 2, 3]));
    for (let sent = 1; sent < 11; sent++) socket.send("{not json");
    expect((await socket.closed).code).toBe(4400);
    const errors = socket.frames.filter((frame) => frame.event_type === "protocol_error");
    expect(errors).toHaveLength(10);
    expect(errors[0]).toMatchObject({ code: "not_text" });
    expect(errors[1]).toMatchObject({ code: "not_json" });
  });

  test("WS-7: a frame over 4 KiB is closed with 1009, and too many frames a second with 4400", async () => {
    const large = await watch(crypto.randomUUID());
    await large.established();
    large.send({ type: "ping", filler: "x".repeat(5000) });
    // The runtime ends it with 1009; its own client sees the code only if the closing handshake was finished.
    expect([1006, 1009]).toContain((await large.closed).code);
    const chatty = await watch(crypto.randomUUID());
    await chatty.established();
    for (let sent = 0; sent < 120; sent++) chatty.send({ type: "ping" });
    expect(await chatty.closed).toMatchObject({ code: 4400, reason: "message rate exceeded" });
  });

  test("PUB-1: viewers declared later end those who may not watch, and let in those who may", async () => {
    const id = crypto.randomUUID();
    const [alice, bob] = [await watch(id, {}, "alice"), await watch(id, {}, "bob")];
    await Promise.all([alice.established(), bob.established()]);
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${await tokenFor({ scopes: ["analysis:publish"] })}` },
      body: JSON.stringify({ viewers: ["alice"] }),
    });
    expect(answer.status).toBe(204);
    expect((await bob.closed).code).toBe(4003);
    expect((await (await watch(id, {}, "carol")).closed).code).toBe(4003);
    await publish(gateway, id, statusUpdate());
    await alice.untilType("status_update");
    await alice.leave();
  });

  test("NOT-1: a notice reaches all sockets of its user and nobody else's, a notice to all reaches everybody", async () => {
    const sockets = [
      await watch(crypto.randomUUID(), {}, "dora"),
      await watch(crypto.randomUUID(), {}, "dora"),
    ];
    const other = await watch(crypto.randomUUID(), {}, "emil");
    await Promise.all([...sockets, other].map((socket) => socket.established()));
    const notify = async (body: unknown) =>
      fetch(`${gateway.url}/v1/notices`, {
        method: "POST",
        headers: { Authorization: `Bearer ${await tokenFor({ scopes: ["notice:publish"] })}` },
        body: JSON.stringify(body),
      });
    expect((await notify({ user_id: "dora", message: "only you" })).status).toBe(202);
    expect((await notify({ level: "warning", message: "all of you" })).status).toBe(202);
    for (const socket of [...sockets, other]) await socket.until((frame) => frame.message === "all of you");
    for (const socket of sockets)
      expect(socket.events.map((event) => event.message)).toEqual(["only you", "all of you"]);
    expect(other.events.map((event) => event.message)).toEqual(["all of you"]);
    await Promise.all([...sockets, other].map((socket) => socket.leave()));
  });

  test("OPS-1: after everybody has left, on whatever way, the books are at zero", async () => {
    const id = crypto.randomUUID();
    const sockets = await Promise.all(["u1", "u2", "u3"].map((user) => watch(id, {}, user)));
    await Promise.all(sockets.map((socket) => socket.established()));
    await Promise.all(sockets.map((socket) => socket.leave()));
    const statistics = async () =>
      ((await (await fetch(`${gateway.url}/ws/health`)).json()) as { websocket_stats: unknown })
        .websocket_stats;
    const nothing = { total_connections: 0, active_analyses: 0 };
    await eventually("nobody is counted", async () => Bun.deepEquals(await statistics(), nothing));
  });

  test("OPS-2: SIGTERM closes every connection with 1001 and a time to come back, then exits 0", async () => {
    const leaving = await startGateway();
    const socket = new WatchingSocket(
      watchUrl(leaving.url, crypto.randomUUID(), { token: await tokenFor() }),
    );
    await socket.established();
    const exit = leaving.stop();
    const closed = await socket.closed;
    expect(closed.code).toBe(1001);
    expect(closed.reason).toMatch(/^retry_after_ms=\d+$/);
    expect(await exit).toBe(0);
  });

  test("OPS-3: SIGTERM with nobody connected exits 0 at once", async () => {
    const leaving = await startGateway();
    const began = performance.now();
    expect(await leaving.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(3000);
  });

  test("WS-8: a silent peer is closed with 4008, one that answers pings is not, and a page sees a heartbeat", async () => {
    const quick = await startGateway({ HEARTBEAT_INTERVAL_SECONDS: "0.3", HEARTBEAT_TIMEOUT_SECONDS: "0.9" });
    const url = watchUrl(quick.url, crypto.randomUUID(), { token: await tokenFor() });
    const alive = new WatchingSocket(url);
    const silent = await rawUpgrade(quick, new URL(url));
    for (let heard = 0; heard < 5; heard++) {
      const before = alive.frames.length;
      await alive.until((frame) => frame.message === "ping" && alive.frames.indexOf(frame) >= before);
    }
    expect(await silent.closeCode).toBe(4008);
    await alive.leave();
    await quick.stop();
  });

  test("OPS-4: a start with faults lists every one by name and exits 78", async () => {
    const child = Bun.spawn(runtimeCommand(), {
      cwd: new URL("../..", import.meta.url).pathname,
      env: {
        PATH: process.env.PATH ?? "",
        PORT: "no",
        JWT_SECRET_KEY: "short",
        NATS_URL: "ws://x",
        NODE_ENV: "production",
      },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await child.exited).toBe(78);
    const said = await new Response(child.stderr).text();
    for (const name of ["PORT", "JWT_SECRET_KEY", "NATS_URL"]) expect(said).toContain(name);
    expect(said).not.toContain("short");
    expect(said).not.toContain(TEST_SECRET);
  });
});

/** A peer that finishes the handshake and then never answers a ping, as a machine that lost its network. */
async function rawUpgrade(gateway: GatewayProcess, url: URL): Promise<{ closeCode: Promise<number> }> {
  const closed = Promise.withResolvers<number>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port: gateway.port,
    socket: {
      open(socket) {
        socket.write(
          `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
      },
      data(socket, data) {
        const at = data.indexOf(0x88);
        if (at < 0 || data.length < at + 4) return;
        closed.resolve(data.readUInt16BE(at + 2));
        socket.end();
      },
    },
  });
  return { closeCode: closed.promise };
}
