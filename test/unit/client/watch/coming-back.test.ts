import { describe, expect, test } from "bun:test";
import { retryAfter } from "../../../../src/client/watch/retry-plan.ts";
import { CLOSE_CODES } from "../../../../src/domain/close-code.ts";
import { collect, live, ScriptedGateway, sendState, sentBy, settled, status } from "./scripted-gateway.ts";

/** A JWT that ends so many seconds after 1970, signed by nobody. */
function tokenUntil(milliseconds: number): string {
  return `a.${btoa(JSON.stringify({ exp: milliseconds / 1000 })).replaceAll("=", "")}.c`;
}

describe("retryAfter()", () => {
  test("comes back, or stays away, as the table of close codes says", () => {
    for (const { code, reconnect } of Object.values(CLOSE_CODES)) {
      // A shared connection never asks for an end.
      if (code === 1000) continue;
      const plan = (failures: number, reason = "") => retryAfter(code, reason, failures, 0, () => 0.5);
      const answers = [plan(0), plan(3), plan(0, "x retry_after_ms=77")];
      if (reconnect === "no") expect([code, ...answers]).toEqual([code, undefined, undefined, undefined]);
      else if (reconnect === "after_hint") expect(answers[2]).toBe(77);
      else if (reconnect === "with_backoff") expect(answers[0]).toBe(250);
      else expect(answers.slice(0, 2)).toEqual([0, 2_000]);
    }
  });

  test("waits anywhere between nothing and twice as long each time: to fifteen seconds, to four for a broken link", () => {
    const waits = (code: number) =>
      [0, 1, 2, 3, 4, 5, 50].map((failures) => retryAfter(code, "", failures, 0, () => 1));
    expect(waits(4029)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(waits(1006)).toEqual([500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000]);
    expect(retryAfter(1006, "", 5, 0, () => 0)).toBe(0);
  });

  test("comes back from 4003 not_declared, and takes no hint beyond five minutes", () => {
    expect(retryAfter(4003, "not_declared", 1, 0, () => 0.5)).toBe(500);
    expect(retryAfter(1013, "retry_after_ms=999999999", 1, 0, () => 0)).toBe(300_000);
  });
});

describe("watch() and its token", () => {
  test.each([0, 0.5, 0.999])(
    "SDK-15: gives up after three refusals over about a minute, by chance %d",
    async (chance) => {
      const gateway = new ScriptedGateway();
      gateway.random = chance;
      let tokens = 0;
      const watch = gateway.watch({ token: () => `t.${++tokens}.s` });
      const { over } = collect(watch);
      const began = gateway.clock.now();
      for (let round = 1; round <= 3; round += 1) {
        const socket = await gateway.socket(round);
        expect(socket.protocols[1]).toBe(`bearer.t.${round}.s`);
        socket.serverCloses(4001, "token expired");
        const { connection } = watch.getSnapshot();
        if (connection.status === "waiting") gateway.clock.advance(connection.retryAt - gateway.clock.now());
      }
      expect(await over).toMatchObject({ code: 4001 });
      expect(gateway.clock.now() - began).toBeWithin(50_000, 75_000);
      expect(gateway.leftovers).toBe(0);
    },
  );

  test("SDK-15: counts on if it is turned away for another reason between refusals", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const { over } = collect(watch);
    for (const [round, code] of [4001, 4029, 4001, 4029, 4001].entries()) {
      (await gateway.socket(round + 1)).serverCloses(code, "no");
      const { connection } = watch.getSnapshot();
      if (connection.status === "waiting") gateway.clock.advance(connection.retryAt - gateway.clock.now());
    }
    expect(await over).toMatchObject({ code: 4001 });
  });

  test("SDK-9: names no token in any status", async () => {
    const gateway = new ScriptedGateway();
    const said: string[] = [];
    for (const token of ["secret.part\n", "secret.token"]) {
      const watch = gateway.watch({ token: () => token });
      watch.subscribe(() => said.push(JSON.stringify(watch.getSnapshot())));
      await settled();
      gateway.sockets.at(-1)?.serverCloses(4001, "token expired");
      watch.close();
    }
    expect(said.length).toBeGreaterThan(3);
    expect(said.join()).not.toContain("secret");
  });

  test("comes back at once with another one if the last grew old on a live connection", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    gateway.clock.advance(6_000);
    socket.serverCloses(4001, "token expired");
    expect(watch.getSnapshot().connection).toMatchObject({ status: "waiting", retryAt: gateway.clock.now() });
  });

  test("SDK-15: presents the next one on the same socket before the last ends, by the gateway's clock", async () => {
    const gateway = new ScriptedGateway();
    const began = gateway.clock.now();
    // The clock of this machine is an hour slow.
    const ahead = 3_600_000;
    let lifetime = 300_000;
    const token = () => {
      const fresh = tokenUntil(began + ahead + lifetime);
      lifetime += 300_000;
      return fresh;
    };
    const watch = gateway.watch({ token });
    const socket = await gateway.socket();
    socket.establish({ timestamp: new Date(began + ahead).toISOString() });
    sendState(socket);
    const authenticated = () => sentBy(socket).filter(({ type }) => type === "authenticate");
    for (let second = 0; second < 239; second += 1) {
      gateway.clock.advance(1_000);
      socket.serverSends({ event_type: "heartbeat" });
    }
    await settled();
    expect(authenticated()).toHaveLength(0);
    gateway.clock.advance(1_000);
    await settled();
    expect(authenticated()).toEqual([{ type: "authenticate", token: tokenUntil(began + ahead + 600_000) }]);
    watch.close();
  });

  const offline = (): never => {
    throw new Error("offline");
  };

  test.each<[string, () => string | Promise<string>, string]>([
    ["throws", offline, "no token: offline"],
    ["rejects", async () => offline(), "no token: offline"],
    ["answers no text", () => ({}) as string, "no token: the answer is none"],
    ["answers null", () => null as unknown as string, "no token: the answer is none"],
    ["answers undefined", async () => undefined as unknown as string, "no token: the answer is none"],
    ["answers an empty text", () => "", "no token: the answer is none"],
    ["answers what no header carries", () => "a b\n", "no token: the answer is none"],
  ])("SDK-1: asks again if the function %s", async (_, token, reason) => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch({ token });
    await settled();
    expect(watch.getSnapshot().connection).toMatchObject({ status: "waiting", code: 1006, reason });
    expect(gateway.sockets).toHaveLength(0);
    watch.close();
    expect(gateway.leftovers).toBe(0);
  });

  test("SDK-1: gives a function up that does not answer within ten seconds, and hears no late answer", async () => {
    const gateway = new ScriptedGateway();
    let answer = (_: string) => {};
    const watch = gateway.watch({
      token: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    gateway.clock.advance(10_000);
    expect(watch.getSnapshot().connection.status).toBe("waiting");
    answer("a.b.c");
    await settled();
    expect(gateway.sockets).toHaveLength(0);
  });
});

