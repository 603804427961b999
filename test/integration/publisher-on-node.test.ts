import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPublisherForNode } from "../support/publisher-for-node.ts";

const node = Bun.which("node");

/** On Node as its users have it: bundled, as the README says. */
describe.skipIf(node === null)("telltale/publisher on Node", async () => {
  const folder = await mkdtemp(join(tmpdir(), "telltale-node-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function run(script: string): Promise<{ said: string; complained: string; code: number }> {
    await buildPublisherForNode(folder);
    await Bun.write(join(folder, "script.mjs"), script);
    const child = Bun.spawn([node as string, join(folder, "script.mjs")], { stdout: "pipe", stderr: "pipe" });
    const [said, complained, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { said, complained, code };
  }

  test("SDK-8: the publisher declares viewers, sends events and notices, and ends well", async () => {
    const asked: string[] = [];
    const gateway = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        asked.push(`${request.method} ${new URL(request.url).pathname}`);
        // The first event is asked for twice: the pause and the retry run on Node too.
        if (asked.length === 2) return new Response("", { status: 503, headers: { "Retry-After": "0" } });
        if (request.method === "PUT") return new Response(null, { status: 204 });
        return Response.json({ event_ids: ["e-1"], duplicate: false }, { status: 202 });
      },
    });
    try {
      const { said, complained, code } = await run(`
        import { TelltalePublisher } from "./publisher.mjs";
        const retry = { totalMs: 5_000, firstPauseMs: 1 };
        const telltale = new TelltalePublisher({ url: "${gateway.url.origin}", token: "a.b.c", retry });
        const id = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";
        const update = { task_id: "t", progress: 0.4, current_stage: "frame_extraction", message: "m" };
        await telltale.declareViewers(id, ["alice"]);
        console.log(JSON.stringify(await telltale.sendStatusUpdate(id, update)));
        console.log(JSON.stringify(await telltale.sendNotice({ userId: "alice", message: "begun" })));
      `);
      expect({ code, complained }).toEqual({ code: 0, complained: "" });
      const published = '{"eventIds":["e-1"],"duplicate":false,"cancelRequested":false}';
      expect(said).toBe(`${published}\n${published}\n`);
    } finally {
      await gateway.stop(true);
    }
    const events = "POST /v1/analyses/0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11/events";
    expect(asked).toEqual([
      "PUT /v1/analyses/0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11",
      events,
      events,
      "POST /v1/notices",
    ]);
  });
});
