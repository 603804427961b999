import { describe, expect, test } from "bun:test";
import { someAnalysis } from "../../../../src/testing/some-analysis.ts";
import { statusUpdate } from "../../../support/publishing.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("many reads over HTTP", () => {
  test("BUD-12: a user with too many reads that wait is told so, and when to come back; another is served", async () => {
    const { ask, eventsPath, analysisId, tokens, pubSub, publish } = appBench();
    tokens.know("another", { userId: "bob" });
    await publish([statusUpdate()]);
    pubSub.holdsCalls = true;
    const pages = Array.from({ length: 100 }, () => ask(eventsPath));
    // Each asks for the rights first.
    for (let step = 0; step < 200; step++) await pubSub.proceed();
    const late = [ask(eventsPath), ask(`/v1/analyses/${analysisId}`), ask(eventsPath, { token: "another" })];
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    const [page, state, others] = await Promise.all(late);
    for (const refused of [page, state]) {
      expect(refused?.headers.get("Retry-After")).toBe("1");
      expect(refused && (await codeOf(refused))).toEqual([429, "too_many_connections"]);
    }
    expect(others?.status).toBe(200);
    expect((await Promise.all(pages)).map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect((await ask(eventsPath)).status).toBe(200);
  });

  test("BUD-12: neither page nor state is read for a client that has gone", async () => {
    const { ask, eventsPath, pubSub, reads } = appBench();
    pubSub.holdsCalls = true;
    const leave = new AbortController();
    const asked = [
      ...Array.from({ length: 3 }, () => ask(eventsPath, { signal: leave.signal })),
      ask(`/v1/analyses/${someAnalysis().slice("analysis:".length)}`, { signal: leave.signal }),
    ];
    for (let step = 0; step < 8; step++) await pubSub.proceed();
    leave.abort();
    await turn();
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    await Promise.all(asked);
    expect(reads.size).toBe(0);
    expect([pubSub.countOf("history"), pubSub.countOf("snapshot")]).toEqual([1, 0]);
  });

  test("BUD-13: readers who share a state get the same text, whole", async () => {
    const { ask, analysisId, publish, pubSub } = appBench();
    await publish([statusUpdate({ message: "ü".repeat(1_000) })]);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(`/v1/analyses/${analysisId}`)));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(texts).size).toBe(1);
    expect(JSON.parse(texts[0] ?? "")).toMatchObject({ message: "ü".repeat(1_000) });
    expect(pubSub.countOf("snapshot")).toBeLessThanOrEqual(2);
    expect(answers[0]?.headers.get("Content-Type")).toBe("application/json");
    expect(answers[0]?.headers.get("Cache-Control")).toBe("no-store");
  });

  test.each([
    ["text/event-stream", "text/event-stream"],
    ["TEXT/Event-Stream", "text/event-stream"],
    ["application/json, text/event-stream;q=0.5", "text/event-stream"],
    ["text/event-stream ; charset=utf-8", "text/event-stream"],
    ["application/json, text/event-stream;q=0", "application/json"],
    ["text/event-stream; Q=0.0, */*", "application/json"],
    ["application/x-text/event-stream", "application/json"],
    ["*/*", "application/json"],
    ["text/*", "application/json"],
    ["", "application/json"],
    [undefined, "application/json"],
  ])("SSE-9: with Accept %p the answer is %s, to GET and to HEAD", async (accept, type) => {
    const { ask, eventsPath } = appBench();
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept };
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(eventsPath, { method, headers });
      expect([method, answer.headers.get("Content-Type")]).toEqual([method, type]);
      await answer.body?.cancel();
    }
  });
});
