import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createDemo } from "../../src/adapters/http/demo/demo-routes.ts";
import { REQUEST_DEADLINE_MS } from "../../src/adapters/http/request-deadline.ts";
import { RecentRefusals } from "../../src/application/recent-refusals.ts";
import { thisRuntime } from "../../src/gateway/runtime.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { statusUpdate } from "../support/publishing.ts";
import { RawRequest, requestText } from "../support/raw-request.ts";
import { runtimeDifferences } from "../support/runtime-differences.ts";
import { type ServedApp, servedApp } from "../support/served-app.ts";
import { turn } from "../support/turn.ts";

const DEMO = createDemo({
  page: (await thisRuntime()).demoPage,
  ownNamesOnly: false,
  baseUrl: () => "http://host.invalid",
  mintToken: async () => "token",
  clock: new ManualClock(),
  refusals: new RecentRefusals(),
  onFault: () => {},
});
const PUBLISHER = "Authorization: Bearer publisher";
const BODY = JSON.stringify(statusUpdate());

/** How a body says how long it is, and the first bytes of one that never ends. */
const FORMS = [
  ["of a known length", "Content-Length: 5000", "{"],
  ["in chunks", "Transfer-Encoding: chunked", "3e8\r\n{"],
] as const;

describe("a request that does not come to its end", () => {
  let served: ServedApp;
  let open: RawRequest[];

  beforeEach(async () => {
    served = await servedApp({ mode: "development" }, DEMO.routes);
    open = [];
  });
  afterEach(async () => {
    for (const request of open) request.leave();
    await served.stop();
  });

  const start = (lines: readonly string[], body = "") => {
    const [first = "", ...more] = lines.map((line) => line.replace("ID", served.analysisId));
    const request = new RawRequest(
      served.port,
      requestText([`${first} HTTP/1.1`, "Host: telltale.example", ...more], body),
    );
    open.push(request);
    return request;
  };
  /** A byte a second until just before the deadline. */
  const drip = async (requests: readonly RawRequest[]) => {
    for (let second = 1; second < REQUEST_DEADLINE_MS / 1_000; second++) {
      for (const request of requests) request.send(" ");
      served.clock.advance(1_000);
      await turn();
    }
  };
  const deadline = () => served.clock.advance(1_000);

  const READING = [
    ["POST /v1/analyses/ID/events", PUBLISHER],
    ["PUT /v1/analyses/ID", PUBLISHER],
    ["POST /v1/notices", PUBLISHER],
    ["POST /demo/analyses"],
  ];

  for (const [form, header, beginning] of FORMS) {
    test.each(READING)(`WEB-4: a body ${form} that drips is 408 after 30 s: %s`, async (...lines) => {
      const request = start([...lines, header], beginning);
      await served.arrivals(1);
      await drip([request]);
      expect(request.answer).toBe("");
      deadline();
      const answer = await request.closed();
      expect(answer).toStartWith("HTTP/1.1 408 ");
      expect(answer).toContain('"code":"request_timeout"');
      expect(answer.toLowerCase()).toContain("connection: close");
      expect(served.telemetry.logs.filter(({ level }) => level !== "debug")).toEqual([]);
    });

    test.each([
      ["401", ["POST /v1/analyses/ID/events"]],
      ["401", ["POST /v1/notices", "Authorization: Bearer unknown"]],
      ["403", ["PUT /v1/analyses/ID", "Authorization: Bearer watcher"]],
      ["422", ["POST /v1/analyses/ID/events", PUBLISHER, "Idempotency-Key:"]],
      ["404", ["POST /nowhere"]],
      ["404", ["DELETE /v1/analyses/ID"]],
      ["204", ["OPTIONS /v1/analyses/ID", "Origin: https://app.example"]],
      ["200", ["POST /demo/session"]],
    ])(
      `WEB-4: a body ${form} that nobody reads is waited for no longer than 30 s: %s, %p`,
      async (status, lines) => {
        const request = start([...lines, header], beginning);
        await served.arrivals(1);
        await drip([request]);
        deadline();
        const answer = await request.closed();
        expect(answer).toStartWith(`HTTP/1.1 ${status} `);
        expect(answer.toLowerCase()).toContain("connection: close");
      },
    );

    test.each(["GET", "HEAD"])(
      `WEB-4: a %s with a body ${form} is answered at once, and the line closed`,
      async (method) => {
        for (const path of ["/", "/health", "/nowhere", "/v1/analyses/ID", "/v1/analyses/ID/events"]) {
          const answer = await start([`${method} ${path}`, header], beginning).closed();
          expect(answer).toMatch(/^HTTP\/1.1 (200|401|404) /);
          expect(answer.toLowerCase()).toContain("connection: close");
        }
      },
    );
  }

  test("WEB-4: three hundred that drip at once hold nobody up, and are all gone after 30 s", async () => {
    const many = Array.from({ length: 300 }, (_, index) =>
      start([...(READING[index % READING.length] ?? []), FORMS[index % 2]?.[1] ?? ""], FORMS[index % 2]?.[2]),
    );
    await served.arrivals(300);
    await drip(many);
    expect((await fetch(`http://127.0.0.1:${served.port}/health`)).status).toBe(200);
    deadline();
    for (const request of many) expect(await request.closed()).toStartWith("HTTP/1.1 408 ");
  });

  test("WEB-4: the time begins with each request, not with the line", async () => {
    const request = start(["POST /v1/analyses/ID/events", PUBLISHER, `Content-Length: ${BODY.length}`]);
    for (let time = 1; time <= 3; time++) {
      await served.arrivals(time);
      served.clock.advance(20_000);
      request.send(BODY);
      await eventually("it is stored", async () => (await served.kept()).length === time);
      await eventually(
        "it is answered",
        async () => request.answer.match(/HTTP\/1.1 202 /g)?.length === time,
      );
      if (time < 3) {
        const lines = [`POST ${served.eventsPath} HTTP/1.1`, "Host: a", PUBLISHER];
        request.send(requestText([...lines, `Content-Length: ${BODY.length}`]));
      }
    }
  });

  test("WEB-4: an answer takes as long as it takes: a stream and a wait are not cut", async () => {
    served.tokens.know("watcher", { expiresAt: Number.MAX_SAFE_INTEGER });
    const watcher = "Authorization: Bearer watcher";
    const stream = start(["GET /v1/analyses/ID/events", watcher, "Accept: text/event-stream"]);
    const wait = start(["GET /v1/analyses/ID/events?wait=60", watcher]);
    await served.arrivals(2);
    await stream.answered();
    for (let second = 0; second < 50; second++) served.clock.advance(1_000);
    expect(wait.answer).toBe("");
    expect((await served.publish(BODY)).status).toBe(202);
    await eventually("both have it", async () =>
      [stream, wait].every(({ answer }) => answer.includes('"message":"working"')),
    );
  });
});

