import { describe, expect, test } from "bun:test";
import {
  type PublisherOptions,
  PublishFailed,
  PublishRefused,
  type StatusUpdate,
  TelltalePublisher,
} from "../../../src/client/publisher.ts";
import { PausingClock, ScriptedGateway } from "./scripted-gateway.ts";

const ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const update = (message: string): StatusUpdate => ({
  task_id: "task-1",
  progress: 0.5,
  current_stage: "model_inference",
  message,
});

function setUp(options: Partial<PublisherOptions> = {}) {
  const gateway = new ScriptedGateway();
  const clock = new PausingClock();
  const publisher = new TelltalePublisher({
    url: "https://gateway.example",
    token: "a-token",
    fetch: gateway.fetch,
    clock,
    random: () => 0,
    ...options,
  });
  return { gateway, clock, publisher };
}

/** The error of a rejected call. */
async function rejection<Kind extends Error>(
  call: Promise<unknown>,
  kind: new (...args: never[]) => Kind,
): Promise<Kind> {
  const outcome = await call.catch((error: unknown) => error);
  if (outcome instanceof kind) return outcome;
  throw new Error(`not rejected with ${kind.name}: ${Bun.inspect(outcome)}`);
}

describe("TelltalePublisher sends", () => {
  test("a status update as the wire has it, and answers its event_id", async () => {
    const { gateway, publisher } = setUp({ url: "https://gateway.example/telltale/" });
    const eta = new Date("2026-11-24T10:00:00Z");
    const call = publisher.sendStatusUpdate(ID.toUpperCase(), {
      ...update("half"),
      estimated_completion: eta,
      attempt_id: "run-2",
      gpu: 3,
    });
    const request = await gateway.next();
    expect(request.url).toBe(`https://gateway.example/telltale/v1/analyses/${ID}/events`);
    expect(request.init).toMatchObject({ method: "POST", redirect: "manual" });
    expect(request.headers.get("Authorization")).toBe("Bearer a-token");
    expect(request.headers.get("Content-Type")).toBe("application/json");
    expect(request.key).toMatch(/^[0-9a-f-]{36}$/);
    expect(request.body).toEqual({
      event_type: "status_update",
      task_id: "task-1",
      progress: 0.5,
      current_stage: "model_inference",
      message: "half",
      estimated_completion: "2026-11-24T10:00:00.000Z",
      attempt_id: "run-2",
      gpu: 3,
      timestamp: "2026-11-24T00:00:00.000Z",
    });
    request.accept("e1-7");
    expect(await call).toEqual({ eventIds: ["e1-7"], duplicate: false, cancelRequested: false });
  });

  test("results, errors and batches, each with its event_type", async () => {
    const { gateway, publisher } = setUp();
    const verdict = { confidence_score: 0.9, is_fake: true, frames_processed: 10, total_frames: 10 };
    const fault = {
      error_code: "decode",
      error_message: "no video stream",
      timestamp: "2026-11-24 03:27:22+00:00",
    };
    const calls = [
      publisher.sendResultUpdate(ID, verdict),
      publisher.sendErrorUpdate(ID, fault),
      publisher.sendResult(ID, { data: [1, 2], summary: "two numbers" }),
      publisher.sendEvents(ID, [
        { ...update("a"), event_type: "status_update" },
        { ...fault, event_type: "error" },
      ]),
    ];
    const bodies: unknown[] = [];
    for (const _ of calls) {
      const request = await gateway.next();
      bodies.push(request.body);
      request.accept("x");
    }
    await Promise.all(calls);
    expect(bodies).toMatchObject([
      { event_type: "result_update", ...verdict },
      { event_type: "error", ...fault },
      { event_type: "result", data: [1, 2], summary: "two numbers" },
      [
        { event_type: "status_update", message: "a" },
        { event_type: "error", ...fault },
      ],
    ]);
  });

  test("notices to a user and to everybody", async () => {
    const { gateway, publisher } = setUp();
    const toAlice = publisher.sendNotice({
      userId: "alice",
      level: "warning",
      message: "soon",
      data: { at: 1 },
    });
    const toAll = publisher.sendNotice({ message: "maintenance" });
    const [first, second] = [await gateway.next(), await gateway.next()];
    expect(first.url).toBe("https://gateway.example/v1/notices");
    expect(first.body).toEqual({ user_id: "alice", level: "warning", message: "soon", data: { at: 1 } });
    expect(second.body).toEqual({ message: "maintenance" });
    first.accept("n-1");
    second.accept("n-2");
    expect((await toAlice).eventIds).toEqual(["n-1"]);
    expect((await toAll).eventIds).toEqual(["n-2"]);
  });

  test("the viewers of an analysis before the events that were sent after them", async () => {
    const { gateway, publisher } = setUp();
    const declared = publisher.declareViewers(ID, ["alice"]);
    const sent = publisher.sendStatusUpdate(ID, update("first"));
    const request = await gateway.next();
    expect(request).toMatchObject({
      url: `https://gateway.example/v1/analyses/${ID}`,
      init: { method: "PUT" },
      key: null,
    });
    expect(request.body).toEqual({ viewers: ["alice"] });
    expect(gateway.requests).toHaveLength(1);
    request.answer(204);
    expect(await declared).toBeUndefined();
    (await gateway.next()).accept("e-1");
    await sent;
  });

  test("with a token asked for anew at every try", async () => {
    let asked = 0;
    const { gateway, publisher } = setUp({ token: async () => `token-${++asked}` });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).cutOff();
    const second = await gateway.next();
    expect(second.headers.get("Authorization")).toBe("Bearer token-2");
    second.accept("e-1");
    await call;
  });

  test("the event as it was at the call, also if the object changes later", async () => {
    const { gateway, clock, publisher } = setUp();
    const changing = { ...update("before") };
    const first = publisher.sendStatusUpdate(ID, update("first"));
    const second = publisher.sendStatusUpdate(ID, changing);
    changing.message = "after";
    clock.pass(5000);
    (await gateway.next()).accept("e-1");
    const request = await gateway.next();
    expect(request.body).toMatchObject({ message: "before", timestamp: "2026-11-24T00:00:00.000Z" });
    request.accept("e-2");
    await Promise.all([first, second]);
  });
});

