import { describe, expect, test } from "bun:test";
import { AccessUndecided } from "../../../../src/application/errors.ts";
import { statusUpdate } from "../../../support/publishing.ts";
import { RemotePolicy } from "../../../support/remote-policy.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("a policy of one's own, over HTTP", () => {
  const opened = () => {
    const access = new RemotePolicy();
    const bench = appBench({}, undefined, { access });
    const { ask, publish, declare, notify, analysisId, eventsPath } = bench;
    const reads = {
      state: () => ask(`/v1/analyses/${analysisId}`),
      events: () => ask(eventsPath),
      wait: () => ask(`${eventsPath}?wait=1`),
      stream: () => ask(eventsPath, { headers: { Accept: "text/event-stream" } }),
    };
    const writes = {
      publish: () => publish(statusUpdate()),
      declare: () => declare({ viewers: ["somebody-else"] }),
      notify: () => notify({ message: "m" }),
    };
    return { ...bench, access, reads, writes };
  };

  test("is asked once by every way in", async () => {
    const { access, reads, writes } = opened();
    for (const request of Object.values(writes)) expect((await request()).ok).toBe(true);
    expect(access.asked.splice(0)).toEqual(["publish", "publish", "notify"]);
    for (const request of Object.values(reads)) {
      const answer = await request();
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
    }
    expect(access.asked).toEqual(["watch", "watch", "watch", "watch"]);
  });

  test("refuses with its own code on every way, and nothing is stored", async () => {
    const { access, reads, writes, kept, sessions } = opened();
    for (const verdict of ["not_allowed", "not_declared"] as const) {
      access.watch = verdict;
      for (const request of Object.values(reads))
        expect(await codeOf(await request())).toEqual([403, verdict]);
    }
    for (const verdict of ["not_allowed", "scope_missing"] as const) {
      access.publish = verdict;
      for (const request of Object.values(writes))
        expect(await codeOf(await request())).toEqual([403, verdict]);
    }
    expect(await kept()).toEqual([]);
    expect(sessions.connections.size).toBe(0);
  });

  test("that cannot decide now is answered with 503 on every way, and leaves nothing behind", async () => {
    const { access, reads, writes, kept, sessions, feeds } = opened();
    access.fault = new AccessUndecided("https://backend.example does not answer");
    for (const [way, request] of Object.entries({ ...reads, ...writes })) {
      const answer = await request();
      expect([way, answer.headers.get("Retry-After")]).toEqual([way, "1"]);
      expect([way, ...(await codeOf(answer))]).toEqual([way, 503, "access_undecided"]);
    }
    expect(await kept()).toEqual([]);
    expect(sessions.connections.size).toBe(0);
    expect([...feeds.analyses()]).toEqual([]);
  });

  test("is asked before the body of a publish is read", async () => {
    const { access, publish } = opened();
    access.publish = "not_allowed";
    const body = new ReadableStream({ pull: () => Promise.reject(new Error("the body was read")) });
    expect(await codeOf(await publish(body, { headers: { "Content-Type": "application/json" } }))).toEqual([
      403,
      "not_allowed",
    ]);
  });
});
