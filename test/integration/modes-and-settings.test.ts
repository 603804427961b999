import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../examples/video-worker/run/free-port.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();
const ROOT = new URL("../..", import.meta.url).pathname;

/** Runs a start that is expected to fail. Resolves with its standard error. */
async function failedStart(env: Record<string, string>): Promise<string> {
  const child = Bun.spawn(runtimeCommand(), {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", PORT: "0", JWT_SECRET_KEY: KEY, ...env },
    stdout: "ignore",
    stderr: "pipe",
    timeout: 25_000,
  });
  const said = await new Response(child.stderr).text();
  expect([await child.exited, said]).toEqual([78, said]);
  return said;
}

async function started<Result>(
  env: Record<string, string>,
  use: (gateway: GatewayProcess) => Promise<Result>,
): Promise<Result> {
  const gateway = await startGateway({ JWT_SECRET_KEY: KEY, ...env });
  try {
    return await use(gateway);
  } finally {
    await gateway.stop();
  }
}

/** The status codes of the demo: page, token, pipeline. */
async function demoOf({ url }: GatewayProcess): Promise<number[]> {
  const ask = async (path: string, init?: RequestInit) => (await fetch(`${url}${path}`, init)).status;
  return [
    await ask("/"),
    await ask("/demo/session", { method: "POST" }),
    await ask("/demo/analyses", { method: "POST", body: '{"speed":50}' }),
  ];
}

describe("the demo on a real gateway", () => {
  const ON = [200, 200, 201];
  const OFF = [404, 404, 404];

  test.each<[string, Record<string, string>, number[]]>([
    ["with a key that was made up", { JWT_SECRET_KEY: "" }, ON],
    ["with a key that was made up, at localhost", { JWT_SECRET_KEY: "", HOST: "localhost" }, ON],
    ["with a key that was made up, and DEMO=off", { JWT_SECRET_KEY: "", DEMO: "off" }, OFF],
    ["with a key of one's own", {}, OFF],
    ["with a key of one's own, and DEMO=on", { DEMO: "on" }, ON],
    ["with a key of one's own under NODE_ENV=test", { NODE_ENV: "test" }, OFF],
    ["in production, and DEMO=on", { NODE_ENV: "production", DEMO: "on" }, OFF],
  ])("CFG-4: %s", async (_, env, answers) => {
    expect(await started(env, demoOf)).toEqual(answers);
  });

  test("CFG-4: a visitor is told how to turn the demo on in development, and nothing in production", async () => {
    const page = async ({ url }: GatewayProcess) => (await fetch(url)).json();
    expect(await started({}, page)).toMatchObject({
      code: "not_found",
      detail: expect.stringContaining("DEMO=on"),
    });
    expect(await started({ NODE_ENV: "production" }, page)).not.toHaveProperty("detail");
  });
});