describe("TelltalePublisher keeps order", () => {
  test("with one request of an analysis in flight, also while the first is tried again", async () => {
    const { gateway, publisher } = setUp();
    const calls = ["one", "two", "three"].map((message) => publisher.sendStatusUpdate(ID, update(message)));
    (await gateway.next()).answer(503, { code: "broker_unavailable" });
    const again = await gateway.next();
    expect(gateway.requests.map(({ body }) => (body as StatusUpdate).message)).toEqual(["one", "one"]);
    again.accept("e-1");
    (await gateway.next()).accept("e-2");
    (await gateway.next()).accept("e-3");
    expect((await Promise.all(calls)).map(({ eventIds }) => eventIds[0])).toEqual(["e-1", "e-2", "e-3"]);
    expect(gateway.requests.map(({ body }) => (body as StatusUpdate).message)).toEqual([
      "one",
      "one",
      "two",
      "three",
    ]);
  });

  test("and lets no analysis wait for another", async () => {
    const { gateway, publisher } = setUp();
    const stuck = publisher.sendStatusUpdate(ID, update("stuck"));
    const held = await gateway.next();
    const free = publisher.sendStatusUpdate(OTHER, update("free"));
    (await gateway.next()).accept("o-1");
    expect((await free).eventIds).toEqual(["o-1"]);
    held.accept("e-1");
    await stuck;
  });

  test("takes upper and lower case for the same analysis", async () => {
    const { gateway, publisher } = setUp();
    const first = publisher.sendStatusUpdate(ID, update("one"));
    const second = publisher.sendStatusUpdate(ID.toUpperCase(), update("two"));
    const request = await gateway.next();
    expect(gateway.requests).toHaveLength(1);
    request.accept("e-1");
    await first;
    (await gateway.next()).accept("e-2");
    await second;
  });
});

