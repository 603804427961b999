import { describe, expect, test } from "bun:test";
import { CLOSE_CODES } from "../../../../src/domain/close-code.ts";
import { formatEventId } from "../../../../src/domain/event-position.ts";
import { status } from "../../../../src/testing/encoded-events.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("a stream", () => {
  const STREAM = { headers: { Accept: "text/event-stream" } };

  test("RES-10: begins with the state for replay=state, whose id is its position", async () => {
    const { ask, eventsPath, elsewhere, channel } = appBench();
    await elsewhere.append({ channel, events: [status(), status()] });
    const { position } = await elsewhere.snapshot(channel);
    const answer = await ask(`${eventsPath}?replay=state&markers=1`, STREAM);
    const reader = answer.body?.getReader();
    let text = "";
    while (!text.includes("event: caught_up"))
      text += new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
    const blocks = text.split("\n\n");
    const state = blocks.find((block) => block.includes("event: analysis_state"));
    expect(state).toStartWith(`id: ${formatEventId(position)}\nevent: analysis_state\ndata: {`);
    expect(blocks.at(blocks.indexOf(state ?? "") + 1)).toStartWith("event: caught_up\n");
  });

  test.each([
    [
      "a stream",
      "?resume=strict",
      { headers: { Accept: "text/event-stream", "Last-Event-ID": "another-9" } },
    ],
    ["a page", "?resume=strict&after=another-9", {}],
    ["a page whose position cannot be read", "?resume=strict&after=?", {}],
    ["a read that waits", "?resume=strict&after=another-9&wait=20", {}],
  ])("RES-12: %s of resume=strict is 410 if its position is gone", async (_, query, options) => {
    const { ask, eventsPath, elsewhere, channel, registry, pubSub } = appBench();
    await elsewhere.append({ channel, events: [status()] });
    expect(await codeOf(await ask(`${eventsPath}${query}`, options))).toEqual([410, "position_gone"]);
    expect(registry.statistics().total_connections).toBe(0);
    expect(pubSub.subscriptions).toBe(0);
  });

  test("RES-12: a page of resume=strict begins where it was asked to if its position is good, or none was given", async () => {
    const { ask, eventsPath, elsewhere, channel } = appBench();
    await elsewhere.append({ channel, events: [status()] });
    for (const query of ["?resume=strict", "?resume=strict&after=0"])
      expect((await ask(`${eventsPath}${query}`)).status).toBe(200);
    expect(await codeOf(await ask(`${eventsPath}?resume=lenient`))).toEqual([400, "invalid_query"]);
  });
});

describe("the last event of a stream", () => {
  test.each([
    [CLOSE_CODES.finished, "finished", { reconnect: false }],
    [CLOSE_CODES.goingAway, "retry_after_ms=1234", { reconnect: true, retry_after_ms: 1_234 }],
    [
      CLOSE_CODES.tryAgainLater,
      "retry_after_ms=10000 newer_format",
      { reconnect: true, retry_after_ms: 10_000 },
    ],
    [CLOSE_CODES.unauthenticated, "token expired", { reconnect: true }],
    [CLOSE_CODES.forbidden, "not allowed to watch this analysis", { reconnect: false }],
    [CLOSE_CODES.forbidden, "not_declared", { reconnect: true }],
    [CLOSE_CODES.heartbeatTimeout, "nothing heard", { reconnect: true }],
    [CLOSE_CODES.tooSlow, "more waits than may be kept", { reconnect: true }],
    [CLOSE_CODES.positionGone, "position_gone", { reconnect: false }],
  ])("SSE-11: is closing with the code %o and the reason %s", async (why, reason, more) => {
    const { ask, eventsPath, sessions } = appBench();
    const answer = await ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    for (const connection of sessions.connections.all()) connection.close(why, reason);
    const [retry, , closing, ...rest] = (await answer.text()).split("\n\n");
    expect(Number(retry?.replace("retry: ", ""))).toBeWithin(1_000, 3_001);
    const data = JSON.stringify({ code: why.code, reason, ...more });
    expect(closing).toBe(`event: closing\ndata: ${data}`);
    const again = "retry_after_ms" in more ? [`retry: ${more.retry_after_ms}`, ""] : [""];
    expect(rest).toEqual(again);
  });

  test("SSE-10: the times to come back by itself are the clients' own", async () => {
    const { ask, eventsPath } = appBench();
    const retries = new Set<string>();
    for (let client = 0; client < 20; client++) {
      const answer = await ask(eventsPath, { headers: { Accept: "text/event-stream" } });
      const reader = answer.body?.getReader();
      retries.add(new TextDecoder().decode((await reader?.read())?.value));
      await reader?.cancel();
    }
    expect(retries.size).toBeGreaterThan(10);
  });
});

describe("a stream that is closed before it begins", () => {
  test.each([
    ["its token runs out", CLOSE_CODES.unauthenticated, 401, "unauthenticated"],
    ["its user may not watch any more", CLOSE_CODES.forbidden, 403, "not_allowed"],
  ] as const)("SSE-4: answers with the status of the reason if %s", async (_, why, refused, code) => {
    const { ask, eventsPath, sessions, pubSub, registry } = appBench();
    pubSub.holdsCalls = true;
    const asked = ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    await turn();
    for (const connection of sessions.connections.all()) connection.close(why, "while it comes in");
    pubSub.holdsCalls = false;
    for (let step = 0; step < 20; step++) await pubSub.proceed();
    expect(await codeOf(await asked)).toEqual([refused, code]);
    expect(registry.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
    expect(pubSub.subscriptions).toBe(0);
  });
});
