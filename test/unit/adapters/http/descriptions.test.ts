import { describe, expect, test } from "bun:test";
import asyncApiSchemas from "@asyncapi/specs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv } from "ajv";
import fc from "fast-check";
import { asyncApi } from "../../../../src/adapters/http/description/asyncapi.ts";
import { openApi } from "../../../../src/adapters/http/description/openapi.ts";
import { EVENT_RULES, eventRules } from "../../../../src/domain/event-rules.ts";
import { eventSchema, PUBLISHED_TYPES } from "../../../../src/domain/event-schema.ts";
import { readClientFrame } from "../../../../src/session/client-frames.ts";
import { checkOf } from "../../../support/described-schemas.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../../support/publishing.ts";
import { appBench } from "./app-bench.ts";

type Operations = Record<
  string,
  Record<string, { requestBody: { content: Record<string, { schema: object }> } }>
>;

interface Components {
  readonly components: { readonly schemas: object };
}

const METRICS = { contentType: "text/plain", text: async () => "" };

describe("the descriptions of the gateway", () => {
  const openapi = openApi(EVENT_RULES, "1.2.3");
  const asyncapi = asyncApi(EVENT_RULES, "1.2.3");
  const plain = (document: object) => JSON.parse(JSON.stringify(document)) as object;

  test("API-1: /openapi.json is OpenAPI 3.1 to a validator from outside, served to tools of any origin", async () => {
    const { ask } = appBench();
    const answer = await ask("/openapi.json", { token: null });
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("*");
    const document = (await answer.json()) as { openapi: string; info: { version: string } };
    expect([document.openapi, document.info.version]).toEqual(["3.1.0", "1.2.3"]);
    const validator = new Validator();
    expect(await validator.validate(document as never)).toMatchObject({ valid: true });
    expect(() => validator.resolveRefs()).not.toThrow();
    for (const [reference] of JSON.stringify(document).matchAll(/#\/components\/schemas\/\w+/g))
      expect(Object.keys((document as unknown as Components).components.schemas)).toContain(
        reference.slice("#/components/schemas/".length),
      );
  });

  test("API-2: /asyncapi.json is AsyncAPI 3.0 to its own schema", async () => {
    const { ask } = appBench();
    const document = (await (await ask("/asyncapi.json", { token: null })).json()) as object;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const isValid = ajv.compile(asyncApiSchemas.schemasWithoutId["3.0.0"] as object);
    expect([isValid(document), isValid.errors]).toEqual([true, null]);
    const named = Object.keys((asyncapi.components as { messages: object }).messages);
    for (const [, name = ""] of JSON.stringify(document).matchAll(/#\/components\/messages\/(\w+)/g))
      expect(named).toContain(name);
  });

  test("API-3: every route is in the document, and every one in the document is a route", () => {
    const { app } = appBench({}, undefined, { exposition: METRICS });
    const routes = app.routes
      .filter(({ method, path }) => method !== "ALL" && path !== "/ws/")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    const described = Object.entries(openapi.paths as Operations).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(new Set(described)).toEqual(new Set(routes));
  });

  test("API-4: the document has the schemas that judge events, with the stages of the setting", () => {
    for (const rules of [EVENT_RULES, eventRules(["demux"])]) {
      const { schemas } = openApi(rules, "1").components as { schemas: Record<string, object> };
      for (const [type, name] of PUBLISHED_TYPES.map((type) => [type, nameOf(type)] as const)) {
        const { $schema: _, anyOf, ...schema } = eventSchema(type, rules);
        expect(schemas[name]).toMatchObject(schema);
        expect(Object.keys(schemas[name] ?? {})).toHaveLength(
          Object.keys(schema).length + (anyOf === undefined ? 0 : 2),
        );
      }
    }
  });

  test("API-4: a body is refused by the document if the gateway refuses it, and only then", async () => {
    const { publish } = appBench();
    const post = (openapi.paths as Operations)["/v1/analyses/{id}/events"]?.post;
    const isTaken = checkOf(openapi, post?.requestBody.content["application/json"]?.schema ?? {});
    const good = fc.constantFrom(
      statusUpdate(),
      statusUpdate({ progress: undefined, current: 1, total: 4 }),
      resultUpdate(),
      errorEvent(),
    );
    const broken = fc.constantFrom<unknown>(
      null,
      7,
      "text",
      {},
      [],
      statusUpdate({ progress: 2 }),
      statusUpdate({ current_stage: "no such stage" }),
      statusUpdate({ message: " " }),
      statusUpdate({ progress: undefined }),
      statusUpdate({ progress: undefined, current: 1, total: 0 }),
      statusUpdate({ attempt_id: "" }),
      statusUpdate({ event_type: "notice" }),
      resultUpdate({ is_fake: "yes" }),
      resultUpdate({ suspicious_regions: [{ x: 1 }] }),
      resultUpdate({ blockchain_hash: "xyz" }),
      errorEvent({ error_code: "" }),
      errorEvent({ timestamp: "yesterday" }),
    );
    const one = fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: broken });
    const body = fc.oneof(one, fc.array(one, { maxLength: 6 }), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        const { status } = await publish(value);
        expect([JSON.stringify(value), isTaken(JSON.parse(JSON.stringify(value)))]).toEqual([
          JSON.stringify(value),
          status === 202,
        ]);
      }),
      { numRuns: 300 },
    );
  });

  test("API-4: a frame of a client is refused by the document if the gateway refuses it, and only then", () => {
    const { messages } = asyncapi.components as { messages: Record<string, { payload: object }> };
    const payloads = Object.entries(messages)
      .filter(([name]) => name.startsWith("client_"))
      .map(([, { payload }]) => payload);
    const isTaken = new Ajv({ strict: false }).compile({ anyOf: payloads });
    const value = fc.constantFrom<unknown>(
      undefined,
      null,
      "",
      "t",
      "0",
      7,
      {},
      "all",
      "state",
      "strict",
      "every",
    );
    const frame = fc.record({
      type: fc.constantFrom<unknown>(
        "ping",
        "authenticate",
        "subscribe",
        "unsubscribe",
        "pong",
        1,
        undefined,
      ),
      token: value,
      analysis_id: value,
      last_event_id: value,
      replay: value,
      resume: value,
    });
    fc.assert(
      fc.property(
        fc.oneof({ weight: 9, arbitrary: frame }, { weight: 1, arbitrary: fc.jsonValue() }),
        (given) => {
          const text = JSON.stringify(given);
          expect([text, isTaken(JSON.parse(text))]).toEqual([text, readClientFrame(text, "many").ok]);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("API-8: an event of a worker has the schema that judges it, and its channels take the types that the gateway takes there", () => {
    const { channels, components } = asyncApi(eventRules(["demux"]), "1") as unknown as {
      channels: Record<string, { address: string; messages: object }>;
      components: { messages: Record<string, { payload: object }> };
    };
    const { payload } = components.messages.worker_status_update ?? {};
    const { $schema: _, ...judging } = eventSchema("status_update", eventRules(["demux"]));
    expect(payload).toEqual(judging);
    const takes = (address: string) =>
      Object.values(channels).flatMap((one) => (one.address === address ? Object.keys(one.messages) : []));
    for (const [analysis, user] of [
      ["analysis:{analysis_id}", "user:{user_id}"],
      ["analysis.{analysis_id}", "user.{user_id}"],
    ] as const) {
      expect(takes(analysis)).toEqual([
        "worker_status_update",
        "worker_result_update",
        "worker_result",
        "worker_error",
      ]);
      expect(takes(user)).toEqual(["worker_notice"]);
    }
  });

  test("API-5: pages show the same to people, load nothing and run nothing", async () => {
    const { ask } = appBench();
    const routes = Object.keys(openapi.paths as object).map((path) => ` ${path}</code>`);
    const frames = [
      "/ws/analysis/{analysis_id}",
      "/ws",
      "caught_up",
      "client_subscribe",
      "telltale:inbox",
      "analysis.{analysis_id}",
      "worker_status_update",
    ];
    for (const [path, document, shown] of [
      ["/openapi", openapi, routes],
      ["/asyncapi", asyncapi, frames.map((text) => `<code>${text}</code>`)],
    ] as const) {
      const answer = await ask(path, { token: null });
      const html = await answer.text();
      for (const text of shown) expect([text, html.includes(text)]).toEqual([text, true]);
      // A list of a description is one on the page.
      expect(html).not.toContain("<p>- ");
      expect(html.includes("<ul><li>")).toBe(path === "/asyncapi");
      expect(html).not.toMatch(/<script|<link|<img|https?:\/\/(?!json-schema)/);
      const policy = answer.headers.get("Content-Security-Policy") ?? "";
      expect(policy).toStartWith("default-src 'none'; style-src 'sha256-");
      const style = /<style>([^<]*)<\/style>/.exec(html)?.[1] ?? "";
      expect(policy).toContain(new Bun.CryptoHasher("sha256").update(style).digest("base64"));
      expect(plain(document)).toEqual((await (await ask(`${path}.json`)).json()) as object);
    }
  });
});

function nameOf(type: string): string {
  return `Published${type.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}`;
}
