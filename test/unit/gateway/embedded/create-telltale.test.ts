import { afterEach, describe, expect, test } from "bun:test";
import { createTelltale, OptionsRefused, PublishRefused } from "telltale/core";
import { openMemoryBroker } from "../../../../src/adapters/memory/memory-broker.ts";
import { RecordingConnection } from "../../../../src/testing/recording-connection.ts";
import { IssuerKey } from "../../../support/local-issuer.ts";
import { resultUpdate, statusUpdate } from "../../../support/publishing.ts";
import { turn } from "../../../support/turn.ts";
import { codeOf } from "../../adapters/http/app-bench.ts";
import { embedded, endEmbedded, requestOf } from "./embedded-bench.ts";

const id = crypto.randomUUID();
const status = statusUpdate() as never;

afterEach(endEmbedded);

async function refusalOf(publishing: Promise<unknown>) {
  const error = await publishing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PublishRefused);
  const { code, issues, status: of } = error as PublishRefused;
  return { code, status: of, paths: issues.map(({ path }) => path) };
}

describe("publish of an embedded gateway", () => {
  test("EMB-5: resolves with the ids of the events, which watchers then read", async () => {
    const telltale = await embedded();
    const first = await telltale.publish(id, status);
    const rest = await telltale.publish(id.toUpperCase(), [status, resultUpdate() as never]);
    const page = await telltale.fetch(requestOf(`/v1/analyses/${id}/events`, "ada"));
    const { events } = (await page.json()) as { events: { event_id: string }[] };
    expect(events.map(({ event_id }) => event_id)).toEqual([...first.eventIds, ...rest.eventIds]);
    expect([first.duplicate, rest.duplicate]).toEqual([false, false]);
  });

  test("EMB-5: stores a repeat under one idempotency key once", async () => {
    const telltale = await embedded();
    const first = await telltale.publish(id, status, { idempotencyKey: "k" });
    expect(await telltale.publish(id, status, { idempotencyKey: "k" })).toEqual({
      eventIds: first.eventIds,
      duplicate: true,
    });
  });

  test("EMB-5: refuses with the code of the HTTP answer, and names the fields at fault", async () => {
    const telltale = await embedded();
    const circle: Record<string, unknown> = {};
    circle.itself = circle;
    expect(await refusalOf(telltale.publish("video-1", status))).toMatchObject({
      code: "not_an_analysis_id",
      status: 400,
    });
    expect(await refusalOf(telltale.publish(id, circle as never))).toMatchObject({ code: "not_json" });
    expect(await refusalOf(telltale.publish(id, undefined as never))).toMatchObject({ code: "not_json" });
    expect(await refusalOf(telltale.publish(id, status, { idempotencyKey: "" }))).toMatchObject({
      code: "invalid_idempotency_key",
    });
    const bad = statusUpdate({ progress: 7 }) as never;
    expect(await refusalOf(telltale.publish(id, [status, bad]))).toEqual({
      code: "invalid_event",
      status: 422,
      paths: [[1, "progress"]],
    });
    const long = statusUpdate({ message: "m".repeat(2 * 1024 * 1024) }) as never;
    expect(await refusalOf(telltale.publish(id, long))).toMatchObject({
      code: "event_too_large",
      status: 413,
    });
  });

  test("EMB-5: refuses an event of an attempt that has ended", async () => {
    const telltale = await embedded();
    await telltale.publish(id, [resultUpdate({ attempt_id: "one" }) as never]);
    const late = statusUpdate({ attempt_id: "one" }) as never;
    expect(await refusalOf(telltale.publish(id, late))).toMatchObject({
      code: "attempt_ended",
      status: 409,
    });
  });

  test("EMB-5: declares who may watch", async () => {
    const telltale = await embedded({ tokens: () => ({ userId: "ada" }) });
    const state = () => telltale.fetch(requestOf(`/v1/analyses/${id}`, "ada"));
    expect(await codeOf(await state())).toEqual([403, "not_declared"]);
    await telltale.declareViewers(id, ["ada"]);
    expect((await state()).status).toBe(200);
    expect(await refusalOf(telltale.declareViewers(id, [" "]))).toMatchObject({ code: "invalid_viewers" });
  });
});

