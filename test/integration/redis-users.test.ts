import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { RedisSelfCheck } from "../../src/adapters/redis/redis-self-check.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { brokerContract } from "../../src/testing/testing.ts";
import { TestAuthority } from "../support/certificates.ts";
import { remember } from "../support/children.ts";
import { snippetOf } from "../support/documents.ts";
import { freePort } from "../support/free-port.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs, programPath } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { emptyBroker } from "../support/redis-under-test.ts";
import { runtimeCommand } from "../support/runtime-command.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useRedis } from "../support/use-redis.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

setDefaultTimeout(30_000);

const PASSWORDS = { gateway: "the gateway's own", worker: "what all workers know" };
const ACL_FILE = readFileSync("deploy/redis/users.acl", "utf8");

/** Fills `users.acl` in as docs/OPERATING.md tells, and answers the path of another one with the default user, whom the tests are. */
function filledIn(folder: string): string {
  symlinkSync(join(process.cwd(), "deploy"), join(folder, "deploy"));
  const env = {
    ...process.env,
    GATEWAY_PASSWORD: PASSWORDS.gateway,
    WORKER_PASSWORD: PASSWORDS.worker,
    OPERATOR_PASSWORD: "whoever runs Redis",
  };
  const script = snippetOf("docs/OPERATING.md", "Redis", "sh");
  expect(Bun.spawnSync(["sh", "-c", script], { cwd: folder, env }).exitCode).toBe(0);
  const text = readFileSync(join(folder, "users.acl"), "utf8");
  const file = join(folder, "users-and-tests.acl");
  writeFileSync(file, text.replace(/^user default .*$/m, "user default on nopass ~* &* +@all"));
  return file;
}

