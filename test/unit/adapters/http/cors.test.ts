import { describe, expect, test } from "bun:test";
import { statusUpdate } from "../../../support/publishing.ts";
import { type AskOptions, appBench } from "./app-bench.ts";

const APP = "https://app.example";
const FROM_APP = { Origin: APP };

/** The headers that a browser checks before it hands an answer to a page. */
function shared(answer: Response) {
  const header = (name: string) => answer.headers.get(`Access-Control-${name}`);
  return {
    origin: header("Allow-Origin"),
    credentials: header("Allow-Credentials"),
    exposed: header("Expose-Headers"),
  };
}

describe("pages of other origins", () => {
  const mayRead = { origin: APP, credentials: "true", exposed: "Retry-After" };

  test("WEB-10: an allowed one may send whatever headers it asks for, to read and for a stream", async () => {
    const { ask, analysisId, eventsPath } = appBench({ allowedOrigins: [APP] });
    for (const path of [`/v1/analyses/${analysisId}`, eventsPath]) {
      for (const asked of [
        "cache-control",
        "authorization,last-event-id",
        "content-type, x-requested-with,traceparent, tracestate, baggage",
        "X-Anything-At-All",
        Array.from({ length: 100 }, (_, index) => `x-header-${index}`).join(","),
      ]) {
        const answer = await ask(path, {
          method: "OPTIONS",
          token: null,
          headers: {
            ...FROM_APP,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": asked,
          },
        });
        expect([answer.status, shared(answer)]).toEqual([204, mayRead]);
        const allowed = answer.headers.get("Access-Control-Allow-Headers") ?? "";
        expect(allowed.split(",").map((name) => name.trim())).toEqual(
          asked.split(",").map((name) => name.trim()),
        );
        expect(answer.headers.get("Access-Control-Allow-Methods")).toBe("GET,HEAD");
        expect(answer.headers.get("Vary")).toContain("Origin");
      }
    }
  });

  test("WEB-10: an allowed one may read every answer to a read, errors and the time to wait included", async () => {
    const bench = appBench({ allowedOrigins: [APP] });
    const { ask, analysisId, eventsPath, elsewhere, channel, pubSub, tokens, sessions } = bench;
    const state = `/v1/analyses/${analysisId}`;
    const seen: [number, boolean][] = [];
    const read = async (path: string, options: AskOptions = {}) => {
      const answer = await ask(path, { ...options, headers: { ...FROM_APP, ...options.headers } });
      expect([answer.status, shared(answer)]).toEqual([answer.status, mayRead]);
      expect(answer.headers.get("Vary")).toContain("Origin");
      seen.push([answer.status, answer.headers.has("Retry-After")]);
      await answer.body?.cancel();
    };
    await read(state);
    await read(state, { method: "HEAD" });
    await read(eventsPath, { headers: { Accept: "text/event-stream" } });
    await read("/v1/analyses/no-uuid");
    await read(`${eventsPath}?limit=0`);
    await read(state, { token: null });
    await read(`${state}/nothing`);
    await read("/v1/nothing");
    await elsewhere.declareViewers(channel, new Set(["somebody-else"]));
    await read(state);
    await elsewhere.declareViewers(channel, "*");
    pubSub.goesAway();
    await read(state);
    pubSub.comesBack();
    tokens.fault = new Error("unexpected");
    await read(state);
    expect(seen).toEqual([
      [200, false],
      [200, false],
      [200, false],
      [400, false],
      [400, false],
      [401, false],
      [404, false],
      [404, false],
      [403, false],
      [503, true],
      [500, false],
    ]);
    expect(sessions.connections.size).toBe(0);
  });

  test("WEB-10: an allowed one is told that its user has too many streams", async () => {
    const { ask, eventsPath, sessions } = appBench({ allowedOrigins: [APP] });
    const headers = { ...FROM_APP, Accept: "text/event-stream" };
    sessions.connections.admit = () => ({ admitted: false, limit: "user" });
    const answer = await ask(eventsPath, { headers });
    expect([answer.status, shared(answer), answer.headers.has("Retry-After")]).toEqual([429, mayRead, true]);
  });

  test("WEB-10: another one reads nothing, and nothing is allowed to it", async () => {
    const { ask, eventsPath } = appBench({ allowedOrigins: [APP] });
    for (const method of ["GET", "OPTIONS"]) {
      const answer = await ask(eventsPath, { method, headers: { Origin: "https://evil.example" } });
      expect(shared(answer).origin).toBeNull();
    }
  });

  test("WEB-10: none may publish, declare viewers or send notices", async () => {
    const { ask, publish, declare, notify, eventsPath } = appBench({ allowedOrigins: [APP] });
    for (const method of ["POST", "PUT", "DELETE"]) {
      const headers = { ...FROM_APP, "Access-Control-Request-Method": method };
      const preflight = await ask(eventsPath, { method: "OPTIONS", token: null, headers });
      expect(preflight.headers.get("Access-Control-Allow-Methods")).toBe("GET,HEAD");
    }
    for (const answer of [
      await publish(statusUpdate(), { headers: FROM_APP }),
      await declare({ viewers: "*" }, { headers: FROM_APP }),
      await notify({ message: "m" }, { headers: FROM_APP }),
      await publish("{", { headers: FROM_APP }),
    ])
      expect(shared(answer)).toEqual({ origin: null, credentials: null, exposed: null });
  });

  test("WEB-11: a page reads without cookies if every origin is allowed", async () => {
    const { ask, eventsPath } = appBench({ allowedOrigins: "*" });
    const all = { origin: "*", credentials: null, exposed: "Retry-After" };
    for (const headers of [FROM_APP, { Origin: "null" }]) {
      expect(shared(await ask(eventsPath, { headers }))).toEqual(all);
      expect(shared(await ask(eventsPath, { token: null, headers }))).toEqual(all);
      const preflight = await ask(eventsPath, {
        method: "OPTIONS",
        token: null,
        headers: { ...headers, "Access-Control-Request-Headers": "authorization, traceparent" },
      });
      expect([shared(preflight), preflight.headers.get("Access-Control-Allow-Headers")]).toEqual([
        all,
        "authorization,traceparent",
      ]);
    }
  });
});
