import { describe, expect, test } from "bun:test";
import { NatsLink, type NatsLinkOptions } from "../../src/adapters/nats/nats-link.ts";
import { ensureStream } from "../../src/adapters/nats/nats-streams.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";

const STREAM = { name: "TESTED", subjects: ["tested.>"] };

describe.skipIf(!needs("nats-server"))("a link to a NATS server", () => {
  const nats = useNats();

  function linkWith(options: Partial<NatsLinkOptions> = {}): NatsLink {
    const link = new NatsLink({
      target: { servers: [nats.address] },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
      purpose: "tested",
      ...options,
    });
    nats.afterTest(() => link.close());
    return link;
  }

  async function untilUp(link: NatsLink): Promise<void> {
    await eventually("the link is up", async () => link.away === undefined);
  }

  test("a link comes back after kill -9 of the server, which is then another one", async () => {
    const link = linkWith();
    await untilUp(link);
    const before = link.server?.id;
    await nats.kill9();
    await eventually("the link is lost", async () => link.away?.cause === "unreachable");
    await nats.restart();
    await untilUp(link);
    expect(link.server?.id).not.toBe(before);
  });

  test("a link to a frozen server is silent within 10 s, and up once it goes on", async () => {
    const link = linkWith();
    await untilUp(link);
    nats.freeze();
    await eventually("the link is silent", async () => link.away?.cause === "silent");
    nats.thaw();
    await untilUp(link);
  });

  test("a stream is made once, and found as it is afterwards", async () => {
    const creations: string[] = [];
    for (const _ of [1, 2]) {
      const link = linkWith({
        check: async (connection, server) =>
          void creations.push((await ensureStream(connection, STREAM, server)).creation),
      });
      await untilUp(link);
    }
    expect(creations).toHaveLength(2);
    expect(creations[0]).toBe(creations[1] as string);
  });

  test("a stream with other settings keeps the link away, and the log names the setting", async () => {
    const client = await nats.client();
    await client.request(
      "$JS.API.STREAM.CREATE.ODD",
      JSON.stringify({ name: "ODD", subjects: ["odd.>"], max_age: 1e9, discard: "new" }),
    );
    const telemetry = new CollectingTelemetry();
    const wanted = { name: "ODD", subjects: ["odd.>"] };
    const link = linkWith({
      telemetry,
      check: async (connection, server) => void (await ensureStream(connection, wanted, server)),
    });
    await link.started;
    expect(link.away).toEqual({ cause: "stream_settings" });
    expect(JSON.stringify(telemetry.logs)).toContain("ODD has max_age 1000000000 and needs 0 ns");
  });
});

describe.skipIf(!needs("nats-server"))("a link to a NATS server without JetStream", () => {
  const nats = useNats({ jetstream: false });

  test("a link whose stream cannot be made says that JetStream is not served", async () => {
    const link = new NatsLink({
      target: { servers: [nats.address] },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
      purpose: "tested",
      check: async (connection, server) => void (await ensureStream(connection, STREAM, server)),
    });
    nats.afterTest(() => link.close());
    await link.started;
    expect(link.away).toEqual({ cause: "no_jetstream" });
  });
});
