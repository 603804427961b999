import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../src/testing/eventually.ts";

setDefaultTimeout(60_000);

const node = Bun.which("node");

/** A runtime without a WebSocket, whose garbage collector runs when it is told to. */
describe.skipIf(node === null)("telltale-client on Node after a collection of garbage", async () => {
  const folder = await mkdtemp(join(tmpdir(), "telltale-watcher-"));
  let open = 0;
  let wait: string | null = null;
  const gateway = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request, server) {
      server.timeout(request, 0);
      wait = new URL(request.url).searchParams.get("wait");
      open += 1;
      request.signal.addEventListener("abort", () => {
        open -= 1;
      });
      const body = new ReadableStream({
        start: (stream) => stream.enqueue('event: connection_established\ndata: {"message":"hello"}\n\n'),
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    },
  });
  beforeAll(async () => {
    const entry = join(import.meta.dir, "../../src/client/watcher-on-node.ts");
    const modules = `
      export { eventStream, longPoll } from "./watch/event-stream-transport.ts";
      export { watchOver } from "./watch/watch.ts";
    `;
    const { outputs } = await Bun.build({
      entrypoints: [entry],
      files: { [entry]: modules },
      target: "node",
    });
    await Bun.write(join(folder, "watcher.mjs"), await (outputs[0] as Blob).text());
  });
  afterAll(async () => {
    await gateway.stop(true);
    await rm(folder, { recursive: true, force: true });
  });

  test.each([
    ["server-sent events", "eventStream", null],
    ["reads that wait", "longPoll", expect.any(String)],
  ])("a watch that is closed ends its request, and the process, over %s", async (_, transport, asked) => {
    const script = `
      import * as watcher from "./watcher.mjs";
      const choice = { next: () => watcher.${transport}, worked() {}, failed() {}, forget() {} };
      const watch = watcher.watchOver(() => choice);
      const isLive = (one) => one.getSnapshot().connection.status === "live";
      const watches = ["a.b.c", "d.e.f"].map((token) =>
        watch({ url: "${gateway.url.origin}", analysisId: "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11", token }));
      while (!watches.every(isLive)) await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
      for (const one of watches) one.close();
    `;
    await Bun.write(join(folder, "script.mjs"), script);
    const child = Bun.spawn([node as string, "--expose-gc", "script.mjs"], { cwd: folder, stderr: "pipe" });
    const limit = setTimeout(() => child.kill(), 20_000);
    const [complained, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    clearTimeout(limit);
    expect({ complained, code }).toEqual({ complained: "", code: 0 });
    expect(wait).toEqual(asked);
    await eventually("each request ended", async () => open === 0);
  });
});
