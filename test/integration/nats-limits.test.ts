import { beforeEach, describe, expect, test } from "bun:test";
import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { NatsSelfCheck } from "../../src/adapters/nats/nats-self-check.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { type NatsInUse, useNats } from "../support/use-nats.ts";

const EVENTS = "TELLTALE_EVENTS";

/** Changes settings of a stream, as an operator does. Resolves with how to put them back. */
async function edit(nats: NatsInUse, stream: string, changes: object): Promise<() => Promise<void>> {
  const client = await nats.client();
  const { config } = (await client.request(`$JS.API.STREAM.INFO.${stream}`)).json<{ config: object }>();
  const update = async (to: object) => {
    const answer = await client.request(`$JS.API.STREAM.UPDATE.${stream}`, JSON.stringify(to));
    expect(answer.json<{ error?: unknown }>().error).toBeUndefined();
  };
  await update({ ...config, ...changes });
  return () => update(config);
}

async function startOn(nats: NatsInUse): Promise<GatewayProcess> {
  const gateway = await startGateway({ NATS_URL: nats.url });
  nats.afterTest(() => gateway.kill9());
  return gateway;
}

const readiness = async ({ url }: GatewayProcess) => {
  const answer = await fetch(`${url}/ready`);
  return { status: answer.status, ...((await answer.json()) as { reason?: string }) };
};

const isReady = (gateway: GatewayProcess) =>
  eventually("it is ready", async () => (await readiness(gateway)).status === 200);

const isUnready = (gateway: GatewayProcess, reason: string) =>
  eventually("it says why it is not ready", async () => {
    const answer = await readiness(gateway);
    return answer.status === 503 && answer.reason === reason;
  });

