import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { type RunningNats, startNats } from "../support/nats-server.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { openStream } from "../support/reading-stream.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** Two processes that know each other through NATS alone, on the runtime of TELLTALE_RUNTIME. */
describe("two gateways on one NATS", () => {
  let nats: RunningNats;
  let gateways: GatewayProcess[] = [];

  beforeAll(async () => {
    nats = await startNats();
    gateways = await Promise.all([1, 2].map(() => startGateway({ NATS_URL: nats.url })));
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop();
    await nats.stop();
  });

  test("PS-1: an event that one takes is numbered, and watched over a socket and a stream of the other", async () => {
    const [first, second] = gateways as [GatewayProcess, GatewayProcess];
    await eventually("both are ready", async () => {
      const answers = await Promise.all(gateways.map(({ url }) => fetch(`${url}/ready`)));
      return answers.every(({ status }) => status === 200);
    });
    const id = crypto.randomUUID();
    await publish(first, id, statusUpdate({ message: "before" }));
    const token = await tokenFor();
    const socket = new WatchingSocket(watchUrl(second.url, id, { token, replay: "all" }));
    const stream = await openStream(second.url, id, { token, query: "?replay=all&until=terminal" });
    await socket.until(({ message }) => message === "before");
    const answer = await publish(first, id, resultUpdate());
    const [eventId] = ((await answer.json()) as { event_ids: string[] }).event_ids;
    expect((await socket.untilType("result_update")).event_id).toBe(eventId as string);
    expect((await stream.rest()).map(({ event }) => event)).toEqual([
      "connection_established",
      "status_update",
      "result_update",
      "closing",
    ]);
    await socket.leave();
    for (const gateway of gateways) expect(await gateway.stop()).toBe(0);
  });
});
