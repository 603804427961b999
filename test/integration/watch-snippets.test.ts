import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { SnippetRunner } from "../support/running-snippets.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(60_000);

/** Programs in other languages that watch an analysis: as a reader copies them, against a gateway. */
describe("the snippets that watch", () => {
  const gateway = useGateway({});
  const runner = new SnippetRunner(() => gateway.url);

  test.each([
    ["clients/python/README.md", "Watching", "python"],
    ["clients/python/README.md", "In asyncio", "python"],
  ] as const)("%s, %s: shows the progress, and ends with the analysis", async (page, heading, language) => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate({ progress: 0.125 }));
    const env = { PYTHONPATH: "clients/python", TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await tokenFor() };
    const child = await runner.python(snippetOf(page, heading, language), env, [id]);
    await eventually("it watches", async () => (await watched()) === 1);
    await publish(gateway, id, [statusUpdate({ progress: 0.25 }), resultUpdate()]);
    expect(await child.exited).toBe(0);
    expect(child.said()).toContain("0.25 working");
  });

  async function watched(): Promise<number> {
    const health = await (await fetch(`${gateway.url}/ws/health`)).json();
    return (health as { websocket_stats: { active_analyses: number } }).websocket_stats.active_analyses;
  }
});
