import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { runtime } from "../../src/client/watch/environment.ts";
import { eventStream, longPoll } from "../../src/client/watch/event-stream-transport.ts";
import { choiceOf } from "../../src/client/watch/transport-choice.ts";
import { watchOver } from "../../src/client/watch/watch.ts";
import type { WatchOptions } from "../../src/client/watch/watch-options.ts";
import type { WatchedEvent } from "../../src/client/watch/watched-events.ts";
import { webSocket } from "../../src/client/watch/web-socket-transport.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { publisherToken, tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(60_000);

/** Comes back without a pause worth the name: a test that cuts often would wait for it. */
const IMPATIENT = { ...runtime, random: () => 0.02 };

describe.each([
  ["a WebSocket", webSocket],
  ["server-sent events", eventStream],
  ["reads that wait", longPoll],
])("telltale-client on a gateway, over %s", (_, transport) => {
  const gateway = useGateway({ WATCH_DEFAULT: "deny", STALL_AFTER_SECONDS: "1" });
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.start({ host: "127.0.0.1", port: gateway.port });
  });
  afterAll(() => proxy.stop());

  function watch(analysisId: string, options: Partial<WatchOptions> = {}) {
    return watchOver(choiceOf([transport]))({
      url: `http://127.0.0.1:${proxy.port}`,
      analysisId,
      token: () => tokenFor({ user: "alice" }),
      environment: IMPATIENT,
      ...options,
    });
  }

  async function asWorker(method: string, path: string, body?: object): Promise<Response> {
    const headers = { Authorization: `Bearer ${await publisherToken()}` };
    return fetch(`${gateway.url}/v1/analyses/${path}`, { method, headers, body: JSON.stringify(body) });
  }

  async function stateOf(id: string): Promise<unknown> {
    const headers = { Authorization: `Bearer ${await tokenFor({ user: "alice" })}` };
    return (await fetch(`${gateway.url}/v1/analyses/${id}`, { headers })).json();
  }

  test("SDK-11: each event arrives once and in order, and folds to the gateway's state, however often the link is cut", async () => {
    const id = crypto.randomUUID();
    await asWorker("PUT", id, { viewers: "*" });
    const first = statusUpdate({ current_stage: "uploading", progress: 0 });
    await publish(gateway, id, first);
    const watching = watch(id, { until: "terminal" });
    const events: WatchedEvent[] = [];
    const over = (async () => {
      for await (const event of watching) events.push(event);
    })();
    await eventually("it is live", async () => watching.getSnapshot().analysis !== null);
    for (let number = 1; number <= 100; number += 1) {
      const current_stage = number < 50 ? "frame_extraction" : "model_inference";
      await publish(
        gateway,
        id,
        statusUpdate({ current_stage, progress: number / 100, message: `${number}` }),
      );
      if (number % 12 === 0) proxy.cut();
    }
    await publish(gateway, id, resultUpdate());
    await over;
    const offsets = events.flatMap((event) =>
      "event_id" in event ? [Number(event.event_id.split("-")[1])] : [],
    );
    expect(offsets).toEqual(Array.from({ length: 101 }, (_, index) => index + 2));
    expect(events.filter(({ event_type }) => event_type === "analysis_state")).toHaveLength(1);
    expect(watching.getSnapshot()).toMatchObject({ connection: { status: "finished" }, stalled: false });
    expect(watching.getSnapshot().analysis).toEqual((await stateOf(id)) as never);
  });

  test("SDK-15: one that comes before its viewers are declared is let in after", async () => {
    const id = crypto.randomUUID();
    const watching = watch(id);
    const refused = async () => watching.getSnapshot().connection.status === "waiting";
    await eventually("it was refused for now", refused);
    expect(watching.getSnapshot().connection).toMatchObject({
      reason: expect.stringContaining("not_declared"),
    });
    await asWorker("PUT", id, { viewers: ["alice"] });
    await eventually("it is live", async () => watching.getSnapshot().connection.status === "live");
    watching.close();
  });

  test("SDK-15: one whose name is not among the viewers is refused for good", async () => {
    const id = crypto.randomUUID();
    await asWorker("PUT", id, { viewers: ["bob"] });
    const watching = watch(id);
    await eventually("it was refused", async () => watching.getSnapshot().connection.status === "refused");
    expect(watching.getSnapshot().connection).toMatchObject({ code: 4003 });
  });

  test("SDK-13: shows a worker that fell silent and a request to cancel, beside the connection", async () => {
    const id = crypto.randomUUID();
    await asWorker("PUT", id, { viewers: ["alice"] });
    await publish(gateway, id, statusUpdate());
    const token = () => tokenFor({ user: "alice", scopes: ["analysis:cancel"] });
    const watching = watch(id, { token });
    await eventually("the stall is seen", async () => watching.getSnapshot().stalled);
    const asked = await fetch(`${gateway.url}/v1/analyses/${id}/cancel`, {
      method: "POST",
      headers: { Authorization: `Bearer ${await token()}` },
      body: '{"reason":"enough"}',
    });
    expect(asked.status).toBe(202);
    await eventually("the request is seen", async () => watching.getSnapshot().cancelRequested !== null);
    expect(watching.getSnapshot().cancelRequested).toMatchObject({ user_id: "alice", reason: "enough" });
    watching.close();
  });
});
