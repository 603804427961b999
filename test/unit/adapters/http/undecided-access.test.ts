import { describe, expect, test } from "bun:test";
import { AccessUndecided } from "../../../../src/application/errors.ts";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("a request whose token nobody can judge now", () => {
  test("TV-11 is answered with 503 and a time to come back, on every way", async () => {
    const { publish, notify, declare, ask, analysisId, eventsPath, tokens, telemetry, sessions } = appBench();
    tokens.fault = new AccessUndecided("the issuer at https://issuer.example does not answer");
    const ways = {
      publish: () => publish(statusUpdate()),
      notify: () => notify({ message: "m" }),
      declare: () => declare({ viewers: "*" }),
      state: () => ask(`/v1/analyses/${analysisId}`),
      events: () => ask(eventsPath),
      wait: () => ask(`${eventsPath}?wait=60`),
      stream: () => ask(eventsPath, { headers: { Accept: "text/event-stream" } }),
    };
    for (const [way, request] of Object.entries(ways)) {
      const answer = await request();
      expect([way, answer.headers.get("Retry-After")]).toEqual([way, "1"]);
      expect(await answer.clone().text()).not.toContain("issuer");
      expect([way, ...(await codeOf(answer))]).toEqual([way, 503, "access_undecided"]);
    }
    expect((await ask(eventsPath, { method: "HEAD" })).status).toBe(503);
    expect(telemetry.logs.filter(({ level }) => level === "warn")).not.toBeEmpty();
    expect(sessions.connections.size).toBe(0);
  });
});
