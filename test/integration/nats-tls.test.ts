import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../src/testing/eventually.ts";
import { TestAuthority } from "../support/certificates.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { type NatsOptions, type RunningNats, startNats } from "../support/nats-server.ts";
import { needs } from "../support/needs.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

describe.skipIf(!needs("nats-server") || !needs("openssl"))("a gateway on NATS over TLS", () => {
  const endings: (() => unknown)[] = [];
  afterAll(async () => {
    for (const ending of endings.reverse()) await ending();
  });
  const authority = made(new TestAuthority());
  const stranger = made(new TestAuthority("Another authority"));
  const here = authority.sign("server", "DNS:localhost,IP:127.0.0.1");
  const elsewhere = authority.sign("elsewhere", "DNS:nats.example");
  const client = authority.sign("gateway", "DNS:gateway");

  function made(one: TestAuthority): TestAuthority {
    endings.push(() => one.remove());
    return one;
  }

  async function natsOf(
    { cert, key }: { readonly cert: string; readonly key: string },
    more = "",
    options: NatsOptions = {},
  ): Promise<RunningNats> {
    const tls = `tls {\n cert_file: "${cert}"\n key_file: "${key}"\n${more}\n}`;
    const nats = await startNats({ ...options, config: `${tls}\n${options.config ?? ""}` });
    endings.push(() => nats.stop());
    return nats;
  }

  const trusted = () => ({ ca: readFileSync(authority.ca, "utf8") });
  /** The address of a server, by the name that its certificate has. */
  const url = (nats: RunningNats, user = "") => `tls://${user}localhost:${nats.port}`;

  async function gatewayAt(env: Record<string, string>): Promise<GatewayProcess> {
    const gateway = await startGateway(env);
    endings.push(() => gateway.stop());
    return gateway;
  }

  const isReady = async (gateway: GatewayProcess) => (await fetch(`${gateway.url}/ready`)).ok;

  test("is ready with the authority of the server, by name and by address, also if the first server is away", async () => {
    const nats = await natsOf(here, "", { tls: trusted() });
    const env = { NATS_CA_FILE: authority.ca };
    const gateways = await Promise.all(
      [url(nats), `tls://127.0.0.1:${nats.port}`, `tls://localhost:1,localhost:${nats.port}`].map(
        (NATS_URL) => gatewayAt({ ...env, NATS_URL }),
      ),
    );
    for (const gateway of gateways) await eventually("it is ready", () => isReady(gateway));
  }, 60_000);

  test("shows the certificate of the gateway, together with a user, to a server that asks for it", async () => {
    const pem = (file: string) => readFileSync(file, "utf8");
    const nats = await natsOf(here, `verify: true\nca_file: "${authority.ca}"`, {
      config: `authorization { user: "gateway", password: "a-password" }`,
      user: { user: "gateway", pass: "a-password" },
      tls: { ...trusted(), cert: pem(client.cert), key: pem(client.key) },
    });
    const env = {
      NATS_URL: url(nats, "gateway:a-password@"),
      NATS_CA_FILE: authority.ca,
      NATS_CERT_FILE: client.cert,
      NATS_KEY_FILE: client.key,
    };
    const gateway = await gatewayAt(env);
    await eventually("it is ready", () => isReady(gateway));
  }, 60_000);

  test.each([
    ["another authority", stranger.ca, here, "NATS_CA does not hold the authority"],
    ["another host name", authority.ca, elsewhere, "its certificate is for other host names"],
  ])(
    "RDY-2: a server with %s is named in the log with the way to mend it",
    async (_, ca, certificate, hint) => {
      const nats = await natsOf(certificate, "", {
        tls: { ...trusted(), rejectUnauthorized: false } as never,
      });
      const gateway = await gatewayAt({ NATS_URL: url(nats), NATS_CA_FILE: ca });
      await eventually("it says so", async () => gateway.output().includes(hint));
      const ready = await fetch(`${gateway.url}/ready`);
      expect([ready.status, await ready.text()]).toEqual([
        503,
        expect.stringContaining("a certificate between the gateway and the broker is not accepted"),
      ]);
    },
    60_000,
  );

  test("RDY-2: a server without TLS is not used with tls://", async () => {
    const nats = await startNats();
    endings.push(() => nats.stop());
    const gateway = await gatewayAt({ NATS_URL: url(nats) });
    await eventually("it says so", async () => gateway.output().includes("it has no TLS"));
  }, 60_000);

  test("OPS-4: does not start without the file of the authority, and names the setting", async () => {
    const child = Bun.spawn(runtimeCommand("src/main.ts"), {
      env: { PORT: "0", NATS_URL: "tls://localhost", NATS_CA_FILE: join(authority.folder, "none.pem") },
      stdout: "ignore",
      stderr: "pipe",
      timeout: 25_000,
    });
    const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    expect([code, said]).toEqual([
      78,
      expect.stringContaining("NATS_CA_FILE: the file it names cannot be read (ENOENT)"),
    ]);
  }, 40_000);
});
