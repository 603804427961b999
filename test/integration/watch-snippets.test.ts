import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningSnippet, SnippetRunner } from "../support/running-snippets.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useGateway } from "../support/use-gateway.ts";

/** Go compiles its library when it is used first. */
const PATIENCE_MS = 240_000;
setDefaultTimeout(PATIENCE_MS);

/** Programs that watch an analysis, as a reader copies them, against a gateway. */
describe("the snippets that watch", () => {
  const gateway = useGateway({});
  let proxy: TcpProxy;
  const runner = new SnippetRunner(() => `http://127.0.0.1:${proxy.port}`);
  beforeAll(async () => {
    proxy = await TcpProxy.start({ host: "127.0.0.1", port: gateway.port });
  });
  afterAll(async () => {
    await proxy?.stop();
    runner.remove();
  });
  beforeEach(() => watched(0));

  test.each([
    ["clients/python/README.md", "Watching", "python"],
    ["clients/python/README.md", "In asyncio", "python"],
  ] as const)("%s, %s: shows the progress, and ends with the analysis", async (page, heading, language) => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate({ progress: 0.125 }));
    const env = { PYTHONPATH: "clients/python", TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await tokenFor() };
    const child = await runner.python(snippetOf(page, heading, language), env, [id]);
    await watched(1);
    await publish(gateway, id, [statusUpdate({ progress: 0.25 }), resultUpdate()]);
    expect(await child.exited).toBe(0);
    expect(child.said()).toContain("0.25 working");
  });

  test("docs/WATCHING.md, curl: comes back from the last event, and ends with the analysis", () =>
    comesBack((env) => runner.shell(snippetOf("docs/WATCHING.md", "curl", "sh"), env)));

  test.skipIf(!needs("go"))(
    "docs/WATCHING.md, Go: comes back from the last event, and ends with the analysis",
    () => comesBack((env) => runner.go(snippetOf("docs/WATCHING.md", "Go", "go"), env)),
  );

  test.skipIf(!needs("java"))(
    "docs/WATCHING.md, Java: comes back from the last event, and ends with the analysis",
    () => comesBack((env) => runner.java(snippetOf("docs/WATCHING.md", "Java", "java"), env)),
  );

  async function comesBack(start: (env: Record<string, string>) => Promise<RunningSnippet>): Promise<void> {
    const id = crypto.randomUUID();
    const say = (message: string) => publish(gateway, id, statusUpdate({ progress: 0.25, message }));
    await say("step one");
    const child = await start({ ID: id, TOKEN: await tokenFor() });
    const shows = (message: string) =>
      eventually(`it shows ${message}`, async () => child.said().includes(message), PATIENCE_MS);
    await watched(1);
    await say("step two");
    await shows("step two");
    proxy.cut();
    await say("step three");
    await shows("step three");
    await publish(gateway, id, resultUpdate());
    expect(await child.exited).toBe(0);
    expect(child.said().match(/step two|step three|is_fake|verdict/g)).toEqual([
      "step two",
      "step three",
      expect.stringMatching(/is_fake|verdict/),
    ]);
  }

  async function watched(analyses: number): Promise<void> {
    await eventually(
      `${analyses} are watched`,
      async () => {
        const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as {
          websocket_stats: { active_analyses: number };
        };
        return health.websocket_stats.active_analyses === analyses;
      },
      PATIENCE_MS,
    );
  }
});
