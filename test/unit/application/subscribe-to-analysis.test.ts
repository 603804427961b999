import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { analysisIdOf, SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { notice, result, status } from "../../../src/testing/encoded-events.ts";
import { someGrant } from "../../support/some-grant.ts";
import { NOTHING_HELD, watchBench } from "./watch-bench.ts";

describe("SubscribeToAnalysis", () => {
  test("WS-1: the latest state, then everything that follows, and the books say who watches what", async () => {
    const { publish, join, settle, registry, channel } = watchBench();
    await publish(status(), status(), result());
    const { wire, resumed } = await join();
    await publish();
    await settle();
    expect([resumed, wire.offsets]).toEqual([null, [2, 3, 4]]);
    expect([...registry.connectionsOf(analysisIdOf(channel))]).toEqual([wire.id]);
  });

  test("WS-14: while the broker is away nobody joins, not even if others watch already", async () => {
    const { join, publish, pubSub, held } = watchBench();
    await publish();
    const before = await join();
    pubSub.goesAway();
    await expect(join()).rejects.toBeInstanceOf(BrokerUnavailable);
    pubSub.comesBack();
    expect((await join()).wire.offsets).toEqual([1]);
    before.watch?.end();
    expect(held().watched).toBe(1);
  });

  test("NOT-1: notices for the user and for everybody come beside it, another user's do not", async () => {
    const { join, elsewhere, settle } = watchBench();
    const { wire } = await join({ userId: "alice" });
    for (const [channel, note] of [
      [userChannel("bob"), "not for alice"],
      [userChannel("alice"), "for alice"],
      [SYSTEM_CHANNEL, "for all"],
    ] as const)
      await elsewhere.append({ channel, events: [notice({ note })] });
    await settle();
    expect(wire.messages.map(({ note }) => note)).toEqual(["for alice", "for all"]);
  });

  test("NOT-4: notices of before are no part of a replay, however much of it is asked for", async () => {
    const { join, elsewhere, publish } = watchBench();
    await elsewhere.append({ channel: SYSTEM_CHANNEL, events: [notice()] });
    await publish(status(), status());
    const { wire } = await join({ replay: { mode: "all" } });
    expect(wire.types).toEqual(["status_update", "status_update"]);
  });

  test.each([
    ["the claim names it, whoever the viewers are", { analyses: "this" }, ["bob"], "deny", true],
    ["the claim is for all", { analyses: "*" }, ["bob"], "deny", true],
    [
      "the claim names another, though the user is a viewer",
      { analyses: "other" },
      ["alice"],
      "allow",
      false,
    ],
    ["the user is a viewer", {}, ["alice", "bob"], "deny", true],
    ["the user is no viewer", {}, ["bob"], "allow", false],
    ["nobody is", {}, [], "allow", false],
    ["everybody is", {}, "*", "deny", true],
    ["nobody said, and the default allows", {}, undefined, "allow", true],
    ["nobody said, and the default denies", {}, undefined, "deny", "not_declared"],
  ] as const)("WS-17: %s", async (_, { analyses }: { analyses?: string }, viewers, watchDefault, allowed) => {
    const { join, elsewhere, channel, held } = watchBench({ watchDefault });
    if (viewers !== undefined)
      await elsewhere.declareViewers(channel, viewers === "*" ? "*" : new Set(viewers));
    const claimed =
      analyses === undefined || analyses === "*"
        ? analyses
        : new Set([analyses === "this" ? analysisIdOf(channel) : crypto.randomUUID()]);
    const { answer } = await join({ grant: someGrant({ analyses: claimed }) });
    expect(answer.type).toBe(EXPECTED[`${allowed}`]);
    if (allowed !== true) expect(held()).toEqual(NOTHING_HELD);
  });

  test("without the broker it rejects, whichever channel fails, and leaves nothing behind", async () => {
    for (const name of ["subscribe", "snapshot", "history"] as const) {
      for (let failing = 0; failing < 3; failing++) {
        const { join, pubSub, held, publish } = watchBench();
        const position = await publish();
        await publish();
        let calls = 0;
        pubSub.fault = (call) =>
          call.name === name && (name !== "subscribe" || calls++ === failing)
            ? new BrokerUnavailable("away")
            : undefined;
        const outcome = await join({ replay: { after: position } }).catch((error: unknown) => error);
        expect(outcome).toBeInstanceOf(BrokerUnavailable);
        expect(held()).toEqual(NOTHING_HELD);
      }
    }
  });

  test("end() gives everything back, also for a watch that never began, and twice is no fault", async () => {
    const { join, subscribe, channel, held, publish, settle } = watchBench();
    const joined = await join();
    const { writer, owner } = joined;
    const replay = { mode: "latest", after: undefined } as const;
    const grant = someGrant();
    const analysisId = analysisIdOf(channel);
    const request = {
      analysisId,
      grant,
      writer,
      owner,
      replay,
      untilTerminal: false,
      conflates: true,
    };
    const unbegun = await subscribe.execute(request);
    for (const answer of [unbegun, unbegun]) if (answer.type === "watching") answer.watch.end();
    expect(held().watched).toBe(1);
    for (let ended = 0; ended < 2; ended++) joined.watch?.end();
    expect(held()).toEqual(NOTHING_HELD);
    await publish();
    await settle();
    expect(joined.wire.frames).toEqual([]);
  });

  test("one who leaves takes nothing from the others", async () => {
    const { join, publish, settle, held } = watchBench();
    const [leaving, staying] = [await join(), await join({ userId: "bob" })];
    leaving.watch?.end();
    await publish();
    await settle();
    expect([leaving.wire.offsets, staying.wire.offsets]).toEqual([[], [1]]);
    expect(held()).toEqual({ feeds: 3, subscriptions: 3, listening: 3, watched: 1 });
  });
});

const EXPECTED = { true: "watching", false: "not_allowed", not_declared: "not_declared" } as const;
