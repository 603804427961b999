import { describe, expect, test } from "bun:test";
import { CheckPositions } from "../../../src/application/check-positions.ts";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { analysisChannel } from "../../../src/domain/channel.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";
import { watchBench } from "./watch-bench.ts";

const AGAIN = "connection_established";

function bench() {
  const watching = watchBench();
  const check = new CheckPositions(watching.feeds, watching.pubSub, watching.telemetry);
  return { ...watching, check };
}

describe("CheckPositions", () => {
  test("ID-3: the last event before a silence, lost on the way, comes with the second check", async () => {
    const { check, join, publish, pubSub, settle, telemetry } = bench();
    const { wire } = await join();
    await publish(status());
    pubSub.holdsMail = true;
    await publish(result());
    pubSub.breakLink();
    await check.execute();
    await settle();
    expect(wire.offsets).toEqual([1]);
    await check.execute();
    await settle();
    expect(wire.types).toEqual(["status_update", "result_update"]);
    expect(telemetry.counts.get("feed_heals")).toBe(1);
  });

  test("ID-3: the check waits for events on their way, and nobody reads them", async () => {
    const { check, join, publish, pubSub, settle } = bench();
    const { wire } = await join();
    for (let round = 0; round < 5; round++) {
      pubSub.holdsMail = true;
      await publish();
      await check.execute();
      await settle();
    }
    expect(wire.offsets).toEqual([1, 2, 3, 4, 5]);
    expect(pubSub.countOf("history")).toBe(0);
  });

  test("ID-3: the check compares an answer with the feed's position when the question was sent", async () => {
    const { check, join, publish, pubSub, settle } = bench();
    await join();
    await publish();
    pubSub.holdsCalls = true;
    const checking = check.execute();
    await pubSub.proceed();
    await publish();
    await pubSub.proceed();
    await checking;
    await settle();
    expect(pubSub.countOf("history")).toBe(0);
  });

  test("ID-4: a broker that lost what a watcher was sent is found without a new event, and the watcher is told", async () => {
    const { check, join, publish, broker, settle } = bench();
    const { wire } = await join();
    await publish();
    broker.loseEverything();
    await check.execute();
    await settle();
    expect(wire.types).toEqual(["status_update", AGAIN]);
    await check.execute();
    await settle();
    expect(wire.types).toEqual(["status_update", AGAIN]);
  });

  test("ID-4: a broker on another lineage is read again, and disturbs nobody who lost nothing", async () => {
    const { check, join, publish, pubSub, elsewhere, channel, settle } = bench();
    const { owner, wire } = await join();
    await publish();
    await check.execute();
    // The list of viewers is no event: only reading again shows that it is another one.
    pubSub.holdsMail = true;
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    pubSub.breakLink();
    const positions = pubSub.positions.bind(pubSub);
    pubSub.positions = async (channels) =>
      (await positions(channels)).map((position) => position && { ...position, lineage: "another" });
    await check.execute();
    await settle();
    expect(owner.viewers.at(-1)).toEqual(new Set(["bob"]));
    expect(wire.types).toEqual(["status_update"]);
    const read = pubSub.countOf("history");
    await check.execute();
    await settle();
    expect(pubSub.countOf("history")).toBe(read);
  });

  test("ten thousand watched analyses cost ten commands", async () => {
    const { check, feeds, pubSub } = bench();
    const channels = Array.from({ length: 10_000 }, () => someAnalysis());
    await Promise.all(channels.map((channel) => feeds.analysis(channel)));
    await check.execute();
    expect(pubSub.countOf("positions")).toBe(10);
  });

  test("notices are not checked, nor is anything while nobody watches, or while the broker is away", async () => {
    const { check, feeds, pubSub, join } = bench();
    await feeds.notices("user:alice");
    await check.execute();
    await join();
    pubSub.goesAway();
    await check.execute();
    expect(pubSub.countOf("positions")).toBe(0);
  });

  test("while a part of the broker is away the channels of the others are checked", async () => {
    const { check, feeds, pubSub } = bench();
    const [lost, served] = [someAnalysis(), someAnalysis()];
    await Promise.all([lost, served].map((channel) => feeds.analysis(channel)));
    pubSub.losesPartWith(lost);
    await check.execute();
    expect(pubSub.made.filter(({ name }) => name === "positions").map(({ channel }) => channel)).toEqual([
      served,
    ]);
  });

  test("a check that fails is no fault, and one that is out is not asked twice", async () => {
    const { check, join, pubSub } = bench();
    await join();
    pubSub.fault = ({ name }) => (name === "positions" ? new BrokerUnavailable("away") : undefined);
    await check.execute();
    pubSub.fault = () => undefined;
    pubSub.holdsCalls = true;
    const out = check.execute();
    await check.execute();
    expect(pubSub.countOf("positions")).toBe(2);
    await pubSub.proceed();
    await pubSub.proceed();
    await out;
  });

  test("a feed that is reading is left out", async () => {
    const { check, feeds, pubSub } = bench();
    const { feed } = await feeds.analysis(analysisChannel(crypto.randomUUID() as never));
    new Watcher(feed).begin();
    pubSub.holdsCalls = true;
    feed.linkRestored();
    await turn();
    await check.execute();
    expect(pubSub.countOf("positions")).toBe(0);
  });
});
