import { afterEach, describe, expect, test } from "bun:test";
import type { WatchOptions } from "../../../src/client/watcher.ts";
import { turn } from "../../support/turn.ts";
import { startLive, startWatch, type WatchBench } from "./watch-bench.ts";

const until = async (holds: () => boolean) => {
  while (!holds()) await turn();
};
const waits = (bench: WatchBench) => until(() => bench.status().kind === "waiting");

describe("watchAnalysis() and a token that does not come", () => {
  test("SDK-1: a token() that never settles is given up after ten seconds, and asked again", async () => {
    let calls = 0;
    const bench = startWatch({
      token: () => {
        calls += 1;
        return calls === 1 ? new Promise<string>(() => {}) : "x.y.z";
      },
    });
    bench.clock.advance(9_999);
    expect(bench.status()).toEqual({ kind: "connecting" });
    bench.clock.advance(1);
    expect(bench.status()).toMatchObject({ kind: "waiting", reason: "no token: no answer within 10 s" });
    bench.waitOut();
    expect((await bench.next()).protocols[1]).toBe("bearer.x.y.z");
  });

  test("SDK-1: a token that comes after the watcher gave up opens nothing", async () => {
    const late = Promise.withResolvers<string>();
    const bench = startWatch({ token: () => late.promise });
    bench.clock.advance(10_000);
    late.resolve("a.b.c");
    await late.promise;
    await Promise.resolve();
    expect(bench.sockets).toHaveLength(0);
    expect(bench.clock.pending).toBe(1);
  });

  const noToken: [string, () => unknown][] = [
    [
      "throws",
      () => {
        throw new Error("signed out");
      },
    ],
    ["rejects", () => Promise.reject(new Error("signed out"))],
    ["answers nothing", () => undefined],
    ["answers an object", () => ({ token: "a.b.c" })],
    ["answers an empty text", () => ""],
  ];
  test.each(noToken)(
    "SDK-1: a token() that %s is asked again, ever later, and no socket is made",
    async (_, token) => {
      const bench = startWatch({ token: token as WatchOptions["token"] });
      const pauses: number[] = [];
      for (let round = 0; round < 4; round += 1) {
        await waits(bench);
        const current = bench.status();
        if (current.kind === "waiting") pauses.push(current.retryInMs);
        bench.waitOut();
      }
      expect(pauses).toEqual([375, 750, 1500, 3000]);
      expect(bench.sockets).toHaveLength(0);
    },
  );

  test("SDK-9: a token that no subprotocol can carry is refused without being shown", async () => {
    const bench = startWatch({ token: () => "secret.part\n" });
    await until(() => bench.status().kind === "refused");
    expect(JSON.stringify(bench.statuses)).not.toContain("secret");
    expect(bench.clock.pending).toBe(0);
  });
});

