import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(40_000);

describe.skipIf(!needs("postgres"))("PostgreSQL that fails", () => {
  const inUse = usePostgres();

  function open(schema: string, url = inUse.server.url) {
    return inUse.broker({ POSTGRES_URL: url, POSTGRES_SCHEMA: schema });
  }

  async function node(schema: string, url?: string): Promise<PubSubPort> {
    const { events } = open(schema, url);
    await up(events);
    return events;
  }

  const up = (events: PubSubPort) =>
    eventually("PostgreSQL is up", async () => events.health().status === "up");
  const down = (events: PubSubPort) =>
    eventually("PostgreSQL is known to be away", async () => events.health().status === "down");

  async function proxied(schema: string) {
    const proxy = await TcpProxy.start(inUse.server);
    inUse.afterTest(() => proxy.stop());
    const events = await node(schema, `postgres://postgres@${proxy.host}:${proxy.port}/postgres`);
    return { proxy, events };
  }

  const textsOf = async (events: PubSubPort, channel: AnalysisChannel) =>
    (await events.history(channel, undefined, 1_000)).events.map(({ text }) => JSON.parse(text).note);

  const append = (events: PubSubPort, channel: AnalysisChannel, note: string) =>
    events.append({ channel, events: [status({ note })] });

  /** May be repeated as often as one likes. */
  const appendOnce = (events: PubSubPort, channel: AnalysisChannel, note: string) =>
    events.append({
      channel,
      events: [status({ note })],
      deduplicate: { by: "key", name: note, scope: "channel", windowMs: 60_000, rememberMs: 60_000 },
    });

  /** The error that an append fails with; undefined if it was stored. */
  const failureOf = (appended: Promise<unknown>) =>
    appended.then(
      () => undefined,
      (error: unknown) => error,
    );

  test.each(["restart", "kill9"] as const)(
    "PS-22 after a %s it begins a new epoch, goes on counting, and keeps what it had acknowledged",
    async (way) => {
      const events = await node(inUse.schema());
      const channel = someAnalysis();
      const heard = new CollectingSubscriber();
      await events.subscribe(channel, heard);
      const before = await append(events, channel, "before");
      const [{ lineage } = { lineage: "" }] = await events.positions([channel]);
      if (way === "kill9") await inUse.server.kill9();
      await inUse.server.restart();
      await up(events);
      await eventually("the subscriber is told", async () => heard.restored > 0);
      const after = await append(events, channel, "after");
      expect(after).toMatchObject({ type: "stored", firstOffset: 2 });
      if (before.type !== "stored" || after.type !== "stored") throw new Error("not stored");
      expect(after.epoch).not.toBe(before.epoch);
      expect((await events.positions([channel]))[0]?.lineage).not.toBe(lineage);
      const page = await events.history(channel, { epoch: before.epoch, offset: 1 }, 10);
      expect([page.resumed, page.events.length, page.kept.spans.length]).toEqual([true, 1, 2]);
      const gone = await events.history(channel, { epoch: before.epoch, offset: 2 }, 10);
      expect(gone.resumed).toBe(false);
      await heard.until(() => heard.offsets.at(-1) === 2);
    },
  );

  test("PS-22 a store put back from a backup gives no position a second time", async () => {
    const events = await node(inUse.schema());
    const channel = someAnalysis();
    await append(events, channel, "kept");
    await inUse.server.saveStore();
    await up(events);
    const lost = await eventuallyStored(events, channel, "lost");
    // The adapter may be connected again before the server has told the test that it is back.
    const noticed = down(events);
    await inUse.server.restoreStore();
    await noticed;
    await up(events);
    const again = await eventuallyStored(events, channel, "again");
    expect([lost, again]).toMatchObject([{ firstOffset: 2 }, { firstOffset: 2 }]);
    expect(again.epoch).not.toBe(lost.epoch);
    expect(await textsOf(events, channel)).toEqual(["kept", "again"]);
  });

  async function eventuallyStored(events: PubSubPort, channel: AnalysisChannel, note: string) {
    for (let tries = 0; tries < 20; tries++) {
      const outcome = await appendOnce(events, channel, note).catch(() => undefined);
      if (outcome !== undefined && outcome.type !== "refused") return outcome;
    }
    throw new Error("never stored");
  }

  test("PS-30 a server that is frozen stores nothing after the failure was told, and is noticed", async () => {
    const events = await node(inUse.schema());
    const channel = someAnalysis();
    await append(events, channel, "before");
    inUse.server.freeze();
    const failure = await failureOf(append(events, channel, "while frozen"));
    expect(failure).toBeInstanceOf(Error);
    expect(failure instanceof BrokerUnavailable || failure instanceof OutcomeUnknown).toBe(true);
    await down(events);
    inUse.server.thaw();
    await up(events);
    await eventuallyStored(events, channel, "after");
    expect(await textsOf(events, channel)).toEqual(["before", "after"]);
  });

  test("PS-30 PS-31 a call whose answer is lost is told as stored if it was, and is never stored if it was not", async () => {
    const { proxy, events } = await proxied(inUse.schema());
    const channel = someAnalysis();
    await append(events, channel, "0");
    const told: string[] = ["0"];
    const failed: string[] = [];
    for (let n = 1; n <= 30; n++) {
      // The connection breaks as the answer to a commit, or to what goes before it, is on its way.
      let seen = 0;
      proxy.onData = (connection, direction, bytes) => {
        if (direction === "down" && Buffer.from(bytes).includes("COMMIT") && seen++ === 0) connection.cut();
      };
      const outcome = await failureOf(append(events, channel, `${n}`));
      if (outcome === undefined) told.push(`${n}`);
      else failed.push(`${n}`);
    }
    proxy.onData = () => {};
    await up(events);
    expect(await textsOf(events, channel)).toEqual(told);
    expect(told.length).toBeGreaterThan(20);
  });

  test("PS-30 PS-31 backends that are terminated amid 200 appends end no process, and lose and double no event", async () => {
    const schema = inUse.schema();
    const events = await node(schema);
    const channels = [someAnalysis(), someAnalysis(), someAnalysis(), someAnalysis()];
    const operator = inUse.client("public");
    let appending = true;
    let terminated = 0;
    let progress = Promise.withResolvers<void>();
    // Appends are stored between any two strokes: by time alone a slow machine would never come to the end.
    const terminating = (async () => {
      while (appending) {
        const ended = await operator`
          select pg_terminate_backend(pid) from pg_stat_activity
          where application_name like 'telltale %' and pid <> pg_backend_pid()`;
        terminated += ended.length;
        progress = Promise.withResolvers();
        if (appending) await progress.promise;
      }
    })();
    const told: string[][] = channels.map(() => []);
    let [answered, failed] = [0, 0];
    for (let n = 0; n < 50; n++) {
      await Promise.all(
        channels.map(async (channel, index) => {
          for (let stored = false; !stored; ) {
            const failure = await failureOf(appendOnce(events, channel, `${n}`));
            stored = failure === undefined;
            if (stored) told[index]?.push(`${n}`);
            if (!stored) failed++;
            else if (++answered % 5 === 0) progress.resolve();
            // While PostgreSQL is away each append is refused at once: such a loop would let nothing else happen.
            if (!stored) await Bun.sleep(1);
          }
        }),
      );
    }
    appending = false;
    progress.resolve();
    await terminating;
    for (const [index, channel] of channels.entries()) {
      let texts: string[] | undefined;
      await eventually("the last stroke is over", async () => {
        texts = await textsOf(events, channel).catch(() => undefined);
        return texts !== undefined;
      });
      expect(texts).toEqual(told[index] ?? []);
    }
    expect(terminated).toBeGreaterThan(20);
    expect(failed).toBeGreaterThan(0);
  });

  test("a connection that is up and delivers nothing is noticed, and the subscriber told", async () => {
    const { proxy, events } = await proxied(inUse.schema());
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await events.subscribe(channel, heard);
    await append(events, channel, "before");
    await heard.until(() => heard.events.length === 1);
    const listening = proxy.connections.find(({ opening }) => opening.includes("telltale listening"));
    listening?.lose("down", true);
    await down(events);
    expect(events.health()).toMatchObject({ cause: "deaf" });
    await up(events);
    await eventually("the subscriber is told", async () => heard.restored > 0);
    await append(events, channel, "after");
    await heard.until(() => heard.offsets.at(-1) === 2);
  });

  test("PS-6 every event is heard once and in order though connections are cut, or the subscriber is told", async () => {
    const schema = inUse.schema();
    const { proxy, events } = await proxied(schema);
    const other = await node(schema);
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await events.subscribe(channel, heard);
    for (let n = 1; n <= 60; n++) {
      await append(other, channel, `${n}`);
      if (n % 20 !== 0) continue;
      // Each cut meets a link that is whole again, and the last event finds one.
      await heard.until(() => heard.restored >= n / 20 - 1);
      proxy.cut();
    }
    await heard.until(() => heard.restored >= 3);
    await append(other, channel, "last");
    await heard.until(() => heard.offsets.at(-1) === 61);
    expect(heard.offsets).toEqual([...new Set(heard.offsets)].sort((one, two) => one - two));
    expect(await textsOf(events, channel)).toHaveLength(61);
  });

  test("PS-29 appends of one node are stored in the order of the calls, and none after one that failed", async () => {
    const events = await node(inUse.schema());
    const channel = someAnalysis();
    await append(events, channel, "0");
    const outcomes = await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => failureOf(append(events, channel, `a${n}`))),
      inUse.server.kill9().then(() => undefined),
      ...Array.from({ length: 20 }, (_, n) => failureOf(append(events, channel, `b${n}`))),
    ]);
    await inUse.server.restart();
    await up(events);
    const stored = await textsOf(events, channel);
    const calls = [
      "0",
      ...Array.from({ length: 20 }, (_, n) => `a${n}`),
      ...Array.from({ length: 20 }, (_, n) => `b${n}`),
    ];
    expect(calls.slice(0, stored.length)).toEqual(stored);
    expect(outcomes.filter((failure) => failure === undefined).length).toBeGreaterThan(0);
  });

  test("a gateway that stands still in a transaction keeps the channel from nobody for long", async () => {
    const schema = inUse.schema();
    const events = await node(schema);
    const channel = someAnalysis();
    await append(events, channel, "before");
    const holding = await inUse.client(schema).reserve();
    await holding`begin`;
    await holding`select 1 from channels where channel = ${channel} for update`;
    const failure = await failureOf(append(events, channel, "meanwhile"));
    expect(failure).toMatchObject({ code: "broker_unavailable", trouble: { cause: "busy" } });
    await holding`rollback`;
    holding.release();
    await append(events, channel, "after");
    expect(await textsOf(events, channel)).toEqual(["before", "after"]);
  });

  test("gateways that start at the same time make the tables once, and an older one refuses those of a newer", async () => {
    const schema = inUse.schema();
    const nodes = await Promise.all([1, 2, 3, 4].map(() => node(schema)));
    const channel = someAnalysis();
    await Promise.all(nodes.map((one) => append(one, channel, "x")));
    expect((await nodes[0]?.history(channel, undefined, 10))?.events).toHaveLength(4);
    await inUse.client(schema)`update format set number = 99`;
    const { events } = open(schema);
    await eventually("the newer format is noticed", async () => {
      const health = events.health();
      return health.status === "down" && health.cause === "newer_format";
    });
  });
});