describe("an embedded gateway", () => {
  test("EMB-6: shares nothing with another one of its process", async () => {
    const [one, other] = await Promise.all([embedded(), embedded({ settings: { MAX_CONNECTIONS: 5 } })]);
    await one.publish(id, status);
    const kept = async (telltale: typeof one) => {
      const page = await telltale.fetch(requestOf(`/v1/analyses/${id}/events`, "ada"));
      return ((await page.json()) as { events: unknown[] }).events.length;
    };
    expect([await kept(one), await kept(other)]).toEqual([1, 0]);
    await one.close();
    expect((await other.fetch(requestOf("/ready", undefined))).status).toBe(200);
  });

  test("EMB-7: closes its connections with 1001 at a drain, and answers 503 after it", async () => {
    const telltale = await embedded();
    const headers = { Upgrade: "websocket", Origin: "http://app.example" };
    const upgrade = () => telltale.accept(requestOf(`/ws/analysis/${id}`, "ada", { headers }));
    const connection = new RecordingConnection();
    const session = upgrade()?.open(connection);
    for (let turns = 0; turns < 20; turns++) await turn();
    const drained = telltale.drain();
    await turn();
    expect(connection.closedWith).toBe(1001);
    session?.closed();
    await drained;
    await telltale.close();
    expect((await telltale.fetch(requestOf("/health", undefined))).status).toBe(503);
    expect(upgrade()).toBeUndefined();
    await expect(telltale.publish(id, status)).rejects.toMatchObject({ code: "broker_unavailable" });
  });

  test("EMB-7: waits at a drain for a request that is under way, and at a close for none", async () => {
    const held = Promise.withResolvers<undefined>();
    const telltale = await embedded({ tokens: () => held.promise });
    const answer = telltale.fetch(requestOf(`/v1/analyses/${id}`, "ada"));
    let ended = false;
    const drained = telltale.drain().then(() => {
      ended = true;
    });
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(ended).toBe(false);
    held.resolve(undefined);
    expect((await answer).status).toBe(401);
    await drained;
    const other = await embedded({ tokens: () => new Promise(() => {}) });
    void other.fetch(requestOf(`/v1/analyses/${id}`, "ada"));
    await other.close();
  });

  test("EMB-8: answers below its path alone", async () => {
    const telltale = await embedded({ path: "/telltale" });
    const get = async (path: string) => (await telltale.fetch(requestOf(path, "ada"))).status;
    const state = `/v1/analyses/${id}`;
    expect(await get(`/telltale${state}`)).toBe(200);
    expect(await get("/telltale/ready")).toBe(200);
    for (const path of [state, "/ready", "/", "/telltale", `/telltales${state}`, `/other/telltale${state}`])
      expect([path, await get(path)]).toEqual([path, 404]);
    expect((await telltale.fetch(requestOf(`/telltale${state}`, "ada", { method: "HEAD" }))).status).toBe(
      200,
    );
    const headers = { Upgrade: "websocket" };
    const accepted = (path: string) => telltale.accept(requestOf(path, "ada", { headers })) !== undefined;
    expect(accepted(`/telltale/ws/analysis/${id}`)).toBe(true);
    expect(accepted(`/ws/analysis/${id}`)).toBe(false);
    // There is no server that could upgrade it.
    expect((await telltale.fetch(requestOf("/telltale/ws", "ada", { headers }))).status).toBe(426);
  });

  test("EMB-9: takes the ports of a broker, or a function that opens them with its settings", async () => {
    let given: number | undefined;
    const telltale = await embedded({
      settings: { HISTORY_SIZE: 7 },
      broker: ({ clock, telemetry, history }) => {
        given = history.size;
        return openMemoryBroker({ clock, telemetry, history });
      },
    });
    await telltale.publish(id, status);
    expect(given).toBe(7);
  });

  test("EMB-9: takes tokens by the keys in its settings, if the application does not say who asks", async () => {
    const key = new IssuerKey("RS256");
    const settings = { JWT_PUBLIC_KEY: key.pem, JWT_ISSUER: "a", WATCH_DEFAULT: "allow" };
    const telltale = await createTelltale({ settings });
    try {
      const url = `http://127.0.0.1/v1/analyses/${crypto.randomUUID()}`;
      const ask = async (token: string) =>
        (await telltale.fetch(new Request(url, { headers: { Authorization: `Bearer ${token}` } }))).status;
      expect(await ask(key.token({ iss: "a", sub: "alice" }))).toBe(200);
      expect(await ask(key.token({ iss: "b", sub: "alice" }))).toBe(401);
    } finally {
      await telltale.close();
    }
  });

  test.each([
    ["a setting that breaks a rule", { settings: { HISTORY_SIZE: "many" } }, "HISTORY_SIZE: must be"],
    ["a setting of the server", { settings: { PORT: 80 } as never }, "PORT is no setting of an embedded"],
    ["a broker that nobody knows", { broker: "carrier-pigeon" }, "BROKER: must be"],
    ["an address that is none", { broker: "redis://" }, "REDIS_URL: must be"],
    ["a path without its slash", { path: "telltale" }, "path: must be"],
    ["no way to know who asks", { tokens: undefined as never }, "tokens: must be"],
    ["settings of tokens beside tokens", { settings: { JWT_ISSUER: "a" } }, "JWT_ISSUER has no effect"],
    [
      "an issuer without keys",
      { tokens: undefined as never, settings: { JWT_ISSUER: "a" } },
      "tokens: must be",
    ],
  ])("EMB-9: refuses %s, in words", async (_, options, words) => {
    const refused = createTelltale({ tokens: () => undefined, ...options });
    await expect(refused).rejects.toBeInstanceOf(OptionsRefused);
    await expect(refused).rejects.toThrow(words);
  });

  test("EMB-9: is not told anything by the environment of the process", async () => {
    process.env.HISTORY_SIZE = "many";
    process.env.REDIS_URL = "redis://127.0.0.1:1";
    try {
      const telltale = await embedded();
      const health = await telltale.fetch(requestOf("/ws/health", undefined));
      expect(await health.json()).toMatchObject({ status: "ok", broker: { kind: "memory" } });
    } finally {
      delete process.env.HISTORY_SIZE;
      delete process.env.REDIS_URL;
    }
  });
});