/** A request of the demo with headers as a browser sends them, or an attacker. */
async function asked({ port }: GatewayProcess, target: string, headers: string, body = ""): Promise<string> {
  const [method = "", path = ""] = target.split(" ");
  const sent = `${method} ${path} HTTP/1.1\r\n${headers.replaceAll("PORT", `${port}`)}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const answer = Promise.withResolvers<string>();
  let text = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(sent),
      data: (_, bytes) => {
        text += bytes.toString();
      },
      close: () => answer.resolve(text),
      error: (_, error) => answer.reject(error),
    },
  });
  const head = await answer.promise;
  const code = /"code":"(\w+)"/.exec(head)?.[1];
  return `${/ (\d{3}) /.exec(head)?.[1]}${code === undefined ? "" : ` ${code}`}`;
}

describe("CFG-11: the demo on this machine", () => {
  const DEMO = ["GET /", "POST /demo/session", "POST /demo/analyses"];
  const WRITES = DEMO.slice(1);
  const every = async (gateway: GatewayProcess, targets: readonly string[], headers: string) =>
    [...new Set(await Promise.all(targets.map((target) => asked(gateway, target, headers))))].sort();

  test("answers only to names of this machine, and only to its own page", async () => {
    await started({ JWT_SECRET_KEY: "" }, async (gateway) => {
      const hosts = [
        "localhost:PORT",
        "LOCALHOST",
        "demo.localhost:1",
        "127.0.0.1:PORT",
        "127.9.8.7",
        "[::1]:PORT",
      ];
      for (const host of hosts)
        expect([host, await every(gateway, DEMO, `Host: ${host}`)]).toEqual([host, ["200", "201"]]);
      const others = [
        "evil.example",
        "evil.example:PORT",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.nip.io:PORT",
        "0.0.0.0:PORT",
        "192.168.1.5:PORT",
        "[::2]:PORT",
      ];
      for (const host of others)
        expect([host, await every(gateway, [...DEMO, "GET /demo/refusals/x"], `Host: ${host}`)]).toEqual([
          host,
          ["403 host_not_allowed"],
        ]);
      const foreign = [
        "Origin: https://evil.example",
        "Origin: http://localhost:1",
        "Origin: https://127.0.0.1",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Origin: http://localhost:PORT\r\nSec-Fetch-Site: cross-site",
      ];
      for (const header of foreign)
        expect([header, await every(gateway, WRITES, `Host: localhost:PORT\r\n${header}`)]).toEqual([
          header,
          ["403 origin_not_allowed"],
        ]);
      const own = "Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\nSec-Fetch-Site: same-origin";
      expect(await every(gateway, WRITES, own)).toEqual(["200", "201"]);
      // A link on another page leads to this page, and the gateway's own API answers as usual.
      expect(await asked(gateway, "GET /", "Host: localhost:PORT\r\nSec-Fetch-Site: cross-site")).toBe("200");
      expect(await asked(gateway, "GET /health", "Host: gateway.example")).toBe("200");
    });
  });

  test("answers to any name if DEMO=on and HOST allow it, but still only to its own page", async () => {
    await started({ DEMO: "on", HOST: "0.0.0.0" }, async (gateway) => {
      expect(await every(gateway, DEMO, "Host: demo.example")).toEqual(["200", "201"]);
      const own = "Host: demo.example\r\nOrigin: https://demo.example";
      expect(await every(gateway, WRITES, own)).toEqual(["200", "201"]);
      const foreign = "Host: demo.example\r\nOrigin: https://evil.example";
      expect(await every(gateway, WRITES, foreign)).toEqual(["403 origin_not_allowed"]);
    });
  });
});

describe("a start with settings as people have them", () => {
  test.each(["prod", "Production", "staging"])("CFG-1: NODE_ENV=%s is refused by name", async (name) => {
    expect(await failedStart({ NODE_ENV: name })).toContain("NODE_ENV: must be one of");
  });

  test("CFG-2: production refuses a known key and a simple one, and development warns of them", async () => {
    for (const key of [
      "at-least-32-bytes-that-the-gateway-has-too",
      "a".repeat(32),
      " ".repeat(32),
      "correct horse battery staple correct",
    ]) {
      const said = await failedStart({ NODE_ENV: "production", JWT_SECRET_KEY: key });
      expect(said).toContain("JWT_SECRET_KEY: is ");
      expect(said).not.toContain(key);
    }
    await started({ JWT_SECRET_KEY: "a".repeat(32) }, async (gateway) => {
      await eventually("it warns", async () => gateway.output().includes("Production refuses it"));
    });
  }, 20_000);

  test("CFG-9: a number from the wrong file is not printed, and CFG-10: no key is made up in production", async () => {
    const folder = await mkdtemp(join(tmpdir(), "telltale-"));
    try {
      const path = join(folder, "key");
      await Bun.write(path, KEY);
      const said = await failedStart({ NODE_ENV: "production", JWT_SECRET_KEY: "", HISTORY_SIZE_FILE: path });
      expect(said).toContain("HISTORY_SIZE_FILE: must be a whole number");
      expect(said).toContain("JWT_SECRET_KEY: is required");
      expect(said).not.toContain(KEY);
      expect(said).not.toContain("made up");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("CFG-3: Kubernetes' REDIS_PORT stops no gateway that does not use it, and is explained to one that does", async () => {
    const service = { REDIS_PORT: "tcp://10.0.0.5:6379", REDIS_SERVICE_HOST: "10.0.0.5" };
    await started({ ...service, BROKER: "memory" }, async ({ url, output }) => {
      expect((await fetch(`${url}/ready`)).status).toBe(200);
      expect(output()).not.toContain("REDIS_");
    });
    const away = `redis://127.0.0.1:${freePort()}`;
    await started({ ...service, REDIS_URL: away }, async ({ url }) => {
      expect((await fetch(`${url}/health`)).status).toBe(200);
    });
    expect(await failedStart({ ...service, REDIS_HOST: "127.0.0.1" })).toContain("enableServiceLinks: false");
  }, 20_000);

  test("CFG-5: production on the memory broker says what that means", async () => {
    await started({ NODE_ENV: "production" }, async (gateway) => {
      await eventually("it warns", async () => gateway.output().includes("one gateway only"));
    });
  });

  test("CFG-6: a name close to a setting's is pointed out, and a setting of TLS stops the start", async () => {
    const misspelt = { HISTROY_SIZE: "7", JWT_SECRET: "hunter2" };
    await started(misspelt, async (gateway) => {
      await eventually("it warns", async () => gateway.output().includes("HISTROY_SIZE"));
      for (const name of ["HISTORY_SIZE", "JWT_SECRET_KEY"])
        expect(gateway.output()).toContain(`Is ${name} meant?`);
      expect(gateway.output()).not.toContain("hunter2");
    });
    const said = await failedStart({ TLS_CERT_FILE: "/cert.pem", TLS_KEY_FILE: "/key.pem" });
    for (const name of ["TLS_CERT_FILE", "TLS_KEY_FILE"])
      expect(said).toContain(`${name}: is not implemented`);
  });

  test("CFG-7: log lines name their level", async () => {
    await started({ REDIS_URL: `redis://127.0.0.1:${freePort()}`, LOG_LEVEL: "debug" }, async (gateway) => {
      const lines = () =>
        gateway
          .output()
          .split("\n")
          .filter((line) => line.startsWith("{"));
      await eventually("it logs that Redis is away", async () => lines().length > 0);
      for (const line of lines()) {
        const { level, time } = JSON.parse(line) as { level: unknown; time: string };
        expect(["debug", "info", "warn", "error"]).toContain(level as string);
        expect(Date.parse(time)).not.toBeNaN();
      }
    });
  }, 20_000);

  test("CFG-8: the health command repeats no note of the start", async () => {
    await started({ JWT_SECRET_KEY: "a".repeat(32) }, async ({ port }) => {
      const health = Bun.spawn([...runtimeCommand(), "health"], {
        cwd: ROOT,
        env: { PATH: process.env.PATH ?? "", PORT: `${port}`, HISTROY_SIZE: "7" },
        stderr: "pipe",
      });
      expect(await new Response(health.stderr).text()).toBe("");
      expect(await health.exited).toBe(0);
    });
  });
});
