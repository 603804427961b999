import { describe, expect, test } from "bun:test";
import { CLOSE_CODES } from "../../../../src/domain/close-code.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("a stream that is closed before it begins", () => {
  test.each([
    ["its token runs out", CLOSE_CODES.unauthenticated, 401, "unauthenticated"],
    ["its user may not watch any more", CLOSE_CODES.forbidden, 403, "not_allowed"],
  ] as const)("SSE-4: answers with the status of the reason if %s", async (_, why, status, code) => {
    const { ask, eventsPath, sessions, pubSub, registry } = appBench();
    pubSub.holdsCalls = true;
    const asked = ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    await turn();
    for (const connection of sessions.connections.all()) connection.close(why, "while it comes in");
    pubSub.holdsCalls = false;
    for (let step = 0; step < 20; step++) await pubSub.proceed();
    expect(await codeOf(await asked)).toEqual([status, code]);
    expect(registry.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
    expect(pubSub.subscriptions).toBe(0);
  });
});
