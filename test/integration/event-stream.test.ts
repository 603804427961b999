import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { openStream, openStreamAt, type StreamOptions } from "../support/reading-stream.ts";

describe("watching over server-sent events", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway({
      MAX_CONNECTIONS_PER_USER: "3",
      HEARTBEAT_TIMEOUT_SECONDS: "2",
      HEARTBEAT_INTERVAL_SECONDS: "1",
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const stream = async (id: string, options: StreamOptions = {}) =>
    openStream(gateway.url, id, { token: await tokenFor({ user: crypto.randomUUID() }), ...options });
  const idsOf = async (answer: Response) => ((await answer.json()) as { event_ids: string[] }).event_ids;

  test("SSE-1: connection_established comes first, without an id, then the latest state, then live, as text of one line", async () => {
    const id = crypto.randomUUID();
    const [first] = await idsOf(await publish(gateway, id, statusUpdate({ message: "before" })));
    const events = await stream(id);
    expect(events.response.headers.get("content-type")).toBe("text/event-stream");
    expect(events.response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(events.response.headers.get("x-accel-buffering")).toBe("no");
    expect(await events.next()).toMatchObject({
      id: undefined,
      event: "connection_established",
      data: { resumed: null },
    });
    expect(await events.next()).toMatchObject({
      id: first,
      event: "status_update",
      data: { message: "before", event_id: first },
    });
    await publish(
      gateway,
      id,
      `{"event_type":"result_update",\n"confidence_score":1.0,\n"frames_processed":1,"total_frames":1,"is_fake":false}`,
    );
    expect(await events.next()).toMatchObject({ event: "result_update", data: { is_fake: false } });
    await events.leave();
  });

  test("SSE-2: it is resumed by Last-Event-ID, which counts before the query", async () => {
    const id = crypto.randomUUID();
    const ids = await idsOf(
      await publish(gateway, id, [statusUpdate(), statusUpdate(), statusUpdate({ message: "third" })]),
    );
    const events = await stream(id, { lastEventId: ids[1] as string, query: "?last_event_id=0" });
    expect(await events.next()).toMatchObject({ data: { resumed: true } });
    expect(await events.next()).toMatchObject({ id: ids[2], data: { message: "third" } });
    await events.leave();
    const gone = await stream(id, { lastEventId: "zzzzzzzzzz-9" });
    expect(await gone.next()).toMatchObject({ data: { resumed: false } });
    await gone.leave();
  });

  test("SSE-3: until=terminal ends the stream, and answers 204 to who has seen the end", async () => {
    const id = crypto.randomUUID();
    const ids = await idsOf(await publish(gateway, id, [statusUpdate(), resultUpdate()]));
    const events = await stream(id, { query: "?until=terminal" });
    expect((await events.rest()).map((event) => event.event)).toEqual([
      "connection_established",
      "status_update",
      "result_update",
      "closing",
    ]);
    expect(
      (await stream(id, { query: "?until=terminal", lastEventId: ids[1] as string })).response.status,
    ).toBe(204);
    const earlier = await stream(id, { query: "?until=terminal", lastEventId: ids[0] as string });
    expect((await earlier.rest()).map((event) => event.event)).toEqual([
      "connection_established",
      "result_update",
      "closing",
    ]);
  });

  test("SSE-4: refusals are problems with their status, and leave nothing behind", async () => {
    const id = crypto.randomUUID();
    const statusOf = async (path: string, options: StreamOptions) =>
      (await openStream(gateway.url, path, options)).response.status;
    const token = await tokenFor();
    expect(await statusOf(id, {})).toBe(401);
    expect(await statusOf("no-uuid", { token })).toBe(400);
    expect(await statusOf(id, { token: await tokenFor({ analyses: [crypto.randomUUID()] }) })).toBe(403);
    expect(await statusOf(id, { token, query: "?replay=everything" })).toBe(400);
    const held = await Promise.all([1, 2, 3].map(() => openStream(gateway.url, id, { token })));
    expect(await statusOf(id, { token })).toBe(429);
    await Promise.all(held.map((events) => events.leave()));
    await eventually("nobody is counted", async () => {
      const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as { websocket_stats: unknown };
      return Bun.deepEquals(health.websocket_stats, { total_connections: 0, active_analyses: 0 });
    });
  });

  test("SSE-5: a notice comes without an id, so that it is never taken for a position", async () => {
    const user = crypto.randomUUID();
    const events = await stream(crypto.randomUUID(), { token: await tokenFor({ user }) });
    await events.next();
    await fetch(`${gateway.url}/v1/notices`, {
      method: "POST",
      headers: { Authorization: `Bearer ${await tokenFor({ scopes: ["notice:publish"] })}` },
      body: JSON.stringify({ user_id: user, message: "hello" }),
    });
    expect(await events.next()).toMatchObject({ id: undefined, event: "notice", data: { message: "hello" } });
    await events.leave();
  });

  test("SSE-6: a quiet stream is kept alive by comments, beyond the heartbeat timeout of clients that could answer", async () => {
    const id = crypto.randomUUID();
    const events = await stream(id);
    await events.next();
    await events.comments(3);
    await publish(gateway, id, statusUpdate({ message: "still there" }));
    expect(await events.next()).toMatchObject({ data: { message: "still there" } });
    await events.leave();
  });

  test("SSM-3: a stream of many analyses resumes each of them, and a drain ends it as any other", async () => {
    const leaving = await startGateway();
    const token = await tokenFor();
    const ids = [crypto.randomUUID(), crypto.randomUUID()];
    const path = `${leaving.url}/v1/events?${ids.map((id) => `analysis=${id}`).join("&")}`;
    for (const id of ids) await publish(leaving, id, statusUpdate());
    const events = await openStreamAt(path, { token });
    let last = "";
    for (let got = 0; got < 2; ) {
      const { id } = await events.next();
      if (id !== undefined) got++;
      last = id ?? last;
    }
    await events.leave();
    for (const id of ids) await publish(leaving, id, statusUpdate({ message: "missed" }));
    const again = await openStreamAt(path, { token, lastEventId: last });
    const missed: unknown[] = [];
    while (missed.length < 2) {
      const { event, data } = await again.next();
      if (event === "subscribed") expect(data.resumed).toBe(true);
      if (event === "status_update") missed.push(data.message);
    }
    expect(missed).toEqual(["missed", "missed"]);
    const exit = leaving.stop();
    expect((await again.rest()).map(({ event, data }) => [event, data.code])).toEqual([["closing", 1001]]);
    expect(await exit).toBe(0);
  });

  test("SSE-7: a drain ends the stream with a time to come back", async () => {
    const leaving = await startGateway();
    const events = await openStream(leaving.url, crypto.randomUUID(), { token: await tokenFor() });
    await events.next();
    const asked = events.retry;
    const exit = leaving.stop();
    const [closing] = await events.rest();
    expect(closing).toMatchObject({ id: undefined, event: "closing", data: { code: 1001, reconnect: true } });
    expect(closing?.data.reason).toBe(`retry_after_ms=${events.retry}`);
    expect(closing?.data.retry_after_ms).toBe(events.retry);
    expect([asked > 0, events.retry > 0]).toEqual([true, true]);
    expect(await exit).toBe(0);
  });
});