describe.skipIf(!needs("nats-server"))("a gateway on NATS whose streams an operator changes", () => {
  const nats = useNats();
  let gateway: GatewayProcess;
  const id = crypto.randomUUID();

  beforeEach(async () => {
    gateway = await startOn(nats);
    await isReady(gateway);
  });

  test.each([{ max_msgs: 10 }, { max_bytes: 5_000 }])(
    "refuses to publish as long as the limit %p is reached, and names it",
    async (limit) => {
      for (let n = 0; n < 12; n++) await publish(gateway, id, statusUpdate());
      // The server removes as many messages as are too many, and may have room for some of the next ones.
      const mend = await edit(nats, EVENTS, limit);
      let refused = await publish(gateway, id, statusUpdate());
      while (refused.status === 202) refused = await publish(gateway, id, statusUpdate());
      expect([refused.status, await refused.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
      await isUnready(gateway, "a stream of the broker has reached a limit of its settings");
      await mend();
      await isReady(gateway);
      expect((await publish(gateway, id, statusUpdate())).status).toBe(202);
    },
    30_000,
  );

  test("stops to publish when a setting no longer keeps its promises, and goes on when it is mended", async () => {
    const mend = await edit(nats, EVENTS, { max_msg_size: 1_000 });
    const refused = await publish(gateway, id, statusUpdate({ message: "x".repeat(2_000) }));
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
    await isUnready(gateway, "a stream of the broker has other settings than the gateway needs");
    // On a busy machine the outage may begin with a connection that broke, and its log tells another cause 10 s later.
    await eventually("the log names the setting", async () => {
      expect((await publish(gateway, id, statusUpdate())).status).toBe(503);
      return gateway.output().includes("TELLTALE_EVENTS has max_msg_size 1000 and needs -1");
    });
    await mend();
    await isReady(gateway);
    const again = await publish(gateway, id, statusUpdate());
    expect([again.status, await again.text()]).toEqual([202, expect.any(String)]);
  }, 60_000);
});

describe.skipIf(!needs("nats-server"))("a NATS with a stream of workers that gives no order", () => {
  const nats = useNats();

  test.each(["TELLTALE_WORKERS", "TELLTALE_DEADLETTERS"])(
    "keeps a gateway unready if it is %s",
    async (name) => {
      await (await startOn(nats)).stop();
      const client = await nats.client();
      const { config } = (await client.request(`$JS.API.STREAM.INFO.${name}`)).json<{ config: object }>();
      const mend = await edit(nats, name, { discard: "old", max_msgs: 5 });
      const gateway = await startOn(nats);
      await eventually("it says why it is not ready", async () => {
        const { status: code, reason } = await readiness(gateway);
        return code === 503 && (reason?.includes("other settings than the gateway needs") ?? false);
      });
      expect(await (await fetch(`${gateway.url}/ws/health`)).json()).toMatchObject({ status: "degraded" });
      expect(gateway.output()).toContain(`${name} has max_msgs 5 and needs -1`);
      expect(config).toMatchObject({ discard: "new" });
      await mend();
      await isReady(gateway);
    },
    30_000,
  );
});

describe.skipIf(!needs("nats-server"))("a NATS whose account may have too few streams", () => {
  const nats = useNats({
    config: `
      accounts: { WORK: { jetstream: { max_streams: 1 }, users: [{ user: gateway, password: any }] } }
      no_auth_user: gateway`,
  });

  test("keeps a gateway unready, which says so, and publishes nothing", async () => {
    const gateway = await startOn(nats);
    await isUnready(
      gateway,
      "the gateway's account at the broker may have no more of what the gateway needs",
    );
    expect((await publish(gateway, crypto.randomUUID(), statusUpdate())).status).toBe(503);
    expect(gateway.output()).toContain("maximum number of streams reached");
  }, 30_000);
});

describe.skipIf(!needs("nats-server"))("a NATS that takes messages of 64 KiB", () => {
  const nats = useNats({ config: "max_payload: 64KB" });

  test("keeps a gateway unready, which says how large they must be", async () => {
    const gateway = await startOn(nats);
    await isUnready(gateway, "the broker takes no messages of 256 KiB, which the gateway needs");
    expect(gateway.output()).toContain("max_payload 65536 and needs at least 262144");
    expect(await (await fetch(`${gateway.url}/ws/health`)).text()).not.toMatch(/at most -?\d+ bytes/);
    expect((await publish(gateway, crypto.randomUUID(), statusUpdate())).status).toBe(503);
  }, 30_000);

  test("telltale check says how large they must be", async () => {
    const check = new NatsSelfCheck({ servers: [nats.address] }, []);
    nats.afterTest(() => check.close());
    const part = check.parts.find(({ name }) => name === "max_payload");
    expect(await part?.try()).toEqual({
      works: false,
      reason: "the server has max_payload 65536 and needs at least 262144",
      hint: "raise max_payload in the server's configuration",
    });
  });
});

describe.skipIf(!needs("nats-server"))("a NATS that takes messages of 256 KiB", () => {
  const nats = useNats({ config: "max_payload: 256KB" });

  test("PS-4: stores appends that arrive at once, though all of them fit no message", async () => {
    const node = new NatsPubSub({
      ...{
        target: { servers: [nats.address] },
        clock: new SystemClock(),
        telemetry: new CollectingTelemetry(),
      },
      history: { size: 100, ttlMs: 60_000 },
    });
    nats.afterTest(() => node.close());
    const append = () =>
      node.append({ channel: "analysis:one", events: [status({ note: "é".repeat(30_000) })] });
    const outcomes = await Promise.all(Array.from({ length: 12 }, append));
    expect(outcomes.map((outcome) => outcome.type === "stored" && outcome.firstOffset)).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    ]);
  });
});

describe.skipIf(!needs("nats-server"))("telltale check on a NATS with a stream of workers in memory", () => {
  const nats = useNats();

  test("finds that the inbox can be used", async () => {
    await (await startOn(nats)).stop();
    const client = await nats.client();
    for (const name of ["TELLTALE_WORKERS", "TELLTALE_DEADLETTERS"]) {
      const { config } = (await client.request(`$JS.API.STREAM.INFO.${name}`)).json<{ config: object }>();
      await client.request(`$JS.API.STREAM.DELETE.${name}`);
      await client.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify({ ...config, storage: "memory" }));
    }
    const check = new NatsSelfCheck({ servers: [nats.address] }, []);
    nats.afterTest(() => check.close());
    for (const part of check.parts) expect(await part.try()).toMatchObject({ works: true });
  }, 30_000);
});
