import { describe, expect, test } from "bun:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { statusUpdate } from "../support/publishing.ts";
import { SnippetRunner } from "../support/running-snippets.ts";
import { useNats } from "../support/use-nats.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** Workers that publish plain JSON to NATS, and gateways that come, go and die. Numbers in the events tell what became of them. */
describe.skipIf(!needs("nats-server"))("workers on NATS", () => {
  const nats = useNats();

  async function start(env: Record<string, string> = {}): Promise<GatewayProcess> {
    const gateway = await startGateway({ NATS_URL: nats.url, HISTORY_SIZE: "100000", ...env });
    nats.afterTest(() => gateway.kill9());
    return gateway;
  }

  /** Numbers the events of each analysis, and checks that each was stored once and in order. */
  class Numbering {
    readonly #worker: NatsConnection;
    readonly #next = new Map<string, number>();

    constructor(worker: NatsConnection) {
      this.#worker = worker;
    }

    /** On its own subject or, every third, on that of the inbox. Resolves when the stream has it. */
    async publish(id: string): Promise<void> {
      const number = (this.#next.get(id) ?? 0) + 1;
      this.#next.set(id, number);
      const event = statusUpdate({ analysis_id: id, message: `${number}` });
      const subject = number % 3 === 0 ? "telltale.inbox" : `analysis.${id}`;
      await this.#worker.request(subject, JSON.stringify(event));
    }

    async verify({ url }: GatewayProcess): Promise<void> {
      for (const [id, count] of this.#next) {
        const expected = Array.from({ length: count }, (_, index) => `${index + 1}`);
        await eventually(`all events of ${id}`, async () => (await messages(url, id)).length >= count);
        expect(await messages(url, id)).toEqual(expected);
      }
    }
  }

  const ids = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());

  test("CAN-11: a worker with NATS alone asks one of the gateways if it was cancelled, and shows that it lives", async () => {
    const [one] = await Promise.all([start({ STALL_AFTER_SECONDS: "1" }), start()]);
    const worker = await nats.client();
    const id = crypto.randomUUID();
    const beat = async (name: string = id) => (await worker.request(`telltale.heartbeat.${name}`)).json();
    await eventually("gateways answer", () => beat().then(Boolean, () => false));
    expect(await beat("7")).toEqual({ code: "not_an_analysis_id" });
    const answers = await worker.requestMany(`telltale.heartbeat.${id}`, "", { maxWait: 300 });
    expect(await Array.fromAsync(answers, (answer) => answer.json())).toEqual([{ cancel_requested: false }]);
    expect(
      (await worker.request(`telltale.heartbeat.${id}`, JSON.stringify({ attempt_id: 7 }))).json(),
    ).toMatchObject({ code: "invalid_request", issues: [{ path: ["attempt_id"] }] });
    const publish = (stage: string) =>
      worker.request(`analysis.${id}`, JSON.stringify(statusUpdate({ current_stage: stage })));
    await publish("uploading");
    const token = await tokenFor({ analyses: [id], scopes: ["analysis:cancel"] });
    const ask = (path: string, method: string) =>
      fetch(`${one?.url}/v1/analyses/${id}${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}` },
      });
    const status = async () => ((await (await ask("", "GET")).json()) as { status: string }).status;
    await eventually("it is stalled", async () => (await status()) === "stalled");
    await eventually("it lives", async () => {
      await beat();
      return (await status()) === "running";
    });
    expect((await ask("/cancel", "POST")).status).toBe(202);
    expect(await beat()).toEqual({ cancel_requested: true });
    await publish("cancelled");
    await eventually("it was obeyed", async () => (await status()) === "cancelled");
    expect(await beat()).toEqual({ cancel_requested: false });
  });

  test("INB-1 IB-1: none is lost while no gateway runs, and all are stored in order, once", async () => {
    const maker = await start();
    await eventually("the streams are there", async () => (await fetch(`${maker.url}/ready`)).ok);
    await maker.stop();
    const numbering = new Numbering(await nats.client());
    const analyses = ids(3);
    for (let n = 0; n < 200; n++) for (const id of analyses) await numbering.publish(id);
    const [one] = await Promise.all([start(), start()]);
    await numbering.verify(one);
  }, 60_000);

  test("INB-2: two gateways take at once, one dies in the middle of it and another comes: none is lost, doubled or out of order", async () => {
    const survivor = await start();
    const dying = [await start()];
    const numbering = new Numbering(await nats.client());
    const analyses = ids(5);
    for (let round = 0; round < 60; round++) {
      await Promise.all(analyses.map((id) => numbering.publish(id)));
      if (round % 20 !== 10) continue;
      await dying.pop()?.kill9();
      dying.push(await start());
    }
    await numbering.verify(survivor);
  }, 60_000);

  test("INB-10: an invalid message is one dead letter, a refused end ends the wait, and a notice reaches its user", async () => {
    const gateway = await start();
    const worker = await nats.client();
    const id = crypto.randomUUID();
    const publish = (subject: string, text: string) => worker.request(subject, text);
    const user = "alice@example.com";
    const watcher = new WatchingSocket(
      watchUrl(gateway.url, id, { token: await tokenFor({ user, analyses: [id] }) }),
    );
    await watcher.established();
    await publish(`analysis.${id}`, "{oops");
    await publish("analysis.job-42", JSON.stringify(statusUpdate()));
    await publish(`analysis.${id}`, JSON.stringify({ event_type: "error", error_code: "" }));
    await publish("user.alice@example.com", JSON.stringify({ message: "for you" }));
    await publish("system.updates", JSON.stringify({ message: "for all" }));
    await publish(`analysis.${id}`, JSON.stringify(statusUpdate({ message: "after" })));
    for (const message of ["for you", "for all"]) await watcher.until((frame) => frame.message === message);
    await watcher.leave();
    await eventually("the last is stored", async () => (await messages(gateway.url, id)).includes("after"));
    expect((await messages(gateway.url, id)).length).toBe(2);
    const listed = async () => (await deadLetters(nats.url)).map(({ channel, reason }) => [channel, reason]);
    await eventually("every dead letter is kept", async () => (await listed()).length >= 3);
    expect(await listed()).toEqual([
      [`analysis:${id}`, "not_json: event: must be JSON"],
      ["analysis:job-42", "channel: an analysis id is a UUID"],
      [`analysis:${id}`, "invalid: error_code: must be text that is not blank"],
    ]);
  }, 30_000);

  test("IB-9: a gateway that listens to more kinds of channels adds their subjects, and keeps those that are there", async () => {
    const narrow = await start({ LISTEN: "none" });
    const wide = await start();
    const worker = await nats.client();
    const id = crypto.randomUUID();
    await eventually("the subjects are added", async () => (await fetch(`${wide.url}/ready`)).ok);
    await worker.request(`analysis.${id}`, JSON.stringify(statusUpdate({ message: "heard" })));
    await eventually("it is stored", async () => (await messages(narrow.url, id)).includes("heard"));
    const health = (await (await fetch(`${wide.url}/ws/health`)).json()) as {
      broker: { kind: string; capabilities: string[] };
    };
    expect(health.broker.kind).toBe("nats");
    expect(health.broker.capabilities).toContain("worker_channels_kept");
  }, 30_000);
});