describe("TelltalePublisher tries again", () => {
  test("under the same key, and tells when the first try had counted", async () => {
    const { gateway, publisher } = setUp();
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).cutOff();
    (await gateway.next()).answer(502, "<html>bad gateway</html>");
    (await gateway.next()).answer(504);
    (await gateway.next()).answer(408, { code: "request_timeout" });
    (await gateway.next()).answer(503, { code: "outcome_unknown" });
    (await gateway.next()).answer(202, '{"event_ids":["e-');
    (await gateway.next()).answer(202, { event_ids: ["e-1"], duplicate: true });
    expect(await call).toEqual({ eventIds: ["e-1"], duplicate: true, cancelRequested: false });
    expect(new Set(gateway.requests.map(({ key }) => key)).size).toBe(1);
    expect(new Set(gateway.requests.map(({ init }) => init.body)).size).toBe(1);
  });

  test("with another key for another event", async () => {
    const { gateway, publisher } = setUp();
    const calls = [publisher.sendStatusUpdate(ID, update("x")), publisher.sendStatusUpdate(ID, update("x"))];
    (await gateway.next()).accept("e-1");
    (await gateway.next()).accept("e-2");
    await Promise.all(calls);
    expect(gateway.requests[0]?.key).not.toBe(gateway.requests[1]?.key as string);
  });

  test("after a pause that doubles up to a limit", async () => {
    const { gateway, clock, publisher } = setUp({ retry: { firstPauseMs: 100, longestPauseMs: 400 } });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    for (let failures = 0; failures < 5; failures++) (await gateway.next()).answer(503);
    (await gateway.next()).accept("e-1");
    await call;
    expect(clock.pauses).toEqual([100, 200, 400, 400, 400]);
  });

  test("after a pause spread between half and all of it", async () => {
    const { gateway, clock, publisher } = setUp({ random: () => 0.5, retry: { firstPauseMs: 100 } });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).answer(503);
    (await gateway.next()).accept("e-1");
    await call;
    expect(clock.pauses).toEqual([75]);
  });

  test.each([
    ["3", 3000],
    ["Tue, 24 Nov 2026 00:00:07 GMT", 7000],
    ["Mon, 23 Nov 2026 00:00:00 GMT", 0],
    ["soon", 250],
  ])("after Retry-After: %s, in %i ms", async (header, pause) => {
    const { gateway, clock, publisher } = setUp();
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).answer(429, { code: "rate" }, { "Retry-After": header });
    (await gateway.next()).accept("e-1");
    await call;
    expect(clock.pauses).toEqual([pause]);
  });

  test("when a request gets no answer in its time", async () => {
    const { gateway, publisher } = setUp({ retry: { requestTimeoutMs: 5 } });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    await gateway.next();
    (await gateway.next()).accept("e-1");
    expect((await call).eventIds).toEqual(["e-1"]);
  });

  test("when no token could be had", async () => {
    let asked = 0;
    const token = () => {
      asked += 1;
      if (asked === 1) throw new Error("token service away");
      return "a-token";
    };
    const { gateway, publisher } = setUp({ token });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).accept("e-1");
    await call;
    expect(asked).toBe(2);
  });
});

describe("TelltalePublisher gives up", () => {
  test("on a token() that throws, and says so", async () => {
    const token = () => Promise.reject(new Error("service away"));
    const { gateway, publisher } = setUp({ token, retry: { totalMs: 1_000 } });
    const { cause, mayHaveBeenStored } = await rejection(
      publisher.sendStatusUpdate(ID, update("x")),
      PublishFailed,
    );
    expect([String(cause), mayHaveBeenStored]).toEqual([
      "Error: the token could not be had: service away",
      false,
    ]);
    expect(gateway.requests).toEqual([]);
  });

  test("SDK-8: on a token() that never settles, and asks again; nothing of it may have been stored", async () => {
    let asked = 0;
    const token = () => {
      asked += 1;
      return new Promise<string>(() => {});
    };
    const { publisher } = setUp({ token, retry: { requestTimeoutMs: 2, totalMs: 1_000, firstPauseMs: 400 } });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    expect(await rejection(call, PublishFailed)).toMatchObject({ attempts: 2, mayHaveBeenStored: false });
    expect(asked).toBe(2);
  });

  test("SDK-8: on a fetch that heeds no signal, and what waits behind it is sent", async () => {
    const { gateway, publisher } = setUp({
      fetch: (url, init) =>
        String(init.body).includes("deaf") ? new Promise<Response>(() => {}) : gateway.fetch(url, init),
      retry: { requestTimeoutMs: 2, totalMs: 100 },
    });
    const call = publisher.sendStatusUpdate(ID, update("deaf"));
    const behind = publisher.sendStatusUpdate(ID, update("behind"));
    expect(await rejection(call, PublishFailed)).toMatchObject({ mayHaveBeenStored: true });
    (await gateway.next()).accept("e-1");
    expect((await behind).eventIds).toEqual(["e-1"]);
  });

  test.each([undefined, { token: "a.b" }, ""])("SDK-9: on a token that is %p, at once", async (token) => {
    const { gateway, publisher } = setUp({ token: () => token as string });
    await rejection(publisher.sendStatusUpdate(ID, update("x")), TypeError);
    expect(gateway.requests).toHaveLength(0);
  });

  test("when the time is over, and goes on with what follows", async () => {
    const { gateway, clock, publisher } = setUp({ retry: { totalMs: 1000, firstPauseMs: 400 } });
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).cutOff();
    (await gateway.next()).cutOff();
    const error = await rejection(call, PublishFailed);
    expect(error).toMatchObject({ code: "publish_failed", attempts: 2, mayHaveBeenStored: true });
    expect((error.cause as Error).message).toBe("connection reset");
    expect(clock.pauses).toEqual([400]);

    const next = publisher.sendStatusUpdate(ID, update("y"));
    (await gateway.next()).accept("e-1");
    expect((await next).eventIds).toEqual(["e-1"]);
  });

  test("at once when it is told to come back after its time", async () => {
    const { gateway, clock, publisher } = setUp();
    const call = publisher.sendStatusUpdate(ID, update("x"));
    (await gateway.next()).answer(429, {}, { "Retry-After": "121" });
    expect(await rejection(call, PublishFailed)).toMatchObject({ attempts: 1, mayHaveBeenStored: false });
    expect(clock.pauses).toEqual([]);
  });

  test("on everything that waited since the same moment, so that no call takes much longer than its time", async () => {
    const { gateway, clock, publisher } = setUp({ retry: { totalMs: 1000 } });
    const calls = ["a", "b", "c"].map((message) => publisher.sendStatusUpdate(ID, update(message)));
    const outcomes = Promise.allSettled(calls);
    const request = await gateway.next();
    clock.pass(1000);
    request.answer(503, { code: "broker_unavailable" });
    const errors = (await outcomes).map((outcome) =>
      outcome.status === "rejected" ? outcome.reason : undefined,
    );
    expect(errors).toMatchObject([
      { attempts: 1 },
      { attempts: 0 },
      { attempts: 0, mayHaveBeenStored: false },
    ]);
    expect(gateway.requests).toHaveLength(1);
  });

  test("never later than the gateway remembers the key", () => {
    expect(() => setUp({ retry: { totalMs: 300_000 } })).toThrow(RangeError);
  });
});

