import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remember } from "../support/children.ts";
import { publisherToken, tokenFor } from "../support/gateway-process.ts";
import { buildPublisherForNode } from "../support/publisher-for-node.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "telltale-workers-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The publisher as Node users have it, and a script for each runtime. */
const RUNTIMES: readonly (readonly [name: string, command: readonly string[]])[] = [
  ["Bun", [process.execPath, "run"]],
  ["Deno", [join(root, "node_modules/deno/deno"), "run", "--allow-net", "--allow-env"]],
  ["Node", [Bun.which("node") ?? "node"]],
];

/** Three analyses, by the ids in its arguments. */
const WORKER = `
  import { TelltalePublisher } from "./publisher.mjs";
  const [finishes, raises, isLeft] = globalThis.Deno?.args ?? process.argv.slice(2);
  const telltale = new TelltalePublisher();
  await telltale.run(finishes, async (analysis) => {
    for await (const frame of analysis.track([1, 2, 3], { stage: "frame_extraction", unit: "frames" })) frame;
    analysis.result({ confidence_score: 0.97, is_fake: false });
  });
  try {
    await telltale.run(raises, () => { throw new RangeError("no face in it"); });
  } catch (error) {
    console.log("thrown again: " + error.message);
  }
  const analysis = telltale.analysis(isLeft);
  for (const frame of analysis.track([1, 2])) if (frame === 2) break;
  await analysis[Symbol.asyncDispose]();
`;

describe("a worker in TypeScript", async () => {
  const gateway = useGateway();
  await buildPublisherForNode(folder);
  await Bun.write(join(folder, "worker.mjs"), WORKER);

  async function stateOf(id: string): Promise<Record<string, unknown>> {
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}`, {
      headers: { Authorization: `Bearer ${await tokenFor()}` },
    });
    return (await answer.json()) as Record<string, unknown>;
  }

  test.each(RUNTIMES)("WRK-4: on %s ends as it left, and its process ends well", async (_, command) => {
    const ids = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()] as const;
    const child = Bun.spawn([...command, join(folder, "worker.mjs"), ...ids], {
      env: { ...process.env, TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() },
      stdout: "pipe",
      stderr: "pipe",
    });
    remember(child);
    const [said, complained] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect([await child.exited, complained, said]).toEqual([0, "", "thrown again: no face in it\n"]);
    const [finished, raised, left] = await Promise.all(ids.map(stateOf));
    expect(finished).toMatchObject({
      status: "completed",
      progress: 1,
      current_stage: "frame_extraction",
      result: { is_fake: false, frames_processed: 3, total_frames: 3 },
    });
    expect(raised).toMatchObject({
      status: "failed",
      error: { error_code: "RangeError", error_message: "no face in it" },
    });
    expect(left).toMatchObject({ status: "failed", progress: 0.5, error: { error_code: "worker_ended" } });
  });
});
