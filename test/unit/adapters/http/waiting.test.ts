import { describe, expect, test } from "bun:test";
import { DrainConnections } from "../../../../src/application/drain-connections.ts";
import { BrokerUnavailable } from "../../../../src/application/errors.ts";
import { status } from "../../../../src/testing/encoded-events.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf } from "./app-bench.ts";

const NOBODY = { total_connections: 0, active_analyses: 0, users: 0 };

describe("a read with wait", () => {
  const opened = (options: Parameters<typeof appBench>[2] = {}) => {
    const bench = appBench({}, undefined, options);
    const { ask, eventsPath, registry, feeds, pubSub, sessions, elsewhere, channel } = bench;
    const wait = (options: Parameters<typeof ask>[1] = {}, seconds = 25) =>
      ask(`${eventsPath}?wait=${seconds}`, options);
    const publish = async () => {
      await elsewhere.append({ channel, events: [status()] });
      await turn();
    };
    const books = () => ({
      ...registry.statistics(),
      held: sessions.connections.size + feeds.size + pubSub.subscriptions,
      alice: registry.subscriptionsOfUser("alice"),
    });
    return { ...bench, wait, publish, books };
  };
  const NOTHING = { ...NOBODY, held: 0, alice: 0 };

  test("ADM-4: is counted until it is answered", async () => {
    const { wait, publish, books } = opened();
    const answer = wait();
    await turn();
    expect(books()).toMatchObject({ total_connections: 1, active_analyses: 1, users: 1, alice: 1 });
    await publish();
    expect((await answer).status).toBe(200);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-4: is refused with 429 after a hundred of the same user", async () => {
    const { wait, books, publish } = opened({ maxPerUser: 100 });
    const answers = Array.from({ length: 3_000 }, () => wait());
    await turn();
    expect(books().total_connections).toBe(100);
    await publish();
    const statuses = (await Promise.all(answers)).map((answer) => answer.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(2_900);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-4: shares the limits of WebSockets and streams, in any order", async () => {
    const { wait, ask, eventsPath, tokens, books } = opened({ maxPerUser: 2, maxConnections: 3 });
    const stream = () => ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    expect((await stream()).status).toBe(200);
    void wait();
    await turn();
    expect(await codeOf(await wait())).toEqual([429, "too_many_connections"]);
    expect(await codeOf(await stream())).toEqual([429, "too_many_connections"]);
    void wait({ token: tokens.know("bob", { userId: "bob" }) });
    await turn();
    const full = await wait({ token: tokens.know("carol", { userId: "carol" }) });
    expect(await codeOf(full)).toEqual([503, "over_capacity"]);
    expect(full.headers.get("Retry-After")).toBe("1");
    expect(books().total_connections).toBe(3);
  });

  test("ADM-4: is counted though it can be answered at once", async () => {
    const { wait, publish, books, pubSub } = opened();
    await publish();
    pubSub.holdsCalls = true;
    const answer = wait();
    for (let step = 0; step < 3; step++) {
      await turn();
      expect(books().total_connections).toBe(1);
      await pubSub.proceed();
    }
    for (let step = 0; step < 8; step++) await pubSub.proceed();
    expect(((await (await answer).json()) as { events: unknown[] }).events).toHaveLength(1);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-5: ends with 401 when its token runs out", async () => {
    const { wait, tokens, clock, pass, books } = opened();
    const token = tokens.know("short", { expiresAt: clock.now() + 5_000 });
    const answer = wait({ token });
    await turn();
    await pass(6_000);
    expect(await codeOf(await answer)).toEqual([401, "unauthenticated"]);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-6: ends with 403 when viewers are declared without its user, and goes on if they include the user", async () => {
    const { wait, tokens, elsewhere, channel, publish, books } = opened();
    const [alice, bob] = [wait(), wait({ token: tokens.know("bob", { userId: "bob" }) })];
    await turn();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    expect(await codeOf(await alice)).toEqual([403, "not_allowed"]);
    await turn();
    expect(books().total_connections).toBe(1);
    await publish();
    expect(((await (await bob).json()) as { events: unknown[] }).events).toHaveLength(1);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-4: is not ended by a minute of silence", async () => {
    const { wait, pass, books } = opened();
    const answer = wait({}, 60);
    await turn();
    await pass(59_000);
    expect(books().total_connections).toBe(1);
    await pass(1_000);
    expect((await answer).status).toBe(200);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-7: is answered with the events so far when the gateway drains, and refused after that", async () => {
    const { wait, clock, sessions, books } = opened();
    const answer = wait();
    await turn();
    const drained = new DrainConnections(sessions.connections, clock, () => 0.5).execute(6_000);
    expect((await answer).status).toBe(200);
    await drained;
    expect(sessions.connections.size).toBe(0);
    expect(await codeOf(await wait())).toEqual([503, "over_capacity"]);
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-4: is no longer counted if its client goes, at any instant", async () => {
    for (let instant = 0; instant < 10; instant++) {
      const { wait, pubSub, books } = opened();
      pubSub.holdsCalls = true;
      const leave = new AbortController();
      const answer = wait({ signal: leave.signal });
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      leave.abort();
      for (let step = 0; step < 16; step++) await pubSub.proceed();
      await answer;
      expect(books()).toEqual(NOTHING);
    }
  });

  test("ADM-4: leaves nothing behind if the broker goes away, at any call", async () => {
    for (const name of ["subscribe", "snapshot", "history"]) {
      const { wait, pubSub, books } = opened();
      pubSub.fault = (call) => (call.name === name ? new BrokerUnavailable("away") : undefined);
      expect((await wait()).status).toBe(503);
      expect(books()).toEqual(NOTHING);
    }
  });

  test("ADM-8: is answered with not_declared if nobody declared viewers, as a stream and a plain read are", async () => {
    const { wait, ask, analysisId, eventsPath, elsewhere, channel, books } = opened({ watchDefault: "deny" });
    const stream = { headers: { Accept: "text/event-stream" } };
    const all = [
      () => wait(),
      () => ask(eventsPath),
      () => ask(eventsPath, stream),
      () => ask(`/v1/analyses/${analysisId}`),
    ];
    for (const one of all) expect(await codeOf(await one())).toEqual([403, "not_declared"]);
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    for (const one of all) expect(await codeOf(await one())).toEqual([403, "not_allowed"]);
    expect(books()).toEqual(NOTHING);
  });
});
