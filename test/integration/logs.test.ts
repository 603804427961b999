import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The log of a gateway as a process. */
describe("the log of a gateway", () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const start = async (env: Record<string, string> = {}) => {
    const gateway = await startGateway({ LOG_LEVEL: "info", ...env });
    stops.push(() => gateway.stop());
    return gateway;
  };
  const linesOf = ({ output }: GatewayProcess): Line[] =>
    output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);

  test("LOG-1: is JSON in production, the notes on its configuration included, and text in development", async () => {
    const production = await start({ NODE_ENV: "production", LOG_FORMAT: "" });
    await production.stop();
    const others = production
      .output()
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("{"));
    expect(others).toEqual([`Telltale answers at ${production.url}`]);
    const [first] = linesOf(production);
    expect(first).toMatchObject({ level: "warn", msg: expect.stringContaining("The broker is memory") });
    expect(first?.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

    const development = await start({ LOG_FORMAT: "" });
    expect(development.output()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}the gateway started url=http/m);
    expect(linesOf(development)).toEqual([]);
  });

  test("LOG-2: tells the start, the drain with its cause, and the end with how long it took", async () => {
    const gateway = await start();
    const socket = new WatchingSocket(
      watchUrl(gateway.url, crypto.randomUUID(), { token: await tokenFor() }),
    );
    await socket.established();
    await gateway.stop();
    expect(linesOf(gateway).filter(({ msg }) => msg.startsWith("the gateway"))).toMatchObject([
      { level: "info", msg: "the gateway started", url: gateway.url, broker: "memory", mode: "development" },
      { level: "info", msg: "the gateway drains", cause: "SIGTERM", connections: 1, within_seconds: 10 },
      { level: "info", msg: "the gateway stopped", after_seconds: expect.any(Number) },
    ]);
  });

  test("LOG-3 and LOG-4: names connections, events and refusals at debug, and the refusals together at info", async () => {
    const gateway = await start({ LOG_LEVEL: "debug" });
    const analysis = crypto.randomUUID();
    const token = await tokenFor();
    const socket = new WatchingSocket(watchUrl(gateway.url, analysis, { token }));
    const { connection_id } = await socket.established();
    const secret = "S3CRET";
    const published = await publish(gateway, analysis, statusUpdate({ message: secret }));
    const { event_ids } = (await published.json()) as { event_ids: string[] };
    await fetch(`${gateway.url}/v1/analyses/${analysis}`, { headers: { Authorization: `Bearer ${secret}` } });
    const refused = new WatchingSocket(watchUrl(gateway.url, analysis, { token: secret }));
    await refused.closed;
    await socket.leave();
    const line = (message: string, fields: Record<string, unknown>) =>
      eventually(message, async () => {
        const all = linesOf(gateway).filter(({ msg }) => msg === message);
        return all.some((one) => Object.entries(fields).every(([name, value]) => one[name] === value));
      });
    await line("a client connected", { level: "debug", connection: connection_id, transport: "websocket" });
    await line("events were stored", { channel: `analysis:${analysis}`, event_id: event_ids[0], count: 1 });
    await line("refused", { level: "debug", reason: "unauthenticated", status: 401, analysis });
    await line("refused", { level: "debug", reason: "unauthenticated", transport: "websocket" });
    await line("a connection ended", { connection: connection_id, code: "none" });
    await gateway.stop();
    await line("refused since the last such line", { level: "info", unauthenticated: 2 });
    expect(gateway.output()).not.toContain(secret);
    expect(gateway.output()).not.toContain(token);
  });
});