describe("watchAnalysis() and a server that does not come round", () => {
  test("SDK-2: other frames do not make up for connection_established", async () => {
    const bench = startWatch();
    const socket = await bench.next();
    for (let second = 0; second < 10; second += 1) {
      expect(bench.status()).toEqual({ kind: "connecting" });
      socket.serverSends({ event_type: "heartbeat", message: "ping" });
      bench.clock.advance(1_000);
    }
    expect(bench.status()).toMatchObject({ kind: "waiting", reason: "no answer from the server" });
    expect(socket.closedWith).toBe(1000);
  });

  test.each([0, 0.5, 0.999])(
    "SDK-3: three fresh tokens are refused over about a minute, by chance %d",
    async (chance) => {
      let tokens = 0;
      const bench = startWatch({ token: () => `t.${++tokens}.s`, random: () => chance });
      const began = bench.clock.now();
      for (let round = 1; round <= 3; round += 1) {
        const socket = await bench.next();
        expect(socket.protocols[1]).toBe(`bearer.t.${round}.s`);
        socket.serverCloses(4001, "token is not valid yet");
        bench.waitOut();
      }
      expect(bench.status()).toMatchObject({ kind: "refused", code: 4001 });
      const seconds = (bench.clock.now() - began) / 1000;
      expect(seconds).toBeGreaterThanOrEqual(40);
      expect(seconds).toBeLessThanOrEqual(80);
    },
  );

  test("SDK-3: a link that breaks in between does not begin the count anew", async () => {
    const bench = startWatch();
    for (const code of [4001, 1006, 4001, 1006, 4001]) {
      (await bench.next()).serverCloses(code, "no");
      bench.waitOut();
    }
    expect(bench.status()).toMatchObject({ kind: "refused", code: 4001 });
  });

  test("SDK-3: a token that grew old on a live connection is no refusal of the next one", async () => {
    const bench = await startLive();
    bench.clock.advance(6_000);
    bench.socket.serverCloses(4001, "token expired");
    for (let round = 0; round < 2; round += 1) {
      bench.waitOut();
      (await bench.next()).serverCloses(4001, "no");
      expect(bench.status().kind).toBe("waiting");
    }
    bench.waitOut();
    (await bench.next()).serverCloses(4001, "no");
    expect(bench.status().kind).toBe("refused");
  });

  test("SDK-4: 4003 not_declared is tried again for 30 s, to the end of them, and is final then", async () => {
    const bench = startWatch();
    const began = bench.clock.now();
    let tries = 0;
    while (bench.status().kind !== "refused") {
      (await bench.next()).serverCloses(4003, "not_declared");
      tries += 1;
      bench.waitOut();
    }
    expect(bench.clock.now() - began).toBe(30_000);
    expect(tries).toBeGreaterThan(6);
    expect(bench.status()).toEqual({ kind: "refused", code: 4003, reason: "not_declared" });
    expect(bench.clock.pending).toBe(0);
  });

  test("SDK-4: a watch that begins just before the viewers are declared is live just after", async () => {
    const bench = startWatch();
    (await bench.next()).serverCloses(4003, "not_declared");
    expect(bench.status()).toEqual({ kind: "waiting", retryInMs: 375, code: 4003, reason: "not_declared" });
    bench.waitOut();
    (await bench.next()).establish();
    expect(bench.status()).toEqual({ kind: "live" });
    // Another such refusal, much later, has thirty seconds of its own.
    bench.clock.advance(20_000);
    bench.sockets.at(-1)?.serverCloses(4003, "not_declared");
    expect(bench.status().kind).toBe("waiting");
  });

  test.each(["origin", "not allowed", "declared", ""])(
    "SDK-4: 4003 with reason %p is final",
    async (reason) => {
      const bench = startWatch();
      (await bench.next()).serverCloses(4003, reason);
      expect(bench.status()).toEqual({ kind: "refused", code: 4003, reason });
    },
  );

  const refusals: [string, string, number][] = [
    ["not_allowed", "refused", 4003],
    ["not_an_analysis_id", "refused", 4004],
    ["not_declared", "waiting", 4003],
    ["broker_unavailable", "waiting", 1013],
    ["of_a_later_release", "refused", 4003],
  ];
  test.each(refusals)(
    "SDK-4: a frame subscription_refused of %s says the same as a close",
    async (code, kind, as) => {
      const { socket, status } = await startLive();
      socket.serverSends({ event_type: "subscription_refused", analysis_id: "…", code, message: "no" });
      expect(status()).toMatchObject({ kind, code: as, reason: code });
      expect(socket.closedWith).toBe(1000);
    },
  );

  test("SDK-10: a protocol_error is passed on and ends nothing", async () => {
    const problems: unknown[] = [];
    const { socket, status } = await startLive({ onProblem: (problem) => problems.push(problem) });
    socket.serverSends({ event_type: "protocol_error", code: "not_json", message: "the frame is not JSON" });
    expect(problems).toEqual([{ code: "not_json", message: "the frame is not JSON" }]);
    expect(status()).toEqual({ kind: "live" });
  });
});

describe("watchAnalysis() without a WebSocket", () => {
  const { WebSocket } = globalThis;
  afterEach(() => {
    globalThis.WebSocket = WebSocket;
  });

  test("SDK-5: ends as refused, and the reason names the option", async () => {
    Reflect.deleteProperty(globalThis, "WebSocket");
    const { webSocket: _, ...bench } = {
      webSocket: undefined,
      ...startWatch({ webSocket: undefined as never }),
    };
    await until(() => bench.status().kind === "refused");
    expect(bench.status()).toMatchObject({ reason: expect.stringContaining("option webSocket") });
    expect(bench.clock.pending).toBe(0);
  });
});