describe("a body that nobody reads", () => {
  test("WEB-5: is taken in whole, so that its sender reads the answer and keeps the line", async () => {
    const served = await servedApp();
    const large = "x".repeat(3 * 1024 * 1024);
    const chunked = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    for (const [path, more, body, status] of [
      [served.eventsPath, [`Content-Length: ${large.length}`], large, 401],
      [served.eventsPath, ["Transfer-Encoding: chunked"], chunked, 401],
      [served.eventsPath, [PUBLISHER, `Content-Length: ${large.length}`], large, 413],
      [served.eventsPath, [PUBLISHER, "Transfer-Encoding: chunked"], chunked, 413],
      ["/nowhere", ["Transfer-Encoding: chunked"], chunked, 404],
    ] as const) {
      const request = new RawRequest(
        served.port,
        requestText([`POST ${path} HTTP/1.1`, "Host: a", ...more], body),
      );
      expect(await request.answered()).toStartWith(`HTTP/1.1 ${status} `);
      request.send(requestText(["GET /health HTTP/1.1", "Host: a"]));
      await eventually("the line is still good", async () => request.answer.includes("HTTP/1.1 200 "));
      request.leave();
    }
    expect(await served.kept()).toEqual([]);
    await served.stop();
  });

  test("WEB-5: is given up after 16 MiB, announced or not", async () => {
    const served = await servedApp();
    const answer = new RawRequest(
      served.port,
      requestText([`POST ${served.eventsPath} HTTP/1.1`, "Host: a", PUBLISHER, "Content-Length: 17000000"]),
    );
    expect(await answer.closed()).toStartWith("HTTP/1.1 413 ");
    const endless = new RawRequest(
      served.port,
      requestText([`POST ${served.eventsPath} HTTP/1.1`, "Host: a", PUBLISHER, "Transfer-Encoding: chunked"]),
    );
    const chunk = `100000\r\n${"x".repeat(0x100000)}\r\n`;
    for (let sent = 0; sent < 17; sent++) endless.send(chunk);
    await endless.closed();
    expect((await fetch(`http://127.0.0.1:${served.port}/health`)).status).toBe(200);
    await served.stop();
  });

  test("WEB-6: a client that goes away amid its body is a line at debug, and no fault", async () => {
    const served = await servedApp();
    for (const [, header, beginning] of FORMS) {
      const request = new RawRequest(
        served.port,
        requestText([`POST ${served.eventsPath} HTTP/1.1`, "Host: a", PUBLISHER, header], beginning),
      );
      await served.arrivals(FORMS.findIndex(([, one]) => one === header) + 1);
      request.leave();
    }
    await eventually("both were noticed", async () => served.telemetry.logs.length >= 2);
    expect(served.telemetry.logs.map(({ level, message }) => [level, message])).toEqual([
      ["debug", "a client went away before its request was whole"],
      ["debug", "a client went away before its request was whole"],
    ]);
    await served.stop();
  });
});

describe("a client that asks whether to go on", () => {
  const ask = (served: ServedApp, expect: string, more: readonly string[], body = "") =>
    new RawRequest(
      served.port,
      requestText(
        [
          `POST ${served.eventsPath} HTTP/1.1`,
          "Host: a",
          `Content-Length: ${BODY.length}`,
          `Expect: ${expect}`,
          ...more,
        ],
        body,
      ),
    );

  test.each(runtimeDifferences.continues)(
    "WEB-7: with %s is told to, and then answered",
    async (spelling) => {
      const served = await servedApp();
      const request = ask(served, spelling, [PUBLISHER]);
      await eventually("it may go on", async () => request.answer.startsWith("HTTP/1.1 100 "));
      request.send(BODY);
      await eventually("it is stored", async () => request.answer.includes("HTTP/1.1 202 "));
      request.leave();
      await served.stop();
    },
  );

  test.each(runtimeDifferences.keepsWaiting)(
    "WEB-7: with %s hangs no longer than 3 s: 417, and the line is closed",
    async (spelling) => {
      const served = await servedApp();
      const patient = ask(served, spelling, [PUBLISHER]);
      await served.arrivals(1);
      served.clock.advance(3_000);
      expect(await patient.closed()).toMatch(/^HTTP\/1.1 417 .*expectation_failed/s);
      const hasty = ask(served, spelling, [PUBLISHER], BODY);
      expect(await hasty.answered()).toStartWith("HTTP/1.1 202 ");
      hasty.leave();
      expect(await ask(served, spelling, []).closed()).toStartWith("HTTP/1.1 401 ");
      await served.stop();
    },
  );
});
