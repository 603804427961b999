import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";
import { caddy, nginx, type ProxyProcess, startProxy } from "./proxy-process.ts";

const testMs = 30_000;
const mebibyte = 1024 * 1024;

for (const kind of [nginx, caddy]) {
  describe.skipIf(!needs(kind.name))(`the gateway behind ${kind.name}, set up as deploy/ says`, () => {
    let gateway: GatewayProcess;
    let proxy: ProxyProcess;
    /** The gateway as the world sees it. */
    let behind: GatewayProcess;

    beforeAll(async () => {
      gateway = await startGateway({ NODE_ENV: "production", HEARTBEAT_INTERVAL_SECONDS: "1" });
      proxy = await startProxy(kind, `127.0.0.1:${gateway.port}`);
      behind = { ...gateway, url: proxy.url };
    }, testMs);

    afterAll(async () => {
      await proxy?.stop();
      await gateway?.stop();
    }, testMs);

    /** The log once so many requests for the path are in it: a proxy writes them when they have ended. */
    async function logOf(requests: number, path: string): Promise<string> {
      for (;;) {
        const log = await proxy.log();
        if (log.split(path).length > requests) return log;
      }
    }

    async function watch(analysis: string, token: string): Promise<WatchingSocket> {
      const protocols = ["telltale.v1", `bearer.${token}`];
      return new WatchingSocket(watchUrl(proxy.url, analysis), { protocols });
    }

    test(
      "shows a watcher what is published, both through the proxy",
      async () => {
        const analysis = crypto.randomUUID();
        const watcher = await watch(analysis, await tokenFor({ analyses: "*" }));
        await watcher.established();
        expect(watcher.protocol).toBe("telltale.v1");
        expect((await publish(behind, analysis, statusUpdate({ message: "seen" }))).status).toBe(202);
        expect((await watcher.untilType("status_update")).message).toBe("seen");
        await watcher.leave();
      },
      testMs,
    );

    test("keeps the metrics from the world", async () => {
      expect((await fetch(`${gateway.url}/metrics`)).status).toBe(200);
      expect((await fetch(`${proxy.url}/metrics`)).status).toBe(404);
    });

    test(
      "lets a page of the proxy's own address watch",
      async () => {
        const watcher = new WatchingSocket(watchUrl(proxy.url, crypto.randomUUID()), {
          protocols: ["telltale.v1", `bearer.${await tokenFor({ analyses: "*" })}`],
          headers: { Origin: proxy.url },
        });
        await watcher.established();
        await watcher.leave();
      },
      testMs,
    );

    test(
      "passes heartbeats on",
      async () => {
        const watcher = await watch(crypto.randomUUID(), await tokenFor({ analyses: "*" }));
        await watcher.untilType("heartbeat");
        await watcher.leave();
      },
      testMs,
    );

    test(
      "lets a refused watcher read why",
      async () => {
        const watcher = await watch(crypto.randomUUID(), "no.token.atall");
        expect((await watcher.closed).code).toBe(4001);
      },
      testMs,
    );

    test(
      "takes an event of nearly 1 MiB, and lets the gateway say that a larger one is too large",
      async () => {
        const analysis = crypto.randomUUID();
        const padded = (bytes: number) => statusUpdate({ padding: "x".repeat(bytes) });
        expect((await publish(behind, analysis, padded(mebibyte - 1000))).status).toBe(202);
        const refused = await publish(behind, analysis, padded(mebibyte));
        expect(refused.status).toBe(413);
        expect(refused.headers.get("content-type")).toContain("application/problem+json");
      },
      testMs,
    );

    test(
      "logs no token, wherever the request had it",
      async () => {
        const analysis = crypto.randomUUID();
        const token = await tokenFor({ analyses: "*" });
        for (const watcher of [
          new WatchingSocket(watchUrl(proxy.url, analysis, { token })),
          await watch(analysis, token),
          new WatchingSocket(watchUrl(proxy.url, analysis), {
            headers: { Authorization: `Bearer ${token}` },
          }),
        ]) {
          await watcher.established();
          await watcher.leave();
        }
        const page = await fetch(`${proxy.url}/health?marker=${analysis}`, {
          headers: { Cookie: `access_token=${token}` },
        });
        expect(page.status).toBe(200);
        const log = await logOf(3, `/ws/analysis/${analysis}`);
        expect(log).not.toContain(token);
        expect(log).not.toContain(`marker=${analysis}`);
      },
      testMs,
    );
  });

  describe.skipIf(!needs(kind.name))(`a request through ${kind.name}, set up as deploy/ says`, () => {
    test(
      "it hands a stream on piece by piece, and says who asked",
      async () => {
        // Each event is made only when the one before it was read, so one that is held back is never read.
        const wanted = ["first", "second", "third"];
        const asked = wanted.map(() => Promise.withResolvers<void>());
        const forwarded = Promise.withResolvers<string | null>();
        const upstream = Bun.serve({
          port: 0,
          hostname: "127.0.0.1",
          fetch(request) {
            forwarded.resolve(request.headers.get("x-forwarded-for"));
            const body = new ReadableStream<string>({
              async start(stream) {
                for (const [index, event] of wanted.entries()) {
                  await asked[index]?.promise;
                  stream.enqueue(`data: ${event}\n\n`);
                }
              },
            });
            return new Response(body, { headers: { "content-type": "text/event-stream" } });
          },
        });
        const proxy = await startProxy(kind, `127.0.0.1:${upstream.port}`);
        try {
          asked[0]?.resolve();
          const { body } = await fetch(`${proxy.url}/stream`);
          const pieces = (body as ReadableStream<Uint8Array>).getReader();
          for (const [index, event] of wanted.entries()) {
            asked[index]?.resolve();
            const { value } = await pieces.read();
            expect(new TextDecoder().decode(value)).toBe(`data: ${event}\n\n`);
          }
          await pieces.cancel();
          expect(await forwarded.promise).toBe("127.0.0.1");
        } finally {
          await proxy.stop();
          await upstream.stop(true);
        }
      },
      testMs,
    );
  });
}
