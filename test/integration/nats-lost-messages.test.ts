import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { subjectsOf } from "../../src/adapters/nats/subjects.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { type RunningNats, startNats } from "../support/nats-server.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { openStream } from "../support/reading-stream.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

describe.skipIf(!needs("nats-server"))("a gateway on a NATS that lost messages", () => {
  let nats: RunningNats;
  let client: NatsConnection;
  let gateway: GatewayProcess;
  let token: string;

  beforeAll(async () => {
    nats = await startNats();
    gateway = await startGateway({ NATS_URL: nats.url });
    client = await connect({ servers: nats.address, reconnect: false });
    token = await tokenFor();
  });
  afterAll(async () => {
    await gateway.stop();
    await client.close();
    await nats.stop();
  });

  /** Publishes `count` events, and lets the stream lose the message of the one at `lost`. */
  async function withHole(id: string, count: number, lost: number): Promise<string[]> {
    const ids: string[] = [];
    for (let n = 1; n <= count; n++)
      ids.push(...(await eventIdsOf(await publish(gateway, id, statusUpdate()))));
    const { events } = subjectsOf(`analysis:${id}`);
    let seq = 0;
    for (let n = 0; n <= lost; n++) {
      const question = JSON.stringify({ seq: seq + 1, next_by_subj: events });
      const found = await client.request("$JS.API.STREAM.MSG.GET.TELLTALE_EVENTS", question);
      seq = found.json<{ message: { seq: number } }>().message.seq;
    }
    await client.request("$JS.API.STREAM.MSG.DELETE.TELLTALE_EVENTS", JSON.stringify({ seq }));
    return ids;
  }

  const read = async (path: string) => {
    const answer = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    return answer.json();
  };

  test("PS-20 answers each reading with a history that begins after the hole", async () => {
    const id = crypto.randomUUID();
    const ids = await withHole(id, 6, 2);
    const kept = ids.slice(3);
    const idsIn = (frames: readonly { readonly event_id?: string }[]) =>
      frames.map(({ event_id }) => event_id).filter((eventId) => eventId !== undefined);
    const path = `/v1/analyses/${id}/events`;

    const all = (await read(path)) as Page;
    expect([all.resumed, ...idsIn(all.events)]).toEqual([null, ...kept]);
    const gone = (await read(`${path}?after=${ids[0]}`)) as Page;
    expect([gone.resumed, ...idsIn(gone.events)]).toEqual([false, ...kept]);
    const good = (await read(`${path}?after=${ids[3]}`)) as Page;
    expect([good.resumed, ...idsIn(good.events)]).toEqual([true, ...kept.slice(1)]);
    expect(await read(`/v1/analyses/${id}`)).toMatchObject({ status: "running", last_event_id: ids[5] });

    const socket = new WatchingSocket(
      watchUrl(gateway.url, id, { token, replay: "all", last_event_id: ids[1] as string }),
    );
    expect((await socket.established()).resumed).toBe(false);
    await socket.until(({ event_id }) => event_id === ids[5]);
    expect(idsIn(socket.events)).toEqual(kept);
    const stream = await openStream(gateway.url, id, { token, query: "?replay=all&until=terminal" });
    const end = await publish(gateway, id, statusUpdate({ current_stage: "failed" }));
    const [last] = await eventIdsOf(end);
    expect((await stream.rest()).filter(({ id }) => id).map(({ id }) => id)).toEqual([
      ...kept,
      last as string,
    ]);
    await socket.until(({ event_id }) => event_id === last);
    await socket.leave();
  });

  test("a forged message on a subject of the log costs its channel nothing", async () => {
    const id = crypto.randomUUID();
    const [first] = await eventIdsOf(await publish(gateway, id, statusUpdate()));
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token, replay: "all" }));
    await socket.until(({ event_id }) => event_id === first);
    const { events, viewers } = subjectsOf(`analysis:${id}`);
    for (const subject of [events, viewers]) await client.request(subject, "not a message of ours");
    expect(await read(`/v1/analyses/${id}`)).toMatchObject({ last_event_id: first });
    const [second] = await eventIdsOf(await publish(gateway, id, statusUpdate()));
    await socket.until(({ event_id }) => event_id === second);
    expect(
      ((await read(`/v1/analyses/${id}/events`)) as Page).events.map(({ event_id }) => event_id),
    ).toEqual([...[first as string, second as string]]);
    await socket.leave();
  });
});

async function eventIdsOf(answer: Response): Promise<string[]> {
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { event_ids: string[] }).event_ids;
}

interface Page {
  readonly resumed: boolean | null;
  readonly events: readonly { readonly event_id: string }[];
}