describe("TelltalePublisher is refused", () => {
  test("once: the fields are named, and what follows is sent", async () => {
    const { gateway, clock, publisher } = setUp();
    const refused = publisher.sendStatusUpdate(ID, { ...update("x"), progress: 2 });
    const next = publisher.sendStatusUpdate(ID, update("y"));
    const issues = [{ path: ["progress"], message: "at most 1" }];
    const problem = { code: "invalid_event", title: "Invalid", detail: "An event breaks the rules.", issues };
    (await gateway.next()).answer(422, problem, { "Content-Type": "application/problem+json" });
    const error = await rejection(refused, PublishRefused);
    expect(error).toMatchObject({ code: "invalid_event", status: 422, issues });
    expect(error.message).toBe("An event breaks the rules.");
    (await gateway.next()).accept("e-1");
    expect((await next).eventIds).toEqual(["e-1"]);
    expect(gateway.requests).toHaveLength(2);
    expect(clock.pauses).toEqual([]);
  });

  test.each([400, 401, 403, 404, 409, 413, 501, 302, 200])(
    "with status %i, and does not try again",
    async (status) => {
      const { gateway, publisher } = setUp();
      const call = publisher.sendStatusUpdate(ID, update("x"));
      (await gateway.next()).answer(status, "no JSON");
      expect(await rejection(call, PublishRefused)).toMatchObject({
        code: `http_${status}`,
        status,
        issues: [],
      });
      expect(gateway.requests).toHaveLength(1);
    },
  );

  test("for what cannot be sent at all, without asking the gateway", async () => {
    const { gateway, publisher } = setUp();
    await rejection(publisher.sendStatusUpdate("../x", update("x")), TypeError);
    await rejection(publisher.declareViewers("x", "*"), TypeError);
    await rejection(publisher.sendStatusUpdate(ID, { ...update("x"), big: 1n }), TypeError);
    expect(gateway.requests).toEqual([]);
    expect(() => setUp({ url: "ftp://gateway.example" })).toThrow(TypeError);
  });

  test("for a token that no header can carry, which is not shown", async () => {
    const { gateway, publisher } = setUp({ token: "secret\nsecret" });
    const error = await rejection(publisher.sendStatusUpdate(ID, update("x")), TypeError);
    expect(Bun.inspect(error)).not.toContain("secret\n");
    expect(error.message).not.toContain("secret");
    expect(gateway.requests).toEqual([]);
  });
});
