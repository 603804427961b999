import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../src/testing/eventually.ts";
import { readDocument } from "../support/documents.ts";
import { freePort } from "../support/free-port.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { type RunningPrometheus, startPrometheus } from "../support/prometheus-server.ts";
import { statusUpdate } from "../support/publishing.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useRedis } from "../support/use-redis.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const canRun = needs("redis-server") && needs("prometheus");

/** Prometheus itself, which scrapes a gateway with faults, and judges it by the alerts of `deploy`. */
describe.skipIf(!canRun)("the alerts, in Prometheus itself", () => {
  const redis = useRedis();

  test("MET-5: each that a minute's fault can raise fires while the fault lasts, and resolves after it", async () => {
    const proxy = await TcpProxy.start(redis);
    redis.afterTest(() => proxy.stop());
    const gateway = await redis.startGateway({
      REDIS_URL: "",
      REDIS_HOST: proxy.host,
      REDIS_PORT: `${proxy.port}`,
      HISTORY_SIZE: "2",
    });
    const prometheus = await startPrometheus(new URL(gateway.url).host);
    redis.afterTest(() => prometheus.stop());
    const raises = (alerts: readonly string[], fault: Fault) => judge(prometheus, alerts, fault);
    const token = await tokenFor();

    await raises(["TelltaleRefusals", "TelltaleCloses", "TelltaleDeadLetters"], {
      repeat: async () => {
        const refused = new WatchingSocket(watchUrl(gateway.url, crypto.randomUUID(), { token: "wrong" }));
        await refused.closed;
        await redis.client.publish(`analysis:${crypto.randomUUID()}`, "no event");
        await pause(50);
      },
    });

    // The oldest entry is two minutes old, and a full memory lets nobody take it.
    await raises(["TelltaleInboxStuck", "TelltaleNotReady"], {
      begin: async () => {
        const entry = JSON.stringify({ analysis_id: crypto.randomUUID(), ...statusUpdate() });
        await redis.client.config("SET", "maxmemory", "1");
        await eventually("it is not ready", async () => !(await fetch(`${gateway.url}/ready`)).ok);
        await redis.client.config("SET", "maxmemory", "0");
        await redis.client.xadd("telltale:inbox", `${Date.now() - 120_000}-0`, "payload", entry);
        await redis.client.config("SET", "maxmemory", "1");
      },
      end: () => redis.client.config("SET", "maxmemory", "0"),
    });

    // The gateway holds 64 MiB of events that Redis does not store; for more it gives the oldest up.
    const flooded = crypto.randomUUID();
    await raises(["TelltaleEventsLost"], {
      begin: () => redis.client.config("SET", "maxmemory", "1"),
      repeat: async () => {
        const event = statusUpdate({ message: crypto.randomUUID(), note: "x".repeat(900_000) });
        await redis.client.publish(`analysis:${flooded}`, JSON.stringify(event));
        await pause(10);
      },
      end: () => redis.client.config("SET", "maxmemory", "0"),
    });

    await raises(["TelltaleBrokerAway"], {
      begin: async () => proxy.pause(),
      end: async () => proxy.resume(),
    });

    await raises(["TelltaleStalledSubscription"], {
      begin: async () => {
        const [listening] = proxy.connections.filter(({ opening }) =>
          opening.includes("telltale-subscriptions"),
        );
        expect(listening).toBeDefined();
        listening?.pause("down");
      },
    });

    await raises(["TelltaleBrokerSlow"], {
      repeat: async () => {
        proxy.pause("down");
        await pause(1_500);
        proxy.resume("down");
        await pause(100);
      },
    });

    // Live events wait for a client that reads nothing for a while. A new one each time, since the system gives a
    // connection that was full a larger buffer.
    const analysis = crypto.randomUUID();
    const query = { token, conflate: "none", replay: "none" };
    const note = "x".repeat(700_000);
    await raises(["TelltaleDeliveryLag"], {
      repeat: async () => {
        const slow = await rawWatcher(watchUrl(gateway.url, analysis, query));
        slow.pause();
        for (let n = 0; n < 12; n++) {
          // No two are alike, since that would be one event.
          const event = statusUpdate({ message: crypto.randomUUID(), note });
          await redis.client.publish(`analysis:${analysis}`, JSON.stringify(event));
        }
        await pause(1_500);
        slow.resume();
        await pause(200);
        slow.destroy();
      },
    });

    // Its history is gone, and the feed of somebody who watches it begins anew.
    const watcher = new WatchingSocket(watchUrl(gateway.url, analysis, { token }));
    await watcher.established();
    await redis.client.flushall();

    for (const { title, expr } of panelQueries()) {
      const query = expr.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "10m");
      await patiently(`the panel ${title} has data: ${query}`, async () =>
        (await prometheus.values(query)).some((value) => Number.isFinite(value)),
      );
    }

    await raises(["TelltaleDown"], {
      begin: async () => process.kill(gateway.pid, "SIGSTOP"),
      end: async () => process.kill(gateway.pid, "SIGCONT"),
    });

    await raises(["TelltaleEventLoop"], {
      repeat: async () => {
        process.kill(gateway.pid, "SIGSTOP");
        await pause(400);
        process.kill(gateway.pid, "SIGCONT");
        await pause(200);
      },
    });
  }, 900_000);

  test("MET-5: a gateway that starts again and again at one address raises TelltaleRestarts", async () => {
    const env = { PORT: `${await freePort()}`, BROKER: "memory" };
    let gateway = await redis.startGateway(env);
    const prometheus = await startPrometheus(new URL(gateway.url).host);
    redis.afterTest(() => prometheus.stop());
    expect(await prometheus.firing()).not.toContain("TelltaleRestarts");
    await patiently("fires: TelltaleRestarts", async () => {
      const start = async () => (await prometheus.values("max(telltale_process_start_time_seconds)"))[0] ?? 0;
      const before = await start();
      await gateway.kill9();
      gateway = await redis.startGateway(env);
      await patiently("the new one is scraped", async () => (await start()) > before);
      return (await prometheus.firing()).has("TelltaleRestarts");
    });
  }, 300_000);
});