describe("watch() and a silent link", () => {
  test("SDK-17: pings, and comes back if nothing was heard for the heartbeat timeout", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    gateway.clock.advance(15_000);
    expect(socket.sent.at(-1)).toBe('{"type":"ping"}');
    socket.serverSends({ event_type: "heartbeat", message: "pong" });
    gateway.clock.advance(29_000);
    expect(watch.getSnapshot().connection.status).toBe("live");
    gateway.clock.advance(1_000);
    expect(watch.getSnapshot().connection).toMatchObject({
      status: "waiting",
      reason: "the link went silent",
    });
    expect(socket.closedWith).toBe(1000);
    const before = watch.getSnapshot();
    socket.serverSends(status("e-9"));
    socket.serverCloses(4003);
    expect(watch.getSnapshot()).toBe(before);
  });

  test("SDK-2: tries again if the gateway accepts and does not let it in for ten seconds, whatever it says", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const socket = await gateway.socket();
    for (let second = 0; second < 10; second += 1) {
      expect(watch.getSnapshot().connection).toEqual({ status: "connecting" });
      socket.serverSends({ event_type: "heartbeat", message: "ping" });
      gateway.clock.advance(1_000);
    }
    expect(socket.closedWith).toBe(1000);
    expect(watch.getSnapshot().connection).toMatchObject({ reason: "no answer in time" });
  });

  test("comes back from a socket that fails and never closes, as that of Node 22 if nothing answers", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    (await gateway.socket()).fails();
    expect(watch.getSnapshot().connection).toMatchObject({ status: "waiting", code: 1006 });
    watch.close();
    expect(gateway.leftovers).toBe(0);
  });

  test("backs off from a connection that ends as soon as it is made, and forgets that after one that lasted", async () => {
    const gateway = new ScriptedGateway();
    const { socket: first, watch } = await live(gateway);
    const waits: number[] = [];
    let socket = first;
    for (let round = 2; round < 5; round += 1) {
      socket.serverCloses(4009);
      const { connection } = watch.getSnapshot();
      if (connection.status !== "waiting") throw new Error(connection.status);
      waits.push(connection.retryAt - gateway.clock.now());
      gateway.clock.advance(waits.at(-1) as number);
      socket = await gateway.socket(round);
      socket.establish();
    }
    gateway.clock.advance(6_000);
    socket.serverCloses(4009);
    expect(waits).toEqual([0, 500, 1_000]);
    expect(watch.getSnapshot().connection).toMatchObject({ retryAt: gateway.clock.now() });
  });
});

describe("watch() and the page around it", () => {
  test.each(["online", "visibilitychange", "pageshow"])(
    "SDK-17: %s: comes back at once from a broken link",
    async (event) => {
      const gateway = new ScriptedGateway();
      const { socket } = await live(gateway);
      socket.serverCloses(1006);
      gateway.says(event);
      await gateway.socket(2);
    },
  );

  test("SDK-17: does not hurry if the gateway said when to come back", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    socket.serverCloses(1013, "retry_after_ms=9000");
    gateway.says("visibilitychange");
    await settled();
    expect(gateway.sockets).toHaveLength(1);
    watch.retryNow();
    await gateway.socket(2);
  });

  test("asks for a sign of life after sleep, and comes back if there is none in five seconds", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    gateway.says("visibilitychange");
    expect(socket.sent.at(-1)).toBe('{"type":"ping"}');
    socket.serverSends({ event_type: "heartbeat", message: "pong" });
    gateway.clock.advance(5_000);
    expect(watch.getSnapshot().connection.status).toBe("live");
    gateway.says("online");
    gateway.clock.advance(5_000);
    expect(watch.getSnapshot().connection.status).toBe("waiting");
  });

  test("holds no socket while the page lies in the back/forward cache, and goes on where it was", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    socket.serverSends(status("e-2"));
    gateway.says("pagehide");
    expect(socket.closedWith).toBe(1000);
    expect(gateway.clock.pending).toBe(0);
    gateway.says("pageshow");
    const again = await gateway.socket(2);
    again.establish();
    expect(sentBy(again)).toMatchObject([{ last_event_id: "e-2" }]);
    watch.close();
  });
});
