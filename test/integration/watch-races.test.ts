import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { ManySocket } from "../support/many-socket.ts";
import { needs } from "../support/needs.ts";
import { statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { type Frame, WatchingSocket, watchUrl } from "../support/watching-socket.ts";
import { Seeded } from "../unit/domain/seeded.ts";

const ANALYSES = 12;
const SOCKETS = 10;
const ROUNDS = 800;
/** How many on `/ws/analysis/{id}` are there at once. */
const SINGLES = 20;

/** A gateway, a Redis, a worker that publishes all the while, and clients that come and go on the same channels. */
describe.skipIf(!needs("redis-server"))("watching and leaving the same channels at once", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let gateway: GatewayProcess;
  let token: string;

  beforeAll(async () => {
    redis = await startRedis();
    worker = new Redis(redis.url);
    gateway = await startGateway({
      REDIS_URL: redis.url,
      MAX_CONNECTIONS_PER_USER: "10000",
      HISTORY_SIZE: "100000",
    });
    token = await tokenFor();
  });
  afterAll(async () => {
    worker.disconnect();
    await gateway.stop();
    await redis.stop();
  });

  const channels = async () =>
    ((await worker.pubsub("CHANNELS", "telltale:0:{analysis:*")) as string[]).sort();

  test("WSM-6: thousands of times, ends with the watched channels subscribed and no other, and each event came once", async () => {
    const seeded = new Seeded(20261124);
    const ids = Array.from({ length: ANALYSES }, (): string => crypto.randomUUID());
    const published = new Map(ids.map((id) => [id, 0]));
    const say = (id: string) => {
      const step = (published.get(id) as number) + 1;
      published.set(id, step);
      const event = statusUpdate({ analysis_id: id, message: `step ${step}` });
      return worker.publish(`analysis:${id}`, JSON.stringify(event));
    };
    const many = Array.from({ length: SOCKETS }, () => new Joiner(gateway.url, token));
    await Promise.all(many.map((joiner) => joiner.socket.established()));
    const singles: { id: string; socket: WatchingSocket }[] = [];
    const left: Promise<void>[] = [];
    let joins = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const answers = [say(seeded.pick(ids)), say(seeded.pick(ids))];
      for (const joiner of many) joins += joiner.wander(seeded, ids);
      const id = seeded.pick(ids);
      singles.push({
        id,
        socket: new WatchingSocket(
          watchUrl(gateway.url, id, { token, conflate: "none", last_event_id: "0" }),
        ),
      });
      joins++;
      // Some of them before they are let in.
      if (singles.length > SINGLES)
        left.push(...singles.splice(seeded.below(singles.length), 1).map(({ socket }) => socket.leave()));
      await Promise.all(answers);
    }
    expect(joins).toBeGreaterThan(3_000);
    await Promise.all(left);

    // One more for everybody who is still there, so that all that came before it has come.
    await Promise.all(ids.map(say));
    for (const { id, socket } of singles) {
      const total = published.get(id) as number;
      await socket.until((frame) => frame.message === `step ${total}`);
      expect(socket.events.map((event) => event.message)).toEqual(steps(1, total));
    }
    for (const joiner of many) await joiner.check(published);

    const watched = new Set([
      ...singles.map(({ id }) => id),
      ...many.flatMap((joiner) => [...joiner.watching]),
    ]);
    const wanted = [...watched].map((id) => `telltale:0:{analysis:${id}}`).sort();
    await eventually("the channels subscribed are those watched", async () =>
      Bun.deepEquals(await channels(), wanted),
    );
    const counts = (await worker.pubsub("NUMSUB", ...wanted)) as (string | number)[];
    expect(counts.filter((_, index) => index % 2 === 1)).toEqual(wanted.map(() => 1));

    await Promise.all([
      ...singles.map(({ socket }) => socket.leave()),
      ...many.map(({ socket }) => socket.leave()),
    ]);
    await eventually("nothing is subscribed", async () => (await channels()).length === 0);
  }, 60_000);
});

/** A client of `/ws` that comes back to each analysis at the last event it saw of it. */
class Joiner {
  readonly socket: ManySocket;
  readonly watching = new Set<string>();
  /** How many frames about each, every one of which is answered. */
  readonly #sent = new Map<string, number>();
  readonly #asked: { readonly id: string; readonly position: string }[] = [];

  constructor(url: string, token: string) {
    // A busy machine makes it a slow client, whose statuses the gateway would conflate.
    this.socket = new ManySocket(url, { token, conflate: "none" });
  }

  /** Answers how often it joined. */
  wander(seeded: Seeded, ids: readonly string[]): number {
    const id = seeded.pick(ids);
    this.#sent.set(id, (this.#sent.get(id) ?? 0) + 1);
    if (this.watching.has(id) && seeded.below(3) > 0) {
      this.socket.unsubscribe(id);
      this.watching.delete(id);
      return 0;
    }
    const position = this.socket.of(id).findLast(isEvent)?.event_id ?? "0";
    this.#asked.push({ id, position });
    this.socket.subscribe(id, { last_event_id: position });
    this.watching.add(id);
    return 1;
  }

  /** From each position it asked for, every event in order until the next answer. */
  async check(published: ReadonlyMap<string, number>): Promise<void> {
    for (const [id, total] of published) {
      const last = this.watching.has(id) ? `step ${total}` : undefined;
      let left = this.#sent.get(id) ?? 0;
      if (left === 0) continue;
      await this.socket.until((frame) => {
        if (frame.analysis_id === id && !isEvent(frame)) left--;
        return left === 0 && frame.analysis_id === id && frame.message === last;
      });
    }
    for (const id of published.keys()) {
      const asked = this.#asked.flatMap((one) => (one.id === id ? offsetOf(one.position) : []));
      let offset: number | undefined;
      for (const frame of this.socket.of(id)) {
        if (frame.event_type === "subscribed") {
          expect(frame.resumed).toBe(true);
          offset = asked.shift();
        } else if (frame.event_type === "unsubscribed") offset = undefined;
        else {
          expect([frame.event_type, offsetOf(frame.event_id)]).toEqual(["status_update", Number(offset) + 1]);
          expect(frame.message).toBe(`step ${++offset!}`);
        }
      }
      expect(asked).toEqual([]);
      if (this.watching.has(id)) expect(offset).toBe(published.get(id));
    }
  }
}

function offsetOf(eventId = ""): number {
  return Number(eventId.slice(eventId.lastIndexOf("-") + 1));
}

function isEvent(frame: Frame): boolean {
  return frame.event_id !== undefined;
}

function steps(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `step ${from + index}`);
}
