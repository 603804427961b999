import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const node = Bun.which("node");
const root = new URL("../..", import.meta.url).pathname;

/** On Node as its users have it: bundled, as the README says. */
describe.skipIf(node === null)("telltale/watcher on Node", async () => {
  const folder = await mkdtemp(join(tmpdir(), "telltale-node-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function run(script: string): Promise<{ said: string; complained: string; code: number }> {
    const built = await Bun.build({
      entrypoints: [join(root, "src/client/watcher.ts")],
      target: "node",
      outdir: folder,
      naming: "watcher.mjs",
    });
    expect(built.success).toBe(true);
    await Bun.write(join(folder, "script.mjs"), script);
    const child = Bun.spawn([node as string, join(folder, "script.mjs")], { stdout: "pipe", stderr: "pipe" });
    const [said, complained, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { said, complained, code };
  }

  test("SDK-5: without a global WebSocket it ends as refused, and the process ends well", async () => {
    const { said, complained, code } = await run(`
      import { watchAnalysis } from "./watcher.mjs";
      // Node 22 and later have one.
      delete globalThis.WebSocket;
      watchAnalysis({
        url: "http://127.0.0.1:1",
        analysisId: "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11",
        token: async () => "a.b.c",
        onEvent() {},
        onConnection: (status) => console.log(JSON.stringify(status)),
      });
    `);
    expect({ code, complained }).toEqual({ code: 0, complained: "" });
    const statuses = said
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string });
    expect(statuses.map(({ kind }) => kind)).toEqual(["connecting", "refused"]);
    expect(statuses[1]).toMatchObject({ reason: expect.stringContaining("option webSocket") });
  });
});
