import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { openStream } from "../support/reading-stream.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

describe("a gateway with BASE_PATH", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway({ BASE_PATH: "/our/telltale/", DEMO: "on" });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const below = (path = "") => `${gateway.url}/our/telltale${path}`;

  test("WEB-14: serves sockets, streams, reads and publishing below it, and as before", async () => {
    const id = crypto.randomUUID();
    const token = await tokenFor();
    for (const url of [below(), gateway.url]) {
      const answer = await publish({ url }, id, statusUpdate());
      expect(answer.status).toBe(202);
      const socket = new WatchingSocket(watchUrl(url, id, { token }));
      await socket.untilType("status_update");
      await socket.leave();
      const stream = await openStream(url, id, { token });
      expect((await stream.next()).event).toBe("connection_established");
      await stream.leave();
      const headers = { Authorization: `Bearer ${token}` };
      for (const path of [
        `/v1/analyses/${id}`,
        "/ready",
        "/client.js",
        "/ws/health",
        "/metrics",
        "/schemas/error.json",
      ])
        expect([path, (await fetch(url + path, { headers })).status]).toEqual([path, 200]);
      expect((await fetch(`${url}/v1/analyses/${id}`, { method: "HEAD", headers })).status).toBe(200);
      expect((await fetch(`${url}/nothing`)).status).toBe(404);
    }
  });

  test("WEB-14: serves the page below it, whose files lie beside it, and leads to it from the path itself", async () => {
    const led = await fetch(below("?analysis=1"), { redirect: "manual" });
    expect([led.status, led.headers.get("Location")]).toEqual([308, "/our/telltale/?analysis=1"]);
    for (const url of [below("/"), `${gateway.url}/`]) {
      const files = [...(await (await fetch(url)).text()).matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)];
      expect(files).toHaveLength(2);
      for (const [, file = ""] of files) {
        const address = new URL(file, url).href;
        expect([address.startsWith(url), (await fetch(address)).status]).toEqual([true, 200]);
      }
    }
  });

  test("WEB-14: takes no path for it that only begins alike", async () => {
    for (const path of ["/our/telltalesque/ready", "/our", "/our/"])
      expect((await fetch(gateway.url + path)).status).toBe(404);
  });
});
