import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

describe("coming back to where one left", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway({ HISTORY_SIZE: "100", MAX_CONNECTIONS_PER_USER: "1000" });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const watch = async (id: string, query: Record<string, string> = {}) =>
    new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor(), ...query }));
  const publishSteps = async (id: string, from: number, to: number): Promise<string[]> => {
    const steps = Array.from({ length: to - from + 1 }, (_, index) =>
      statusUpdate({ message: `step ${from + index}` }),
    );
    return ((await (await publish(gateway, id, steps)).json()) as { event_ids: string[] }).event_ids;
  };
  const messages = (socket: WatchingSocket) => socket.events.map((event) => event.message);

  test("RES-1: a good last_event_id is resumed: everything after it, then live, each event once", async () => {
    const id = crypto.randomUUID();
    const ids = await publishSteps(id, 1, 20);
    const socket = await watch(id, { last_event_id: ids[14] as string });
    expect(await socket.established()).toMatchObject({ resumed: true });
    await publishSteps(id, 21, 22);
    await socket.until((frame) => frame.message === "step 22");
    expect(messages(socket)).toEqual([16, 17, 18, 19, 20, 21, 22].map((step) => `step ${step}`));
    await socket.leave();
  });

  test("RES-2: a position that is trimmed, unknown or unreadable is answered resumed: false and the latest state", async () => {
    const id = crypto.randomUUID();
    const [first = ""] = await publishSteps(id, 1, 400);
    for (const gone of [first, "zzzzzzzzzz-390", "nonsense", `${first.split("-")[0]}-401`]) {
      const socket = await watch(id, { last_event_id: gone });
      expect(await socket.established()).toMatchObject({ resumed: false });
      await socket.untilType("status_update");
      expect(messages(socket)).toEqual(["step 400"]);
      await socket.leave();
    }
  });

  test("RES-3: an empty last_event_id counts as none given, and 0 is the position before the first event", async () => {
    const id = crypto.randomUUID();
    await publishSteps(id, 1, 3);
    const empty = await watch(id, { last_event_id: "" });
    expect(await empty.established()).toMatchObject({ resumed: null });
    const beginning = await watch(id, { last_event_id: "0" });
    expect(await beginning.established()).toMatchObject({ resumed: true });
    await beginning.until((frame) => frame.message === "step 3");
    expect(messages(beginning)).toEqual(["step 1", "step 2", "step 3"]);
    await Promise.all([empty.leave(), beginning.leave()]);
  });

  test("RES-4: replay=all sends the whole retained history, replay=none nothing, both then live", async () => {
    const id = crypto.randomUUID();
    await publishSteps(id, 1, 50);
    const [all, none] = [await watch(id, { replay: "all" }), await watch(id, { replay: "none" })];
    await Promise.all([all.established(), none.established()]);
    await publishSteps(id, 51, 51);
    await Promise.all([all, none].map((socket) => socket.until((frame) => frame.message === "step 51")));
    expect(messages(all)).toEqual(Array.from({ length: 51 }, (_, index) => `step ${index + 1}`));
    expect(messages(none)).toEqual(["step 51"]);
    await Promise.all([all.leave(), none.leave()]);
  });

  test("RES-5: until=terminal closes with 1000 once the current terminal event was sent, live or replayed", async () => {
    const id = crypto.randomUUID();
    const [firstId = ""] = await publishSteps(id, 1, 1);
    const live = await watch(id, { until: "terminal" });
    await live.established();
    const answer = await publish(gateway, id, resultUpdate());
    const [resultId = ""] = ((await answer.json()) as { event_ids: string[] }).event_ids;
    expect(await live.closed).toMatchObject({ code: 1000 });
    expect(live.events.map((event) => event.event_type)).toEqual(["status_update", "result_update"]);
    for (const query of [{}, { replay: "all" }, { last_event_id: firstId }, { last_event_id: resultId }]) {
      const later = await watch(id, { until: "terminal", ...query });
      expect((await later.closed).code).toBe(1000);
    }
    await publish(gateway, id, statusUpdate({ message: "a retry" }));
    const reopened = await watch(id, { until: "terminal", replay: "all" });
    await reopened.until((frame) => frame.message === "a retry");
    reopened.send({ type: "ping" });
    await reopened.untilType("heartbeat");
    await reopened.leave();
  });

  test("RES-6: watchers that join at any moment of a burst miss nothing and get nothing twice", async () => {
    const id = crypto.randomUUID();
    const [first = ""] = await publishSteps(id, 1, 1);
    const burst = (async () => {
      for (let step = 2; step <= 60; step++) await publishSteps(id, step, step);
    })();
    const sockets: WatchingSocket[] = [];
    for (let joined = 0; joined < 40; joined++) {
      const socket = await watch(id, { last_event_id: first });
      sockets.push(socket);
      await socket.established();
    }
    await burst;
    for (const socket of sockets) {
      await socket.until((frame) => frame.message === "step 60");
      expect(messages(socket)).toEqual(Array.from({ length: 59 }, (_, index) => `step ${index + 2}`));
      await socket.leave();
    }
  });

  test("RES-7: a query that cannot be understood is answered with a protocol_error, and the default holds", async () => {
    const id = crypto.randomUUID();
    await publishSteps(id, 1, 2);
    const socket = await watch(id, { replay: "everything" });
    await socket.untilType("status_update");
    expect(socket.frames.map((frame) => frame.event_type)).toEqual([
      "connection_established",
      "protocol_error",
      "status_update",
    ]);
    await socket.leave();
  });

  test("READ-1: the folded state names its position, so that fetch-then-subscribe has no gap", async () => {
    const id = crypto.randomUUID();
    const read = async () =>
      fetch(`${gateway.url}/v1/analyses/${id}`, { headers: { Authorization: `Bearer ${await tokenFor()}` } });
    expect(await (await read()).json()).toMatchObject({
      analysis_id: id,
      status: "unknown",
      last_event_id: "0",
    });
    await publishSteps(id, 1, 400);
    const state = (await (await read()).json()) as { last_event_id: string };
    expect(state).toMatchObject({
      status: "running",
      progress: 0.5,
      message: "step 400",
      stages: [{ ended_at: null }],
    });
    await publish(gateway, id, resultUpdate());
    const socket = await watch(id, { last_event_id: state.last_event_id, until: "terminal" });
    expect((await socket.closed).code).toBe(1000);
    expect(socket.events.map((event) => event.event_type)).toEqual(["result_update"]);
    expect(await (await read()).json()).toMatchObject({
      status: "completed",
      result: { is_fake: true },
      error: null,
    });
  });

  test("READ-2: reading needs what watching needs: a token, a user, the right", async () => {
    const id = crypto.randomUUID();
    const statusOf = async (headers: Record<string, string>, path: string = id) =>
      (await fetch(`${gateway.url}/v1/analyses/${path}`, { headers })).status;
    expect(await statusOf({})).toBe(401);
    expect(await statusOf({ Authorization: "Bearer nonsense" })).toBe(401);
    const elsewhere = await tokenFor({ analyses: [crypto.randomUUID()] });
    expect(await statusOf({ Authorization: `Bearer ${elsewhere}` })).toBe(403);
    expect(await statusOf({ Authorization: `Bearer ${await tokenFor()}` }, "no-uuid")).toBe(400);
    const cookie = `access_token=${await tokenFor()}`;
    expect(await statusOf({ Cookie: cookie })).toBe(200);
    expect(await statusOf({ Cookie: cookie, "Sec-Fetch-Site": "cross-site" })).toBe(401);
  });

  test("READ-3: events are read page by page, as they were written, from the oldest kept or after a position", async () => {
    const id = crypto.randomUUID();
    const ids = await publishSteps(id, 1, 30);
    const read = async (query: string) => {
      const url = `${gateway.url}/v1/analyses/${id}/events${query}`;
      return (
        await fetch(url, { headers: { Authorization: `Bearer ${await tokenFor()}` } })
      ).json() as Promise<{
        events: { message: string; event_id: string }[];
        last_event_id: string;
        resumed: boolean | null;
      }>;
    };
    const first = await read("?limit=20");
    expect(first).toMatchObject({ resumed: null, last_event_id: ids[19] });
    expect(first.events.map((event) => event.event_id)).toEqual(ids.slice(0, 20));
    const rest = await read(`?after=${first.last_event_id}`);
    expect(rest).toMatchObject({ resumed: true, last_event_id: ids[29] });
    expect(rest.events.map((event) => event.event_id)).toEqual(ids.slice(20));
    expect(await read(`?after=${rest.last_event_id}`)).toEqual({
      events: [],
      last_event_id: ids[29] as string,
      resumed: true,
    });
    expect(await read("?after=nonsense&limit=1")).toMatchObject({ resumed: false, last_event_id: ids[0] });
    expect(await read("?limit=0")).toMatchObject({ code: "invalid_query", issues: [{ path: ["limit"] }] });
    expect(await read("?wait=61")).toMatchObject({ code: "invalid_query", issues: [{ path: ["wait"] }] });
  });

  test("READ-4: with wait, a read is answered by the first new event, and leaves nothing watched", async () => {
    const id = crypto.randomUUID();
    const [last = ""] = await publishSteps(id, 1, 1);
    const url = `${gateway.url}/v1/analyses/${id}/events?after=${last}&wait=20`;
    const waiting = fetch(url, { headers: { Authorization: `Bearer ${await tokenFor()}` } });
    await publishSteps(id, 2, 2);
    expect(await (await waiting).json()).toMatchObject({ resumed: true, events: [{ message: "step 2" }] });
    const began = performance.now();
    const short = await fetch(url.replace(last, "0"), {
      headers: { Authorization: `Bearer ${await tokenFor()}` },
    });
    expect(((await short.json()) as { events: unknown[] }).events).toHaveLength(2);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