describe.skipIf(!needs("redis-server"))("the users of deploy/redis/users.acl", () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-acl-"));
  const file = filledIn(folder);
  const redis = useRedis({ args: ["--aclfile", file] });
  let worker: Redis;

  beforeAll(() => {
    worker = as("worker");
  });
  afterAll(() => {
    worker.disconnect();
    rmSync(folder, { recursive: true });
  });

  function as(user: keyof typeof PASSWORDS): Redis {
    const client = new Redis({
      ...{ host: redis.host, port: redis.port, username: user, password: PASSWORDS[user] },
      enableReadyCheck: false,
    });
    redis.atLast(() => client.disconnect());
    return client;
  }
  const target = () => ({
    ...{ host: redis.host, port: redis.port, db: 0 },
    ...{ username: "gateway", password: PASSWORDS.gateway },
  });

  brokerContract("Redis as the gateway's user", () => emptyBroker(redis, target(), worker), {
    endedCancels: true,
    capabilities: ["dead_letters", "inbox", "worker_channels", "durability:memory", "replicas:0"],
    newerFormat: true,
    inbox: { keys: true, entryIds: TIMED_IDS },
  });

  test.skipIf(!needs("openssl"))(
    "deploy/redis/redis.conf serves them over TLS alone, and a gateway finds all it needs",
    async () => {
      const authority = new TestAuthority();
      redis.atLast(() => authority.remove());
      const { cert, key } = authority.sign("server", "DNS:localhost");
      const port = await freePort();
      const replaced: Record<string, string> = {
        "bind 0.0.0.0 ::": "bind 127.0.0.1",
        "tls-port 6379": `tls-port ${port}`,
        "/etc/redis/server.crt": cert,
        "/etc/redis/server.key": key,
        "/etc/redis/ca.crt": authority.ca,
        "/etc/redis/users.acl": join(folder, "users.acl"),
        "/var/lib/redis": authority.folder,
      };
      let text = readFileSync("deploy/redis/redis.conf", "utf8");
      for (const [from, to] of Object.entries(replaced)) {
        expect(text).toContain(from);
        text = text.replace(from, to);
      }
      writeFileSync(join(authority.folder, "redis.conf"), text);
      const server = Bun.spawn([programPath("redis-server"), join(authority.folder, "redis.conf")], {
        ...{ stdin: "ignore", stdout: "ignore", stderr: "ignore" },
      });
      remember(server);
      const env = {
        REDIS_URL: `rediss://gateway@localhost:${port}`,
        REDIS_PASSWORD: PASSWORDS.gateway,
        REDIS_CA_FILE: authority.ca,
      };
      try {
        await eventually("a gateway finds all it needs", async () => {
          const check = Bun.spawnSync([...runtimeCommand("src/main.ts"), "check"], { env, timeout: 20_000 });
          return check.exitCode === 0;
        });
      } finally {
        server.kill("SIGKILL");
        await server.exited;
      }
    },
  );

  test("as it is the file lets nobody in: Redis does not start before the passwords are filled in", () => {
    writeFileSync(`${file}.raw`, ACL_FILE);
    const args = ["--port", "0", "--aclfile", `${file}.raw`];
    expect(Bun.spawnSync(["redis-server", ...args], { timeout: 10_000 }).exitCode).toBe(1);
  });

  test("a gateway serves workers and watchers, and Redis refuses it nothing", async () => {
    await redis.client.flushall();
    await redis.client.call("ACL", "LOG", "RESET");
    const gateway = await redis.startGateway({
      REDIS_URL: `redis://gateway:${encodeURIComponent(PASSWORDS.gateway)}@${redis.host}:${redis.port}`,
    });
    await eventually("it is ready", async () => (await fetch(`${gateway.url}/ready`)).ok);
    const id = crypto.randomUUID();
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
    await socket.established();
    expect((await publish(gateway, id, statusUpdate({ message: "over HTTP" }))).status).toBe(202);
    await worker.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "bare" })));
    const entry = JSON.stringify({ analysis_id: id, ...statusUpdate({ message: "by the inbox" }) });
    await worker.xadd("telltale:inbox", "*", "event", entry);
    await worker.publish(`analysis:${id}`, "no event");
    for (const expected of ["over HTTP", "bare", "by the inbox"])
      await socket.until(({ message }) => message === expected);
    await eventually(
      "the dead letter is kept",
      async () => (await redis.client.xlen("telltale:deadletters")) === 1,
    );
    const refused = (await redis.client.call("ACL", "LOG")) as unknown[][];
    expect(refused.filter((entry) => entry.includes("gateway") && !entry.includes("client|setinfo"))).toEqual(
      [],
    );
  });

  /** The rules of a user that a gateway needs, or asks for without harm if it lacks them. */
  const SPARE = ["+ping", "+select", "+client|setname", "+script|load", "+unsubscribe", "+punsubscribe"];

  test("the gateway's user has no permission that a gateway does not need", async () => {
    const rules = (/^user gateway on \S+ (.*)$/m.exec(ACL_FILE)?.[1] ?? "").split(" ");
    const commands = rules.filter((rule) => rule.startsWith("+") && !SPARE.includes(rule));
    expect(commands.length).toBeGreaterThan(20);
    await redis.client.call("ACL", "SETUSER", "copy", "reset", "on", ">a", ...rules);
    const missing = async () => {
      const selfCheck = new RedisSelfCheck({
        target: { ...target(), username: "copy", password: "a" },
        waitReplicas: "seen",
        listen: new Set(["analysis", "user", "system"] as const),
        clock: new SystemClock(),
      });
      const reasons: string[] = [];
      for (const part of selfCheck.parts) {
        const finding = await part.try();
        if (!finding.works) reasons.push(finding.reason);
      }
      await selfCheck.close();
      return reasons;
    };
    expect(await missing()).toEqual([]);
    for (const command of commands) {
      await redis.client.call("ACL", "SETUSER", "copy", command.replace("+", "-"));
      expect([command, (await missing()).join()]).toEqual([
        command,
        expect.stringContaining(`lacks a permission: ${command.slice(1).toUpperCase()}`),
      ]);
      await redis.client.call("ACL", "SETUSER", "copy", command);
    }
  }, 60_000);

  const channel = `analysis:${crypto.randomUUID()}`;
  test.each<[string, string, ...string[]]>([
    ["append to a history", "XADD", `telltale:{${channel}}:history`, "*", "s", "x"],
    ["publish where gateways deliver", "PUBLISH", `telltale:0:{${channel}}`, "x"],
    ["publish where gateways hear each other", "PUBLISH", "telltale:0:listening", "hello"],
    ["keep a dead letter", "XADD", "telltale:deadletters", "*", "payload", "x"],
    ["take from the inbox", "XRANGE", "telltale:inbox", "-", "+"],
    ["remove from the inbox", "XDEL", "telltale:inbox", "0-1"],
    ["take the lease of the inbox", "XADD", "telltale:{telltale:inbox}:lease", "*", "x", "x"],
    ["listen to other workers", "SUBSCRIBE", channel],
    ["read what a gateway keeps", "GET", `telltale:{${channel}}:viewers`],
    ["cancel", "SET", "telltale:cancel:x", "1"],
    ["cancel by a stream", "XADD", "telltale:cancel:x", "*", "x", "x"],
    ["run a script", "EVAL", "return 1", "0"],
    ["empty Redis", "FLUSHALL"],
    ["read the configuration", "CONFIG", "GET", "*"],
    ["write a key of anybody's", "XADD", "celery", "*", "x", "x"],
  ])("a worker may not %s", async (_, command, ...args) => {
    const answer = worker.call(command, ...args).catch((error: Error) => error.message);
    expect(await answer).toMatch(/^NOPERM/);
  });

  test("INB-12: a gateway makes the inbox anew if a worker used up its ids", async () => {
    await redis.client.flushall();
    await redis.client.call("ACL", "LOG", "RESET");
    await worker.xadd("telltale:inbox", "18446744073709551615-18446744073709551615", "event", "x");
    await redis.startGateway({
      REDIS_URL: `redis://gateway:${encodeURIComponent(PASSWORDS.gateway)}@${redis.host}:${redis.port}`,
    });
    await eventually("a worker may add again", () =>
      worker.xadd("telltale:inbox", "*", "event", "x").then(
        () => true,
        (error: Error) => !error.message.includes("exhausted"),
      ),
    );
    const refused = (await redis.client.call("ACL", "LOG")) as unknown[][];
    expect(refused.filter((entry) => entry.includes("gateway") && !entry.includes("client|setinfo"))).toEqual(
      [],
    );
  });

  test("Redis forbids no option: a worker that may add to the inbox may trim it, as OPERATING.md says", async () => {
    await redis.client.flushall();
    await redis.client.xadd("telltale:inbox", "*", "event", "another worker's");
    await worker.xadd("telltale:inbox", "MAXLEN", "=", 0, "*", "event", "x");
    expect(await redis.client.xlen("telltale:inbox")).toBe(0);
  });

  test("a worker may publish, add to the inbox, and read and delete that its analysis was cancelled", async () => {
    await worker.publish(channel, "{}");
    await worker.publish("user:alice", "{}");
    await worker.publish("system:updates", "{}");
    expect(await worker.xadd("telltale:inbox", "*", "event", "{}")).toBeString();
    expect(await worker.get("telltale:cancel:x")).toBeNull();
    expect(await worker.del("telltale:cancel:x")).toBe(0);
  });
});
