import { describe, expect, test } from "bun:test";
import { CLOSE_CODES } from "../../../../src/domain/close-code.ts";
import { turn } from "../../../support/turn.ts";
import { appBench } from "./app-bench.ts";

const STREAM = { Accept: "text/event-stream" };

describe("HEAD", () => {
  test("ADM-1: is answered with the headers of a stream a hundred and one times and admits nobody", async () => {
    const { ask, eventsPath, registry, pubSub, sessions } = appBench();
    for (let time = 0; time < 101; time++) {
      const answer = await ask(eventsPath, { method: "HEAD", headers: STREAM });
      expect([answer.status, answer.headers.get("Content-Type"), answer.body]).toEqual([
        200,
        "text/event-stream",
        null,
      ]);
    }
    expect([registry.statistics().total_connections, sessions.connections.size]).toEqual([0, 0]);
    expect(pubSub.made).toEqual([]);
  });

  test("ADM-1: is answered at once on a read with wait, without a call to the broker", async () => {
    const { ask, eventsPath, analysisId, pubSub } = appBench();
    const answer = await ask(`${eventsPath}?wait=60`, { method: "HEAD" });
    expect([answer.status, answer.headers.get("Content-Type")]).toEqual([200, "application/json"]);
    expect((await ask(`/v1/analyses/${analysisId}`, { method: "HEAD" })).status).toBe(200);
    expect(pubSub.made).toEqual([]);
  });

  test.each(["/health", "/ready", "/ws/health", "/metrics", "/ws", "/nothing", "/v1/nothing", "/v1/notices"])(
    "ADM-1: is answered on %s without a body, with the status of GET",
    async (path) => {
      const { ask, pubSub } = appBench();
      const answer = await ask(path, { method: "HEAD" });
      expect([answer.status, answer.body]).toEqual([(await ask(path)).status, null]);
      expect(pubSub.made).toEqual([]);
    },
  );

  test.each([
    ["no token", { token: null }, 401],
    ["a token that is no good", { token: "unknown" }, 401],
    ["another site's page", { headers: { Origin: "https://elsewhere.example" } }, 403],
  ])("ADM-1: is refused with %s as GET is", async (_, options, status) => {
    const { ask, eventsPath } = appBench();
    for (const headers of [{}, STREAM]) {
      const asked = { ...options, headers: { ...headers, ...("headers" in options ? options.headers : {}) } };
      expect((await ask(eventsPath, { ...asked, method: "HEAD" })).status).toBe(status);
    }
    expect((await ask("/v1/analyses/no-uuid/events", { method: "HEAD" })).status).toBe(400);
  });

  test("ADM-1: changes no other method", async () => {
    const { ask, eventsPath, sessions } = appBench();
    expect((await ask(eventsPath, { method: "DELETE" })).status).toBe(404);
    const preflight = { Origin: "http://telltale.example", "Access-Control-Request-Method": "GET" };
    expect((await ask(eventsPath, { method: "OPTIONS", headers: preflight })).status).toBe(204);
    void ask(eventsPath, { headers: STREAM });
    await turn();
    expect(sessions.connections.size).toBe(1);
    for (const connection of sessions.connections.all()) connection.close(CLOSE_CODES.goingAway, "");
  });
});
