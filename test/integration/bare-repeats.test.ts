import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "../support/children.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { useRedis } from "../support/use-redis.ts";

/** Workers publish the same bytes more than once: without a timestamp, a second try looks like the first. */
describe.skipIf(!needs("redis-server"))("the same bytes published bare again", () => {
  const redis = useRedis();
  let gateways: GatewayProcess[] = [];

  afterEach(async () => {
    await Promise.all(gateways.map((gateway) => gateway.kill9()));
    gateways = [];
    await redis.client.flushall();
  });

  const gateway = async () => {
    const started = await startGateway({ REDIS_URL: redis.url, HISTORY_SIZE: "20000" });
    gateways.push(started);
    return started;
  };
  const say = (id: string, body: unknown) =>
    redis.client.publish(`analysis:${id}`, typeof body === "string" ? body : JSON.stringify(body));
  const kept = async (id: string) =>
    (await redis.client.xrange(`telltale:{analysis:${id}}:history`, "-", "+")).map(([, [, text = ""]]) =>
      JSON.parse(text),
    );
  /** Resolves with all kept events once no more come. It publishes another event last, and leaves it out. */
  const all = async (id: string) => {
    await say(id, statusUpdate({ message: "the end" }));
    await eventually("the end is kept", async () => (await kept(id)).at(-1)?.message === "the end");
    return (await kept(id)).slice(0, -1);
  };
  const stateOf = async ({ url }: GatewayProcess, id: string) => {
    const token = await tokenFor({ user: "backend", analyses: "*" });
    const answer = await fetch(`${url}/v1/analyses/${id}`, { headers: { Authorization: `Bearer ${token}` } });
    return (await answer.json()) as { status: string; error: { error_code: string } | null };
  };
  const stage = (current_stage: string) => statusUpdate({ current_stage, message: current_stage });

  test.each([1, 2, 3])(
    "PUB-14: an error, a second try and the same error are five events, and the analysis has failed (listeners: %p)",
    async (listeners) => {
      for (let count = 0; count < listeners; count++) await gateway();
      const id = crypto.randomUUID();
      const sent = [stage("initializing"), errorEvent(), stage("initializing"), stage("frame_extraction")];
      for (const event of [...sent, errorEvent()]) await say(id, event);
      await eventually("all of it is kept", async () => (await kept(id)).length === 5);
      for (const one of gateways) {
        const state = await stateOf(one, id);
        expect([state.status, state.error?.error_code]).toEqual(["failed", "decode_failed"]);
      }
      const events = await all(id);
      expect(events.map((event) => event.current_stage ?? event.event_type)).toEqual([
        ...["initializing", "error", "initializing", "frame_extraction", "error"],
      ]);
    },
    30_000,
  );

  test.each([1, 2, 3])(
    "PUB-14: a worker is killed and its task is begun anew under the same id: no event of the second run is lost (listeners: %p)",
    async (listeners) => {
      for (let count = 0; count < listeners; count++) await gateway();
      const id = crypto.randomUUID();
      const task = ["initializing", "uploading", "frame_extraction"].map((one) => JSON.stringify(stage(one)));
      const first = workerProcess(redis.url, id, task);
      await eventually(
        "the first run has come to its third stage",
        async () => (await kept(id)).length === 3,
      );
      first.kill("SIGKILL");
      await first.exited;
      const second = workerProcess(redis.url, id, [...task, JSON.stringify(resultUpdate())]);
      await eventually("the second run is kept", async () => (await kept(id)).length === 7);
      second.kill("SIGKILL");
      await second.exited;
      const events = await all(id);
      const run = ["initializing", "uploading", "frame_extraction"];
      expect(events.map((event) => event.current_stage ?? event.event_type)).toEqual([
        ...[...run, ...run, "result_update"],
      ]);
    },
    30_000,
  );

  test("PUB-14: equal bytes with nothing in between are one event, also with two listeners and over their marks", async () => {
    await Promise.all([gateway(), gateway()]);
    const id = crypto.randomUUID();
    for (let second = 0; second < 12; second++) {
      for (let count = 0; count < 20; count++) await say(id, errorEvent());
      const until = performance.now() + 1_000;
      await eventually("a second has passed", async () => performance.now() > until);
    }
    expect(await all(id)).toHaveLength(1);
  }, 40_000);

  test("PUB-14: a message between equal bytes makes them two events: over HTTP, by the inbox, or refused", async () => {
    const [one] = [await gateway(), await gateway()];
    const id = crypto.randomUUID();
    const again = async (events: number) => {
      await say(id, stage("uploading"));
      await eventually("it is kept", async () => (await kept(id)).length === events);
    };
    await again(1);
    await publish(one, id, stage("initializing"));
    await again(3);
    await redis.client.xadd(
      "telltale:inbox",
      "*",
      "event",
      JSON.stringify({ ...stage("initializing"), analysis_id: id }),
    );
    await eventually("the entry is kept", async () => (await kept(id)).length === 4);
    await again(5);
    await say(id, "{oops");
    await again(6);
    expect(await all(id)).toHaveLength(6);
  }, 30_000);

  test("PUB-14: gateways keep the order of a worker that repeats three messages, whichever of them die or freeze", async () => {
    for (let count = 0; count < 3; count++) await gateway();
    const id = crypto.randomUUID();
    let sent = 0;
    const speaking = setInterval(() => void say(id, statusUpdate({ message: `${sent++ % 3}` })), 5);
    const more = async (count: number) => {
      const until = sent + count;
      await eventually(`${count} more are sent`, async () => sent >= until);
    };
    await more(200);
    for (let round = 0; round < 3; round++) {
      await gateways.shift()?.kill9();
      await more(200);
      const [frozen] = gateways;
      if (frozen !== undefined) process.kill(frozen.pid, "SIGSTOP");
      await more(300);
      if (frozen !== undefined) process.kill(frozen.pid, "SIGCONT");
      await gateway();
      await more(700);
    }
    clearInterval(speaking);
    const events = await all(id);
    expect(events.map(({ message }) => message)).toEqual(
      Array.from({ length: sent }, (_, index) => `${index % 3}`),
    );
  }, 60_000);
});

/** Starts a worker in a process of its own, which publishes and then does nothing. */
function workerProcess(url: string, id: string, payloads: readonly string[]) {
  const program = `
    import { Redis } from "ioredis";
    const redis = new Redis(${JSON.stringify(url)});
    for (const payload of ${JSON.stringify(payloads)}) await redis.publish("analysis:${id}", payload);
    await new Promise(() => {});
  `;
  const child = Bun.spawn([process.execPath, "-e", program], {
    cwd: new URL("../..", import.meta.url).pathname,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  remember(child);
  return child;
}
