import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, connected, endFor } from "../../src/adapters/redis/redis-connection.ts";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type CertificateFiles, TestAuthority } from "../support/certificates.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { emptyEventLog } from "../support/redis-under-test.ts";
import { runtimeCommand } from "../support/runtime-command.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useRedis } from "../support/use-redis.ts";

const pem = (file: string) => readFileSync(file, "utf8");

describe.skipIf(!needs("redis-server") || !needs("openssl"))("a gateway on Redis over TLS", () => {
  const endings: (() => unknown)[] = [];
  afterAll(async () => {
    for (const ending of endings.reverse()) await ending();
  });
  const authority = made(new TestAuthority());
  const stranger = made(new TestAuthority("Another authority"));
  const here = authority.sign("server", "DNS:localhost,IP:127.0.0.1");
  const elsewhere = authority.sign("elsewhere", "DNS:redis.example");
  const expired = authority.sign("expired", "DNS:localhost", { expired: true });
  const client = authority.sign("gateway", "DNS:gateway");

  function made(one: TestAuthority): TestAuthority {
    endings.push(() => one.remove());
    return one;
  }

  async function redisOf(tls: CertificateFiles, ...args: readonly string[]): Promise<RunningRedis> {
    const redis = await startRedis({ tls: { ...tls, ca: authority.ca }, args });
    endings.push(() => redis.stop());
    return redis;
  }

  /** The address of a server, by the name that its certificate has. */
  const url = (redis: RunningRedis, user = "", host = "localhost") =>
    `rediss://${user}${host}:${redis.tlsPort}`;

  async function gatewayAt(env: Record<string, string>): Promise<GatewayProcess> {
    const gateway = await startGateway(env);
    endings.push(() => gateway.stop());
    return gateway;
  }

  const isReady = async (gateway: GatewayProcess) => (await fetch(`${gateway.url}/ready`)).ok;
  const check = (env: Record<string, string>) => {
    const child = Bun.spawnSync([...runtimeCommand("src/main.ts"), "check"], { env, timeout: 25_000 });
    return `${child.exitCode} ${child.stdout}${child.stderr}`;
  };

  test("is ready with the authority of the server, by name, by address, and with ssl_cert_reqs", async () => {
    const redis = await redisOf(here);
    const ofServer = { REDIS_CA_FILE: authority.ca };
    const gateways = await Promise.all([
      gatewayAt({ ...ofServer, REDIS_URL: url(redis) }),
      gatewayAt({ ...ofServer, REDIS_URL: `${url(redis, "", "127.0.0.1")}/0?ssl_cert_reqs=required` }),
      gatewayAt({ REDIS_URL: `${url(redis)}?ssl_cert_reqs=CERT_NONE` }),
    ]);
    for (const gateway of gateways) await eventually("it is ready", () => isReady(gateway));
    expect((await publish(gateways[0], crypto.randomUUID(), statusUpdate())).status).toBe(202);
    expect(check({ ...ofServer, REDIS_URL: url(redis) })).toStartWith("0 ");
  }, 60_000);

  test("shows the certificate of the gateway, together with a user, to a server that asks for it", async () => {
    const password = "a p@ss/w#rd?%";
    const redis = await redisOf(here, "--tls-auth-clients", "yes");
    const admin = patientClient(redis);
    endings.push(() => admin.disconnect());
    await admin.config("SET", "requirepass", password);
    const gateway = await gatewayAt({
      REDIS_URL: url(redis, `default:${encodeURIComponent(password)}@`),
      REDIS_CA_FILE: authority.ca,
      REDIS_CERT_FILE: client.cert,
      REDIS_KEY_FILE: client.key,
    });
    await eventually("it is ready", () => isReady(gateway));
  }, 60_000);

  const CERTIFICATE = "a certificate between the gateway and the broker is not accepted";
  test.each<[string, string, CertificateFiles, string, string]>([
    ["of another authority", stranger.ca, here, "REDIS_CA does not hold the authority", CERTIFICATE],
    [
      "for another host name",
      authority.ca,
      elsewhere,
      "its certificate is for other host names",
      CERTIFICATE,
    ],
    ["that has expired", authority.ca, expired, "its certificate is out of date", CERTIFICATE],
  ])(
    "RDY-2: a certificate %s is named in the log with the way to mend it",
    async (_, ca, server, hint, words) => {
      const redis = await redisOf(server);
      const env = { REDIS_URL: url(redis), REDIS_CA_FILE: ca };
      const gateway = await gatewayAt(env);
      await eventually("it says so", async () => gateway.output().includes(hint));
      const ready = await fetch(`${gateway.url}/ready`);
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(words)]);
      const checked = check(env);
      expect(checked).toStartWith("1 ");
      expect(checked).toContain(hint);
    },
    60_000,
  );

  test("RDY-2: a server that asks for a certificate says which settings are missing", async () => {
    const redis = await redisOf(here, "--tls-auth-clients", "yes");
    const gateway = await gatewayAt({ REDIS_URL: url(redis), REDIS_CA_FILE: authority.ca });
    const hint = "it does not accept the certificate of the gateway: look at REDIS_CERT and REDIS_KEY";
    await eventually("it says so", async () => gateway.output().includes(hint));
  }, 60_000);

  test("RDY-2: a plain port behind rediss://, and a port for TLS behind redis://, are told apart from an absent server", async () => {
    const redis = await redisOf(here);
    const [plain, secure] = await Promise.all([
      gatewayAt({ REDIS_URL: `rediss://localhost:${redis.port}`, REDIS_CA_FILE: authority.ca }),
      gatewayAt({ REDIS_URL: `redis://localhost:${redis.tlsPort}` }),
    ]);
    await eventually("it says so", async () => plain.output().includes("this port has no TLS"));
    await eventually("it says so", async () => secure.output().includes("use rediss:// in REDIS_URL"));
    for (const gateway of [plain, secure]) expect(gateway.output()).not.toContain("use redis://");
  }, 60_000);

  test("RDY-2: a Redis that hangs, whose TLS has worked, is not taken for a port without TLS", async () => {
    const redis = await redisOf(here);
    const target = {
      ...{ host: "localhost", port: redis.tlsPort ?? 0, db: 0 },
      tls: { ca: pem(authority.ca), verifies: true },
    };
    const client = connect(target, "test", () => 0);
    endings.push(() => client.disconnect());
    await connected(client, target);
    process.kill(redis.pid ?? 0, "SIGSTOP");
    const failure = new Promise((resolve) => client.on("error", resolve));
    client.disconnect(true);
    const { detail } = endFor(await failure, target);
    expect(detail).toBe(
      "Redis took the connection but did not answer the TLS handshake: it hangs or is overloaded",
    );
  }, 60_000);

  test("OPS-4: does not start without the file of the authority, and names the setting", () => {
    const child = Bun.spawnSync(runtimeCommand("src/main.ts"), {
      env: { PORT: "0", REDIS_URL: "rediss://localhost", REDIS_CA_FILE: `${authority.folder}/none.pem` },
      timeout: 25_000,
    });
    expect([child.exitCode, `${child.stderr}`]).toEqual([
      78,
      expect.stringContaining("REDIS_CA_FILE: the file it names cannot be read (ENOENT)"),
    ]);
  }, 40_000);

  test("OPS-4: does not start with the key of another certificate, and names both settings", () => {
    const env = {
      PORT: "0",
      REDIS_URL: "rediss://localhost",
      REDIS_CERT_FILE: client.cert,
      REDIS_KEY_FILE: here.key,
    };
    const child = Bun.spawnSync(runtimeCommand("src/main.ts"), { env, timeout: 25_000 });
    expect([child.exitCode, `${child.stderr}`]).toEqual([
      78,
      expect.stringContaining("REDIS_KEY_FILE: is not the key of the certificate in REDIS_CERT\n"),
    ]);
  }, 40_000);

  describe("as an adapter", () => {
    const redis = useRedis({ tls: { ...here, ca: authority.ca } });

    pubSubContract(
      "Redis over TLS",
      async () => ({
        ...(await emptyEventLog(redis)),
        node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
          new RedisPubSub({
            target: {
              ...{ host: "localhost", port: redis.tlsPort ?? 0, db: 0 },
              tls: { ca: pem(authority.ca), verifies: true },
            },
            history: { size, ttlMs },
            clock: new SystemClock(),
            telemetry: new CollectingTelemetry(),
          }),
      }),
      { newerFormat: true, occurrences: true, entryIds: TIMED_IDS, entryKeys: true, endedCancels: true },
    );
  });
});
