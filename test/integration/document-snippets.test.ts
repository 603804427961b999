import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import {
  type GatewayProcess,
  publisherToken,
  startGateway,
  TEST_SECRET,
  tokenFor,
} from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { SnippetRunner } from "../support/running-snippets.ts";

setDefaultTimeout(60_000);

/** The snippet under a heading, as a reader copies it, runs as a program of its own. */
describe.skipIf(!needs("redis-server"))("the snippets that readers copy", () => {
  let redis: RunningRedis;
  let gateway: GatewayProcess;
  const runner = new SnippetRunner(() => gateway.url);

  beforeAll(async () => {
    redis = await startRedis();
    gateway = await startGateway({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await gateway?.kill9();
    await redis?.stop();
    runner.remove();
  });

  async function eventsOf(id: string): Promise<Record<string, unknown>[]> {
    const token = await tokenFor({ analyses: [id] });
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/events?limit=1000`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return ((await answer.json()) as { events: Record<string, unknown>[] }).events;
  }

  const isCompleted = (event?: Record<string, unknown>) => event?.current_stage === "completed";

  async function shell(snippet: string, env: Record<string, string>) {
    const child = await runner.shell(snippet, env);
    return { code: await child.exited, said: child.said() };
  }

  describe.skipIf(!needs("celery"))("in Python", () => {
    async function run(snippet: string, env: Record<string, string>, ...args: string[]): Promise<number> {
      return (await runner.python(snippet, { REDIS_URL: redis.url, ...env }, args)).exited;
    }

    test("the README's worker tells every step and its verdict, to a gateway and to its Redis", async () => {
      const token = await publisherToken();
      for (const env of [{ TELLTALE_URL: gateway.url, TELLTALE_TOKEN: token }, { TELLTALE_URL: redis.url }]) {
        const id = crypto.randomUUID();
        const snippet = snippetOf("README.md", "A worker", "python");
        expect(await run(snippet, { PYTHONPATH: "clients/python", ...env }, id)).toBe(0);
        await eventually(
          "the end is stored",
          async () => (await eventsOf(id)).length > 10 && isCompleted((await eventsOf(id)).at(-1)),
        );
        expect((await eventsOf(id)).at(-2)).toMatchObject({
          event_type: "result_update",
          is_fake: false,
          total_frames: 100,
        });
      }
    });

    test("the README's worker tells that it failed, and why", async () => {
      const id = crypto.randomUUID();
      const work = "time.sleep(0.05)  # your work on one frame";
      const snippet = snippetOf("README.md", "A worker", "python");
      expect(snippet).toContain(work);
      const env = {
        PYTHONPATH: "clients/python",
        TELLTALE_URL: gateway.url,
        TELLTALE_TOKEN: await publisherToken(),
      };
      expect(await run(snippet.replace(work, 'raise RuntimeError("no face in it")'), env, id)).not.toBe(0);
      expect((await eventsOf(id)).at(-1)).toMatchObject({
        event_type: "error",
        error_code: "RuntimeError",
        error_message: "no face in it",
      });
    });

    test("the scripts of PUBLISHING.md tell all, also if the gateway starts after them", async () => {
      const [id, other] = [crypto.randomUUID(), crypto.randomUUID()];
      const { url, port } = gateway;
      await gateway.kill9();
      const token = await publisherToken();
      const env = { PYTHONPATH: "clients/python", TELLTALE_URL: url, TELLTALE_TOKEN: token };
      const publishing = Promise.all([
        run(snippetOf("docs/PUBLISHING.md", "From Python", "python"), { ...env, ID: id }),
        run(snippetOf("docs/PUBLISHING.md", "Python without the package", "python"), { ...env, ID: other }),
      ]);
      gateway = await startGateway({ REDIS_URL: redis.url, PORT: String(port) });
      expect(await publishing).toEqual([0, 0]);
      expect((await eventsOf(id)).slice(-2)).toMatchObject([
        { event_type: "result_update", total_frames: 200 },
        { current_stage: "completed" },
      ]);
      expect(await eventsOf(other)).toMatchObject([{ event_type: "error", error_code: "no_face" }]);
    });

    test.each([
      ["docs/PUBLISHING.md", "A bare PUBLISH", "python", "status_update"],
      ["docs/PUBLISHING.md", "The inbox", "python", "error"],
    ] as const)("%s, %s: the event is stored", async (page, heading, language, type) => {
      const id = crypto.randomUUID();
      expect(await run(snippetOf(page, heading, language), { ID: id })).toBe(0);
      await eventually("the event is stored", async () => (await eventsOf(id)).length === 1);
      expect(await eventsOf(id)).toMatchObject([{ event_type: type }]);
    });

    test("clients/python/README.md: the script tells every stage and its verdict", async () => {
      const id = crypto.randomUUID();
      const snippet = snippetOf("clients/python/README.md", "telltale-client", "python");
      const token = await publisherToken();
      const env = { PYTHONPATH: "clients/python", TELLTALE_URL: gateway.url, TELLTALE_TOKEN: token };
      expect(await run(snippet, env, id)).toBe(0);
      expect((await eventsOf(id)).slice(-2)).toMatchObject([
        { event_type: "result_update", total_frames: 200 },
        { current_stage: "completed" },
      ]);
    });

    test.each([
      ["clients/python/README.md", "Celery", "python"],
      ["docs/PUBLISHING.md", "With Celery", "python"],
    ] as const)("%s, %s: the application is set up", async (page, heading, language) => {
      const snippet = snippetOf(page, heading, language);
      expect(await run(snippet, { PYTHONPATH: "clients/python" })).toBe(0);
    });

    test("docs/PUBLISHING.md: tasks of one analysis are added to the application", async () => {
      const application = snippetOf("docs/PUBLISHING.md", "With Celery", "python");
      const added = snippetOf("docs/PUBLISHING.md", "One analysis of several tasks", "python");
      expect(await run(`${application}\n${added}`, { PYTHONPATH: "clients/python" })).toBe(0);
    });

    test("the example worker tells how it goes", async () => {
      const id = crypto.randomUUID();
      const snippet = snippetOf("examples/python-worker/README.md", "Run it", "sh");
      const [, command = ""] = /^(python3 .*)$/m.exec(snippet) ?? [];
      const here = command
        .replace("python3", "/usr/bin/python3")
        .replace(/[0-9a-f-]{36}/, id)
        .replace("--seconds 20", "--seconds 0.5");
      expect((await shell(here, { REDIS_URL: redis.url })).code).toBe(0);
      await eventually("the end is stored", async () => (await eventsOf(id)).length === 22);
    });
  });

  describe("over HTTP", () => {
    test.each([
      [
        "docs/PUBLISHING.md",
        "Over HTTP",
        "sh",
        /^\{"event_ids":\["[^"]+"\],"duplicate":false,"cancel_requested":false\}$/,
      ],
      ["docs/PUBLISHING.md", "Cancelling, and signs of life", "sh", /^\{"cancel_requested":true\}$/],
      ["docs/PUBLISHING.md", "Viewers", "sh", /^$/],
      ["docs/PUBLISHING.md", "Notices", "sh", /^\{"event_ids":\["[^"]+"\],"duplicate":false\}$/],
    ] as const)("%s, %s: the gateway takes it", async (page, heading, language, answer) => {
      const env = { ID: crypto.randomUUID(), TOKEN: await publisherToken() };
      const { code, said } = await shell(snippetOf(page, heading, language), env);
      expect([code, said]).toEqual([0, expect.stringMatching(answer)]);
    });

    test.each([
      [
        "docs/WATCHING.md",
        "Server-sent events",
        "sh",
        /^retry: \d+\n\nevent: connection_established\n[\s\S]*\nevent: error\n/,
      ],
      [
        "docs/WATCHING.md",
        "Many analyses, as one stream",
        "sh",
        /\nevent: subscribed\n[\s\S]*\nevent: analysis_state\n[\s\S]*\nevent: closing\n/,
      ],
      ["docs/WATCHING.md", "A read that waits", "sh", /^\{"events":\[\{"event_id":/],
      ["docs/WATCHING.md", "The state", "sh", /^\{"analysis_id":"[^"]+","status":"failed"/],
    ] as const)("%s, %s: the watcher sees the end", async (page, heading, language, answer) => {
      const id = crypto.randomUUID();
      await publish(gateway, id, errorEvent());
      const env = { ID: id, TOKEN: await tokenFor() };
      const { code, said } = await shell(snippetOf(page, heading, language), env);
      expect([code, said]).toEqual([0, expect.stringMatching(answer)]);
    });

    test("the token for development is accepted by a gateway with the same key", async () => {
      const snippet = snippetOf("docs/WATCHING.md", "Tokens", "sh");
      const { code, said } = await shell(`${snippet}\necho "$JWT_SECRET_KEY $TOKEN"`, {});
      const [key = "", token = ""] = said.trim().split(" ");
      expect(code).toBe(0);
      const other = await startGateway({ JWT_SECRET_KEY: key, LISTEN: "none" });
      const state = await fetch(`${other.url}/v1/analyses/${crypto.randomUUID()}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      expect(state.status).toBe(200);
      await other.stop();
    });
  });

  test("docs/PUBLISHING.md: the gateway for Celery takes the token of its worker, and any stage", async () => {
    const snippet = snippetOf("docs/PUBLISHING.md", "With Celery", "sh");
    const [exports = "", settings = ""] = snippet.split(/\n(?=DEMO)/);
    expect(settings).toBe("DEMO=on STAGES='*' npm start &");
    const { code, said } = await shell(`${exports}\necho "$JWT_SECRET_KEY $TELLTALE_TOKEN"`, {});
    const [key = "", token = ""] = said.trim().split(" ");
    expect(code).toBe(0);
    const other = await startGateway({ JWT_SECRET_KEY: key, DEMO: "on", STAGES: "*", LISTEN: "none" });
    const answer = await fetch(`${other.url}/v1/analyses/${crypto.randomUUID()}/events`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify(statusUpdate({ current_stage: "analysing" })),
    });
    expect(answer.status).toBe(202);
    expect((await fetch(other.url)).status).toBe(200);
    await other.stop();
  });

  test("docs/PUBLISHING.md: a task of Celery is cancelled with a token of its own scope", async () => {
    const snippet = snippetOf("docs/PUBLISHING.md", "Cancelling a task", "sh");
    const env = { ID: crypto.randomUUID(), JWT_SECRET_KEY: TEST_SECRET, TELLTALE_URL: gateway.url };
    const { code, said } = await shell(snippet, env);
    expect([code, said]).toEqual([0, '{"cancel_requested":true}']);
  });

  test("docs/COMMANDS.md: a worker's events are published, and two watchers end with them", async () => {
    const id = crypto.randomUUID();
    const events = [statusUpdate({ progress: 0.25 }), resultUpdate()].map((event) => JSON.stringify(event));
    const snippet = snippetOf("docs/COMMANDS.md", "Watch and publish", "sh").replace(
      "< events.jsonl",
      `<<< '${events.join("\n")}'`,
    );
    const TOKEN = await tokenFor({ analyses: [id], scopes: ["analysis:publish"] });
    const { code, said } = await shell(snippet, { ID: id, TOKEN });
    expect(code).toBe(0);
    const lines = said.trim().split("\n");
    expect([lines[0], lines.at(-2)]).toEqual(["2 stored, 0 not", "it completed"]);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ event_type: "result_update", is_fake: true });
  });

  test("docs/COMMANDS.md: a program is run, and its progress is published", async () => {
    const id = crypto.randomUUID();
    const snippet = snippetOf("docs/COMMANDS.md", "Run a program", "sh");
    const { code, said } = await shell(snippet, { ID: id, TOKEN: await publisherToken() });
    expect([code, said]).toEqual([0, "frame 1/3\nframe 2/3\nframe 3/3\n"]);
    expect((await eventsOf(id)).slice(-2)).toMatchObject([
      { current: 3, total: 3, current_stage: "frame_extraction" },
      { current_stage: "completed" },
    ]);
  });

  describe("in TypeScript", () => {
    test.each([
      ["README.md", "A backend", "ts", []],
      [
        "docs/PUBLISHING.md",
        "A worker in TypeScript",
        "ts",
        [
          { current: 3, total: 3 },
          { event_type: "result_update", frames_processed: 3 },
        ],
      ],
      ["docs/PUBLISHING.md", "From TypeScript", "ts", [{ event_type: "result_update", is_fake: false }]],
    ] as const)("%s, %s: ends well, and its events are stored", async (page, heading, language, stored) => {
      const id = crypto.randomUUID();
      const before = `
        const publisherToken = ${JSON.stringify(await publisherToken())};
        const analysisId = "${id}";
        const frames = [1, 2, 3];
        const lookAt = async (frame) => {};
        process.env.TELLTALE_URL = "http://127.0.0.1:8000";
        process.env.TELLTALE_TOKEN = publisherToken;`;
      const child = await runner.script(before, snippetOf(page, heading, language));
      expect(await child.exited).toBe(0);
      const events = await eventsOf(id);
      expect(events.slice(events.length - stored.length)).toMatchObject([...stored]);
    });

    test.each([
      ["README.md", "A page", "ts"],
      ["docs/WATCHING.md", "With the library", "ts"],
      ["docs/WATCHING.md", "One analysis, over a WebSocket", "js"],
    ] as const)(
      "%s, %s: shows progress, comes back, and shows failure and verdict",
      async (page, heading, language) => {
        const id = crypto.randomUUID();
        const before = `
        const analysisId = "${id}";
        const fetchToken = async () => ${JSON.stringify(await tokenFor())};
        const say = (...words) => console.log(words.join(" "));
        const showState = (...all) => say("state", ...all);
        const showProgress = (...all) => say("progress", ...all);
        const showVerdict = (...all) => say("verdict", ...all);
        const showFailure = (...all) => say("failure", ...all);
        const showConnection = (...all) => say("connection", ...all);`;
        const child = await runner.script(before, snippetOf(page, heading, language));
        const shows = (words: string) => eventually(words, async () => child.said().includes(words));
        try {
          if (language === "ts") await shows("state unknown");
          await publish(gateway, id, statusUpdate({ progress: 0.25 }));
          await shows("progress 0.25 working");
          const { port } = gateway;
          await gateway.kill9();
          await shows("connection waiting");
          gateway = await startGateway({ REDIS_URL: redis.url, PORT: String(port) });
          await publish(gateway, id, errorEvent());
          await shows("failure no frames");
          await publish(gateway, id, [statusUpdate({ progress: 0.5 }), resultUpdate()]);
          await shows("verdict true 0.93");
          expect(child.said().match(/progress/g)).toHaveLength(2);
        } finally {
          child.kill();
          await child.exited;
        }
      },
    );

    test("many analyses on one WebSocket are subscribed, each from its position", async () => {
      const ids = [crypto.randomUUID(), crypto.randomUUID()];
      const before = `
        const token = ${JSON.stringify(await tokenFor())};
        const shown = ${JSON.stringify(ids)}.map((id) => ({ id, lastEventId: "0" }));`;
      const after = "socket.onmessage = ({ data }) => console.log(data);";
      const snippet = snippetOf("docs/WATCHING.md", "Many analyses, over one WebSocket", "js");
      const child = await runner.script(before, `${snippet}\n${after}`);
      for (const id of ids)
        await eventually("it is subscribed", async () =>
          child.said().includes(`{"event_type":"subscribed","analysis_id":"${id}","resumed":true`),
        );
      child.kill();
    });
  });

  test("dead letters are listed, shown, published again if they are valid, and dropped", async () => {
    const id = crypto.randomUUID();
    const admin = new Redis(redis.url);
    await admin.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ progress: 2 })));
    const entries = async () =>
      (await admin.xrange("telltale:deadletters", "-", "+")).filter(([, fields]) =>
        fields.includes(`analysis:${id}`),
      );
    await eventually("the dead letter is kept", async () => (await entries()).length === 1);
    const [[entry = ""] = []] = await entries();
    const snippet = snippetOf("docs/OPERATING.md", "Dead letters", "sh");
    const commands = snippet.replaceAll(/\d{13}-0/g, entry).split("\n");
    const env = { REDIS_URL: redis.url, ID: id };
    const [list, show, republish] = await Promise.all([
      shell(commands[0] ?? "", env),
      shell(commands[1] ?? "", env),
      shell(commands[2] ?? "", env),
    ]);
    expect([list.code, list.said]).toEqual([0, expect.stringContaining(entry)]);
    expect([show.code, show.said]).toEqual([0, expect.stringContaining('"progress":2')]);
    // It is still invalid, so it stays.
    expect([republish.code, (await entries()).length]).toEqual([1, 1]);
    expect((await shell(commands[3] ?? "", env)).code).toBe(0);
    expect(await entries()).toEqual([]);
    admin.disconnect();
  });

  test.each([
    ["README.md", "Try it", "sh", "npm start"],
    [
      "examples/python-worker/README.md",
      "Start a gateway",
      "sh",
      "REDIS_URL=redis://127.0.0.1:6379 npm start",
    ],
  ] as const)("%s, %s: the gateway starts", async (page, heading, language, command) => {
    const snippet = snippetOf(page, heading, language);
    expect(snippet.split("\n")[0]).toBe(page === "README.md" ? `npm ci && ${command}` : command);
    const here = command.replace("redis://127.0.0.1:6379", redis.url);
    const child = await runner.shell(`exec env PORT=0 ${here}`, { JWT_SECRET_KEY: TEST_SECRET });
    try {
      await eventually("it says where it answers", async () =>
        child.said().includes("Telltale answers at http"),
      );
    } finally {
      child.kill();
    }
  });
});
