import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { connect as tcpConnect } from "node:net";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { result, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { RedisNodes } from "../support/redis-nodes.ts";
import { type ProxiedConnection, TcpProxy } from "../support/tcp-proxy.ts";
import { useRedis } from "../support/use-redis.ts";

/** Redis stores nothing after its caller was answered, and nothing twice, however long the way to it takes. */
describe.skipIf(!needs("redis-server"))("appends that reach Redis late, or twice", () => {
  const redis = useRedis();
  let proxy: TcpProxy;
  let nodes: RedisNodes;

  beforeAll(async () => {
    proxy = await TcpProxy.start(redis);
    redis.atLast(() => proxy.stop());
    nodes = new RedisNodes(proxy);
  });
  afterEach(async () => {
    proxy.resume();
    proxy.refuse(false);
    proxy.onData = () => {};
    await nodes.close();
  });

  const notes = async (channel: AnalysisChannel) =>
    (await redis.client.xrange(`telltale:{${channel}}:history`, "-", "+")).map(([, [, text = ""]]) =>
      String(JSON.parse(text).note),
    );
  const say = (node: PubSubPort, channel: AnalysisChannel, note: string) =>
    node.append({ channel, events: [status({ note })] });
  const publishing = () => {
    const found = proxy.connections.filter(({ opening }) => opening.includes("telltale-publishing"));
    return found.at(-1) as ProxiedConnection;
  };

  /** Resolves with how an append without an answer ends, and after how many milliseconds. */
  async function failed(append: Promise<unknown>): Promise<{ error: unknown; after: number }> {
    const started = performance.now();
    const error = await append.then(
      () => "stored",
      (reason: unknown) => reason,
    );
    return { error, after: performance.now() - started };
  }

  test("PS-30: a frozen Redis that wakes does not carry out an append whose outcome was called unknown", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "before");
    const { pid } = redis;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    process.kill(pid, "SIGSTOP");
    try {
      const [first, viewers] = await Promise.all([
        failed(say(node, channel, "late")),
        failed(node.declareViewers(channel, new Set(["mallory"]))),
      ]);
      for (const { error, after } of [first, viewers]) {
        expect(error).toBeInstanceOf(OutcomeUnknown);
        expect(after).toBeWithin(1_900, 5_000);
      }
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await eventually("it is up again", async () => node.health().status === "up");
    expect(await notes(channel)).toEqual(["before"]);
    expect((await node.snapshot(channel)).viewers).toBeUndefined();
    expect(await say(node, channel, "after")).toMatchObject({ firstOffset: 2 });
  }, 20_000);

  test("PS-30: an append that a network held back is not stored once its caller has an answer", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "before");
    const held = publishing();
    held.pause("up");
    const { error, after } = await failed(say(node, channel, "late"));
    expect(error).toBeInstanceOf(OutcomeUnknown);
    expect(after).toBeLessThan(5_000);
    const executed = await calls();
    held.resume();
    await eventually("Redis has come to it", async () => (await calls()) > executed);
    expect(await notes(channel)).toEqual(["before"]);
  }, 20_000);

  test("PS-30: after a connection broke the outcome is called unknown only once it cannot change", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "before");
    const held = publishing();
    held.pause("up");
    const sent = Promise.withResolvers<void>();
    proxy.onData = (connection, direction) => {
      if (connection === held && direction === "up") sent.resolve();
    };
    const failing = failed(say(node, channel, "late"));
    const unsent = failed(say(node, someAnalysis(), "other"));
    await sent.promise;
    proxy.refuse(true);
    held.cut();
    // The first of them may be asked before the node knows that this connection is the one that broke.
    await eventually("an append is refused at once", async () => {
      const { error, after } = await failed(say(node, channel, "refused"));
      expect(error).toBeInstanceOf(BrokerUnavailable);
      return after < 1_000;
    });
    proxy.refuse(false);
    expect((await failing).error).toBeInstanceOf(OutcomeUnknown);
    expect((await failing).after).toBeWithin(1_900, 5_000);
    expect((await unsent).error).toBeInstanceOf(OutcomeUnknown);
    expect(await notes(channel)).toEqual(["before"]);
  }, 20_000);

  test("PS-30: an append whose answer is lost has an unknown outcome, and is a duplicate under the same key", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    const deduplicate = {
      by: "key",
      name: "k",
      scope: "channel",
      windowMs: 300_000,
      rememberMs: 300_000,
    } as const;
    await say(node, channel, "before");
    const unanswered = publishing();
    unanswered.pause("down");
    const request = { channel, events: [status({ note: "once" })], deduplicate };
    const { error, after } = await failed(node.append(request));
    expect(error).toBeInstanceOf(OutcomeUnknown);
    expect(after).toBeLessThan(5_000);
    unanswered.cut();
    await eventually("it is up again", async () => node.health().status === "up");
    expect(await node.append(request)).toMatchObject({ type: "duplicate", firstOffset: 2 });
    expect(await notes(channel)).toEqual(["before", "once"]);
  }, 20_000);

  test("PS-30: the clock of the gateway may be an hour ahead or behind", async () => {
    const hour = 3_600_000;
    for (const offset of [-hour, hour]) {
      const clock = new ShiftedClock(offset);
      const node = nodes.make({ clock });
      const channel = someAnalysis();
      expect(await say(node, channel, "before")).toMatchObject({ type: "stored" });
      // The clock is put right, or wrong, while connected.
      clock.offset = -offset;
      expect(await say(node, channel, "after")).toMatchObject({ type: "stored" });
      const held = publishing();
      held.pause("up");
      expect((await failed(say(node, channel, "late"))).error).toBeInstanceOf(OutcomeUnknown);
      const executed = await calls();
      held.resume();
      await eventually("Redis has come to it", async () => (await calls()) > executed);
      expect(await notes(channel)).toEqual(["before", "after"]);
    }
  }, 20_000);

  test("PS-30: an append that reaches Redis after its deadline is refused, and leaves no trace", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "first");
    const [call] = await recorded(() => say(node, channel, "before"));
    const late = call.args.with(call.deadlineAt, `${Date.now() - 1}`).with(call.numberAt, "999");
    const before = await redis.client.dump(`telltale:{${channel}}`);
    expect(await redis.client.call("EVALSHA", ...late)).toEqual(["LATE"]);
    expect(await redis.client.dump(`telltale:{${channel}}`)).toEqual(before);
    expect(await notes(channel)).toEqual(["first", "before"]);
  });

  test("PS-31: the very bytes of a call that come twice store its events once", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "before");
    const [call] = await recorded(() =>
      node.append({ channel, events: [status({ note: "a" }), status({ note: "b" })] }),
    );
    const again = tcpConnect({ host: redis.host, port: redis.port });
    let told = "";
    again.on("data", (bytes: Buffer) => {
      told += bytes.toString();
    });
    again.write(call.bytes);
    await eventually("Redis has answered", async () => told.includes("\r\n"));
    again.destroy();
    expect(told).toContain("REPEATED");
    expect(await notes(channel)).toEqual(["before", "a", "b"]);
  });

  test("PS-31: the record forgets a call after its deadline", async () => {
    const channel = someAnalysis();
    for (let n = 0; n < 20; n++) await say(nodes.make(), channel, `${n}`);
    const remembered = async () =>
      ((await redis.client.hget(`telltale:{${channel}}`, "calls")) ?? "").trim().split(" ").length / 3;
    expect(await remembered()).toBe(20);
    const node = nodes.make();
    await eventually("the others are forgotten", async () => {
      await say(node, channel, "more");
      return (await remembered()) === 1;
    });
    expect((await redis.client.keys(`telltale:{${channel}}*`)).sort()).toEqual([
      `telltale:{${channel}}`,
      `telltale:{${channel}}:history`,
    ]);
  }, 20_000);

  test("PS-29: when an append of a turn fails, later ones to its channel fail too", async () => {
    const node = nodes.make();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    await say(node, channel, "before");
    await redis.client.config("SET", "maxmemory", "1");
    const turn = Array.from({ length: 600 }, (_, n) => say(node, channel, `${n}`));
    // There is room again as soon as the first call was refused: the second must not find it.
    void turn[0]?.catch(() => redis.client.config("SET", "maxmemory", "0"));
    const outcomes = await Promise.allSettled(turn);
    expect(new Set(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code))).toEqual(
      new Set(["broker_unavailable"]),
    );
    await redis.client.config("SET", "maxmemory", "0");
    expect(await notes(channel)).toEqual(["before"]);
    expect(await say(node, other, "fine")).toMatchObject({ type: "stored" });
  });

  test("PS-29: appends to a channel in one turn are one command, each with an answer of its own", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    const deduplicate = {
      by: "key",
      name: "k",
      scope: "channel",
      windowMs: 9_000,
      rememberMs: 9_000,
    } as const;
    await say(node, channel, "before");
    const turn = await recorded(() =>
      Promise.all([
        node.append({ channel, events: [result({ attemptId: "a" })], deduplicate }),
        node.append({ channel, events: [status({ attemptId: "a" })] }),
        node.append({ channel, events: [status()], deduplicate }),
        node.append({ channel, events: [status({ attemptId: "b" }), status()] }),
      ]),
    );
    expect(turn).toHaveLength(1);
    expect(turn.outcome).toMatchObject([
      { type: "stored", firstOffset: 2, count: 1 },
      { type: "refused", code: "attempt_ended", index: 0 },
      { type: "duplicate", firstOffset: 2, count: 1 },
      { type: "stored", firstOffset: 3, count: 2 },
    ]);
    expect(await notes(channel)).toHaveLength(4);
  });

  test("PUB-10: an append that a replica or a full Redis refuses has a known outcome", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "before");
    await redis.client.replicaof("127.0.0.1", "1");
    await expect(say(node, channel, "readonly")).rejects.toBeInstanceOf(BrokerUnavailable);
    await expect(node.declareViewers(channel, "*")).rejects.toBeInstanceOf(BrokerUnavailable);
    await redis.client.replicaof("NO", "ONE");
    await redis.client.config("SET", "maxmemory", "1");
    await expect(say(node, channel, "full")).rejects.toBeInstanceOf(BrokerUnavailable);
    await redis.client.config("SET", "maxmemory", "0");
    expect(await notes(channel)).toEqual(["before"]);
    expect(await say(node, channel, "after")).toMatchObject({ type: "stored", firstOffset: 2 });
  });

  /** Counts the calls of scripts until now, whatever they answered. */
  async function calls(): Promise<number> {
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info("commandstats"))?.[1] ?? 0);
  }

  interface Recorded {
    readonly bytes: Buffer;
    /** The arguments of EVALSHA. */
    readonly args: string[];
    readonly deadlineAt: number;
    readonly numberAt: number;
  }

  /** The calls of scripts that `deed` sent on the publishing connection. */
  async function recorded<T>(
    deed: () => Promise<T>,
  ): Promise<[Recorded, ...Recorded[]] & { readonly outcome: T }> {
    const pieces: Buffer[] = [];
    const from = publishing();
    proxy.onData = (connection, direction, bytes) => {
      if (connection === from && direction === "up") pieces.push(Buffer.from(bytes));
    };
    const outcome = await deed();
    proxy.onData = () => {};
    const found = [
      ...Buffer.concat(pieces)
        .toString("latin1")
        .matchAll(/\*\d+\r\n\$7\r\nevalsha\r\n/gi),
    ];
    const all = Buffer.concat(pieces);
    const sent = found.map((match, index) => {
      const bytes = all.subarray(match.index, found[index + 1]?.index ?? all.length);
      const words = bytes
        .toString()
        .split("\r\n")
        .filter((_, at) => at % 2 === 0 && at > 0);
      const args = words.slice(1).filter((word) => word !== undefined);
      // Digest, number of keys, four keys, format; then the deadline.
      return { bytes, args, deadlineAt: 7, numberAt: 9 };
    });
    return Object.assign(sent as unknown as [Recorded, ...Recorded[]], { outcome });
  }
});

class ShiftedClock extends SystemClock {
  offset: number;

  constructor(offset: number) {
    super();
    this.offset = offset;
  }

  override now(): number {
    return super.now() + this.offset;
  }
}