describe.skipIf(!needs("nats-server"))("a worker as PUBLISHING.md has it for NATS", () => {
  const nats = useNats();

  test("is told that the stream has its event, also while no gateway runs, and the event is stored", async () => {
    const maker = await startGateway({ NATS_URL: nats.url });
    await eventually("the streams are there", async () => (await fetch(`${maker.url}/ready`)).ok);
    await maker.stop();
    const runner = new SnippetRunner(() => maker.url);
    nats.afterTest(() => runner.remove());
    const id = crypto.randomUUID();
    const env = { NATS_URL: nats.url, ID: id };
    const worker = await runner.python(snippetOf("docs/PUBLISHING.md", "On NATS", "python"), env);
    expect(await worker.exited).toBe(0);
    expect(JSON.parse(worker.said())).toMatchObject({ stream: "TELLTALE_WORKERS", seq: 1 });
    const gateway = await startGateway({ NATS_URL: nats.url });
    nats.afterTest(() => gateway.kill9());
    await eventually("it is stored", async () => (await messages(gateway.url, id)).length === 1);
  }, 30_000);
});

const USERS = `authorization { users = [
  { user: "admin", password: "a" }
  { user: "gateway", password: "g:w", permissions: {
    publish: ["telltale.>", "$JS.API.>"], allow_responses: true,
    subscribe: ["_INBOX.>", "telltale.live.>", "telltale.arrived.>", "telltale.heartbeat.*"] } }
  { user: "former", password: "f", permissions: {
    publish: ["telltale.>", "$JS.API.>"], subscribe: ["_INBOX.>", "telltale.live.>", "telltale.arrived.>"] } }
  { user: "worker", password: "w", permissions: {
    publish: ["analysis.>", "telltale.inbox", "telltale.heartbeat.*"], subscribe: ["_INBOX.>"] } }
] }`;