/** The queries of the dashboard, as Grafana sends them but for its variables. */
function panelQueries(): { readonly title: string; readonly expr: string }[] {
  const { panels } = JSON.parse(readDocument("deploy/grafana/telltale.json")) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
}

/** A WebSocket of which the test reads the bytes, when it likes. */
async function rawWatcher(url: string): Promise<Socket> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const socket = connect(Number(port), hostname);
  const headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
  socket.write([`GET ${pathname}${search} HTTP/1.1`, `Host: ${host}`, ...headers, key, "", ""].join("\r\n"));
  let read = "";
  socket.on("data", (bytes: Buffer) => {
    if (read.length < 4_096) read += bytes.toString("latin1");
  });
  await eventually("it watches", async () => read.includes("connection_established"));
  return socket;
}

interface Fault {
  readonly begin?: () => Promise<unknown>;
  /** Called again and again while the fault lasts. */
  readonly repeat?: () => Promise<unknown>;
  readonly end?: () => Promise<unknown>;
}

/** Each alert is quiet before the fault, fires while it lasts, and is quiet after it. */
async function judge(prometheus: RunningPrometheus, alerts: readonly string[], fault: Fault): Promise<void> {
  const firing = async () => {
    const all = await prometheus.firing();
    return alerts.filter((alert) => all.has(alert));
  };
  await patiently(`quiet before: ${alerts.join()}`, async () => (await firing()).length === 0);
  await fault.begin?.();
  const fired = new Set<string>();
  const over = new AbortController();
  const repeated = (async () => {
    while (!over.signal.aborted && fault.repeat !== undefined) await fault.repeat();
  })();
  try {
    await patiently(`fires: ${alerts.join()}`, async () => {
      for (const alert of await firing()) fired.add(alert);
      return fired.size === alerts.length;
    });
  } finally {
    over.abort();
    await repeated;
    await fault.end?.();
  }
  await patiently(`resolves: ${alerts.join()}`, async () => (await firing()).length === 0);
}

/** As `eventually`, for what takes Prometheus ten seconds and a busy machine minutes: a late scrape begins the wait anew. */
async function patiently(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 150_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`);
    await pause(100);
  }
}
