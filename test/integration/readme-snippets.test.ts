import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, publisherToken, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { PYTHON } from "../support/video-worker.ts";

setDefaultTimeout(60_000);

const root = new URL("../..", import.meta.url).pathname;

/** What a reader copies: the snippet under a heading, as it stands there, run as a program of its own. */
describe.skipIf(!needs("redis-server"))("the snippets that readers copy", () => {
  let redis: RunningRedis;
  let gateway: GatewayProcess;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-snippets-"));
    redis = await startRedis();
    gateway = await startGateway({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await gateway?.kill9();
    await redis?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function eventsOf(id: string): Promise<Record<string, unknown>[]> {
    const token = await tokenFor({ analyses: [id] });
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/events?limit=1000`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return ((await answer.json()) as { events: Record<string, unknown>[] }).events;
  }

  describe.skipIf(!needs("celery"))("the worker", () => {
    async function run(snippet: string, id: string): Promise<number> {
      const file = join(folder, `${id}.py`);
      await Bun.write(file, snippet);
      const env = { REDIS_URL: redis.url, PATH: process.env.PATH ?? "" };
      return Bun.spawn([PYTHON, "-B", file, id], { env, stdout: "ignore", stderr: "ignore" }).exited;
    }

    test("tells every step once, each with its time, and ends in a verdict", async () => {
      const id = crypto.randomUUID();
      expect(await run(await snippetOf("README.md", "A worker", "python"), id)).toBe(0);
      await eventually("the verdict is stored", async () => (await eventsOf(id)).length === 101);
      const events = await eventsOf(id);
      expect(new Set(events.map(({ timestamp }) => timestamp)).size).toBe(101);
      expect(events.at(-1)).toMatchObject({ event_type: "result_update", is_fake: false, total_frames: 100 });
    });

    test("tells that it failed, and why", async () => {
      const id = crypto.randomUUID();
      const work = "time.sleep(0.05)  # your work on one frame";
      const snippet = await snippetOf("README.md", "A worker", "python");
      expect(snippet).toContain(work);
      expect(await run(snippet.replace(work, 'raise RuntimeError("no face in it")'), id)).not.toBe(0);
      await eventually("the failure is stored", async () => (await eventsOf(id)).length === 2);
      expect((await eventsOf(id)).at(-1)).toMatchObject({
        event_type: "error",
        error_code: "RuntimeError",
        error_message: "no face in it",
      });
    });
  });

  test("the backend declares who may watch, publishes and sends a notice", async () => {
    const id = crypto.randomUUID();
    const program = `
      const publisherToken = ${JSON.stringify(await publisherToken())};
      const analysisId = "${id}";
      ${await snippetOf("README.md", "A backend", "ts")}
    `;
    const child = await started(program, "backend");
    expect(await child.exited).toBe(0);
    expect(await eventsOf(id)).toMatchObject([{ current_stage: "frame_extraction", progress: 0.4 }]);
  });

  const watching = [
    ["README.md", "A browser", "ts"],
    ["docs/WATCHING.md", "One analysis, over a WebSocket", "js"],
  ] as const;
  test.each(watching)(
    "the browser's in %s shows progress, comes back, and shows failure and verdict",
    async (page, heading, language) => {
      const id = crypto.randomUUID();
      const program = `
      const analysisId = "${id}";
      const fetchToken = async () => ${JSON.stringify(await tokenFor())};
      const say = (...words) => console.log(words.join(" "));
      const showProgress = (...all) => say("progress", ...all);
      const showVerdict = (...all) => say("verdict", ...all);
      const showFailure = (...all) => say("failure", ...all);
      const showConnection = (...all) => say("connection", ...all);
      ${await snippetOf(page, heading, language)}
    `;
      const child = await started(program, `browser-${language}`);
      try {
        await publish(gateway, id, statusUpdate({ progress: 0.25 }));
        await eventually("progress is shown", async () => child.said().includes("progress 0.25 working"));
        const { port } = gateway;
        await gateway.kill9();
        await eventually("the loss is shown", async () => child.said().includes("connection waiting"));
        gateway = await startGateway({ REDIS_URL: redis.url, PORT: String(port) });
        await publish(gateway, id, errorEvent());
        await eventually("the failure is shown", async () => child.said().includes("failure no frames"));
        await publish(gateway, id, [statusUpdate({ progress: 0.5 }), resultUpdate()]);
        await eventually("the verdict is shown", async () => child.said().includes("verdict true 0.93"));
        expect(child.said().match(/progress/g)).toHaveLength(2);
      } finally {
        child.kill();
        await child.exited;
      }
    },
  );

  /** Runs it with the gateway of the test in place of the one it names. */
  async function started(program: string, name: string) {
    const file = join(folder, `${name}.ts`);
    const here = program
      .replaceAll(/"telltale\/(publisher|watcher)"/g, (_, entry) =>
        JSON.stringify(`${root}src/client/${entry}.ts`),
      )
      .replaceAll(/http:\/\/127\.0\.0\.1:8000|https:\/\/telltale\.example/g, gateway.url)
      .replaceAll("wss://telltale.example", gateway.url.replace("http", "ws"));
    await Bun.write(file, here);
    const child = Bun.spawn([process.execPath, "run", file], { stdout: "pipe", stderr: "inherit" });
    let said = "";
    void (async () => {
      for await (const text of child.stdout.pipeThrough(
        new TextDecoderStream() as never,
      ) as never as AsyncIterable<string>)
        said += text;
    })();
    return { said: () => said, exited: child.exited, kill: () => child.kill() };
  }
});

async function snippetOf(page: string, heading: string, language: string): Promise<string> {
  const text = await Bun.file(`${root}${page}`).text();
  const section = text.slice(text.indexOf(`\n## ${heading}\n`));
  const [, snippet] = new RegExp(`\`\`\`${language}\\n(.+?)\\n\`\`\``, "s").exec(section) ?? [];
  if (snippet === undefined) throw new Error(`${page} has no ${language} under ${heading}`);
  return snippet;
}