describe.skipIf(!needs("nats-server"))("users with the permissions that OPERATING.md names", () => {
  const nats = useNats({ config: USERS, user: { user: "admin", pass: "a" } });

  test("are enough for a gateway and a worker", async () => {
    const gateway = await startGateway({ NATS_URL: nats.url.replace("//", "//gateway:g%3aw@") });
    nats.afterTest(() => gateway.kill9());
    await eventually("it is ready", async () => (await fetch(`${gateway.url}/ready`)).ok);
    const worker = await connect({ servers: nats.address, user: "worker", pass: "w", reconnect: false });
    nats.afterTest(() => worker.close());
    const id = crypto.randomUUID();
    const watcher = new WatchingSocket(
      watchUrl(gateway.url, id, { token: await tokenFor({ analyses: [id] }) }),
    );
    await watcher.established();
    await worker.request(`analysis.${id}`, "{oops");
    await worker.request(
      "telltale.inbox",
      JSON.stringify(statusUpdate({ analysis_id: id, message: "heard" })),
    );
    await watcher.until((frame) => frame.message === "heard");
    expect((await worker.request(`telltale.heartbeat.${id}`)).json()).toEqual({ cancel_requested: false });
    await watcher.leave();
    const asGateway = nats.url.replace("//", "//gateway:g%3aw@");
    await eventually("the other is a dead letter", async () => (await deadLetters(asGateway)).length === 1);
    expect(gateway.output()).not.toContain("permission");
  }, 30_000);
});

describe.skipIf(!needs("nats-server"))("a gateway's user of the former release", () => {
  const nats = useNats({ config: USERS, user: { user: "admin", pass: "a" } });

  test("is enough for all but the heartbeats of workers, and the log says so", async () => {
    const gateway = await startGateway({ NATS_URL: nats.url.replace("//", "//former:f@") });
    nats.afterTest(() => gateway.kill9());
    await eventually("it is ready", async () => (await fetch(`${gateway.url}/ready`)).ok);
    await eventually("it says so", async () =>
      gateway.output().includes("heartbeats of workers are not heard"),
    );
    const worker = await connect({ servers: nats.address, user: "worker", pass: "w", reconnect: false });
    nats.afterTest(() => worker.close());
    const id = crypto.randomUUID();
    await worker.request(`analysis.${id}`, JSON.stringify(statusUpdate({ analysis_id: id })));
    await eventually("it is stored", async () => (await messages(gateway.url, id)).length === 1);
    expect((await fetch(`${gateway.url}/ready`)).ok).toBe(true);
  }, 30_000);
});

describe.skipIf(!needs("nats-server"))("a NATS that takes only small messages", () => {
  const nats = useNats({ config: "max_payload: 256KB" });

  test("PUB-5 INB-11: the body limit follows it, the answer and the health name it, and the gateway goes on", async () => {
    const gateway = await startGateway({ NATS_URL: nats.url });
    nats.afterTest(() => gateway.kill9());
    await eventually("it is ready", async () => (await fetch(`${gateway.url}/ready`)).ok);
    const id = crypto.randomUUID();
    const publish = async (bytes: number) =>
      fetch(`${gateway.url}/v1/analyses/${id}/events`, {
        method: "POST",
        headers: { Authorization: `Bearer ${await tokenFor({ scopes: ["analysis:publish"] })}` },
        body: JSON.stringify(statusUpdate({ pad: "x".repeat(bytes) })),
      });
    const refused = await publish(200_000);
    expect([refused.status, await refused.json()]).toMatchObject([
      413,
      { code: "event_too_large", detail: "a body has at most 196608 bytes" },
    ]);
    expect((await publish(190_000)).status).toBe(202);
    expect(gateway.output()).toContain("at most 196608 bytes");
    const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as {
      broker: { warnings: string[] };
    };
    expect(health.broker.warnings.join()).toContain("at most 196608 bytes");
    const worker = await nats.client();
    await worker.request(`analysis.${id}`, JSON.stringify(statusUpdate({ pad: "x".repeat(200_000) })));
    await eventually("it is a dead letter", async () => (await deadLetters(nats.url)).length === 1);
    expect((await deadLetters(nats.url))[0]?.reason).toBe("too_large: event: must be at most 196608 bytes");
  }, 30_000);
});

/** As `telltale deadletters list` shows them. */
async function deadLetters(url: string): Promise<{ channel: string; reason: string }[]> {
  const child = Bun.spawn([process.execPath, "run", "src/main.ts", "deadletters", "list", "--json"], {
    cwd: new URL("../..", import.meta.url).pathname,
    env: { PATH: process.env.PATH ?? "", NATS_URL: url },
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** The messages of all events that the gateway has of an analysis. */
async function messages(url: string, id: string): Promise<string[]> {
  const all: string[] = [];
  const headers = { Authorization: `Bearer ${await tokenFor({ analyses: [id] })}` };
  for (let after = "0"; ; ) {
    const answer = await fetch(`${url}/v1/analyses/${id}/events?after=${after}&limit=500`, { headers });
    const { events } = (await answer.json()) as { events: { event_id: string; message: string }[] };
    if (events.length === 0) return all;
    all.push(...events.map(({ message }) => message));
    after = events.at(-1)?.event_id ?? after;
  }
}
