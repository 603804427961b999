import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { NatsSelfCheck } from "../../src/adapters/nats/nats-self-check.ts";
import { redisParts } from "../../src/adapters/redis/redis-parts.ts";
import { RedisSelfCheck } from "../../src/adapters/redis/redis-self-check.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import type { BrokerSelfCheck } from "../../src/application/ports/broker-self-check.ts";
import { INBOX } from "../../src/application/ports/inbox-port.ts";
import { needs } from "../support/needs.ts";
import { runtimeCommand } from "../support/runtime-command.ts";
import { useNats } from "../support/use-nats.ts";
import { useRedis } from "../support/use-redis.ts";

const main = join(import.meta.dir, "../../src/main.ts");
const LISTEN = new Set(["analysis", "user", "system"] as const);
const PARTS_OF_REDIS = [
  "append",
  "history",
  "subscribe",
  "worker channels",
  "inbox",
  "dead letters",
  "replicas",
];

async function check(env: Record<string, string>, ...options: readonly string[]) {
  const child = Bun.spawn([...runtimeCommand(main), "check", ...options], {
    env,
    stdout: "pipe",
    stderr: "pipe",
    timeout: 25_000,
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

/** The names of the parts, each with the reason why it does not work. */
async function findings(selfCheck: BrokerSelfCheck): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const part of selfCheck.parts) {
    const finding = await part.try();
    found[part.name] = finding.works ? "works" : finding.reason;
  }
  await selfCheck.close();
  return found;
}

describe.skipIf(!needs("redis-server"))("telltale check on Redis", () => {
  const redis = useRedis();

  const selfCheckAs = (username: string, waitReplicas: number | "seen" = "seen") =>
    new RedisSelfCheck({
      target: { host: redis.host, port: redis.port, db: 0, username, password: "a-password" },
      waitReplicas,
      listen: LISTEN,
      clock: new SystemClock(),
    });
  const user = (name: string, ...rules: readonly string[]) =>
    redis.client.call("ACL", "SETUSER", name, "on", ">a-password", "~*", "&*", "+@all", ...rules);

  async function everything() {
    // The lease of nobody lasts a millisecond.
    while ((await redis.client.exists("telltale:{telltale:inbox}:lease")) > 0);
    const keys = (await redis.client.keys("*")).sort();
    return Promise.all(keys.map(async (key) => [key, (await redis.client.dumpBuffer(key))?.toString("hex")]));
  }

  test("OPS-15: names each command that the gateway's user may not run, in the parts that need it", async () => {
    const commands = new Set(redisParts(0, LISTEN).flatMap(({ tried }) => tried.map(([command]) => command)));
    expect(commands.size).toBeGreaterThanOrEqual(25);
    // No rule takes these away, or the gateway works without them.
    for (const command of ["UNSUBSCRIBE", "PUNSUBSCRIBE"]) commands.delete(command);
    for (const command of [...commands, "HSET", "HINCRBY", "WAIT"]) {
      const name = `without-${command.toLowerCase()}`;
      await user(name, `-${command}`);
      const found = await findings(selfCheckAs(name));
      const wrong = Object.values(found).filter((finding) => finding !== "works");
      expect([command, wrong.length]).toEqual([command, expect.any(Number)]);
      expect([command, wrong]).not.toEqual([command, []]);
      for (const reason of wrong) expect(reason).toBe(`the gateway's user lacks a permission: ${command}`);
    }
  }, 60_000);

  test("OPS-15: leaves every key and every entry of the inbox as it was", async () => {
    for (const text of ["1", "2"]) await redis.client.xadd(INBOX, "*", "event", text);
    await redis.client.xadd("telltale:deadletters", "*", "payload", "x");
    await redis.client.hset("telltale:{telltale:deadletters}:bytes", "all", "1");
    const before = await everything();
    expect(before.length).toBeGreaterThanOrEqual(3);
    await user("gateway");
    const found = await findings(selfCheckAs("gateway"));
    expect(found).toEqual(Object.fromEntries(PARTS_OF_REDIS.map((part) => [part, "works"])));
    expect(await everything()).toEqual(before);
    await redis.client.flushall();
  }, 30_000);

  test("OPS-15: says that the ids of the inbox are used up", async () => {
    await redis.client.xadd(INBOX, "18446744073709551615-18446744073709551615", "event", "x");
    await user("gateway");
    const found = await findings(selfCheckAs("gateway"));
    expect(found).toMatchObject({ append: "works", inbox: expect.stringContaining("largest id") });
    expect(await redis.client.xlen(INBOX)).toBe(1);
    await redis.client.flushall();
  }, 30_000);

  test("OPS-15: does not touch the lease of a gateway that takes", async () => {
    const lease = "telltale:{telltale:inbox}:lease";
    await redis.client.set(lease, "a gateway", "PX", 60_000);
    await user("gateway");
    await findings(selfCheckAs("gateway"));
    expect(await redis.client.get(lease)).toBe("a gateway");
    expect(await redis.client.pttl(lease)).toBeGreaterThan(30_000);
    await redis.client.del(lease);
  }, 30_000);

  test("OPS-15: says which keys and channels are missing, and that too few replicas are in step", async () => {
    await user("elsewhere", "resetkeys", "~other:*", "resetchannels", "&other:*");
    const found = await findings(selfCheckAs("elsewhere", 1));
    expect(found.append).toMatch(/lacks a permission: keys, .*channels/);
    expect(found.inbox).toContain("lacks a permission: keys");
    expect(found.subscribe).toContain("lacks a permission: channels");
    expect(found.replicas).toBe("0 replicas in step, and REDIS_WAIT_REPLICAS needs 1");
  }, 30_000);

  test("OPS-15: prints the address, the version, a line for each part and how to mend it, and exits with 1", async () => {
    await user("limited", "-xdel");
    const REDIS_URL = `redis://limited:a-password@${redis.host}:${redis.port}`;
    const [lines, json] = await Promise.all([check({ REDIS_URL }), check({ REDIS_URL }, "--json")]);
    expect([lines.code, json.code]).toEqual([1, 1]);
    expect(lines.out).toContain(`address        ${redis.host}:${redis.port}\n`);
    expect(lines.out).toMatch(/^version {8}\d+\.\d+/m);
    expect(lines.out).toContain("✓ append  ");
    expect(lines.out).toMatch(
      /✗ inbox +the gateway's user lacks a permission: XDEL\n +allow it: .*\+xdel, then ACL SAVE/,
    );
    expect(lines.err).toBe("the broker cannot be used: not all of it works: inbox, dead letters\n");
    expect(JSON.parse(json.out)).toMatchObject({
      broker: "redis",
      servers: [`${redis.host}:${redis.port}`],
      broken: "not all of it works: inbox, dead letters",
    });
    for (const { out, err } of [lines, json]) expect(out + err).not.toContain("a-password");
  }, 30_000);

  test("OPS-15: exits with 0 if all of it works", async () => {
    const { out, err, code } = await check({ REDIS_URL: redis.url });
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).not.toContain("✗");
    expect(out).toEndWith("ready          an event would be stored\n");
  }, 30_000);
});

const DENIED = [
  ["append", "telltale.log.>"],
  ["append", "$JS.API.STREAM.PURGE.TELLTALE_EVENTS"],
  ["history", "$JS.API.DIRECT.GET.TELLTALE_EVENTS"],
  ["history", "$JS.API.CONSUMER.CREATE.TELLTALE_EVENTS"],
  ["inbox", "$JS.API.STREAM.PURGE.TELLTALE_WORKERS"],
  ["inbox", "$JS.API.STREAM.MSG.DELETE.TELLTALE_WORKERS"],
  ["inbox", "telltale.state.lease"],
  ["dead letters", "telltale.deadletters.>"],
  ["TELLTALE_STATE", "$JS.API.STREAM.INFO.TELLTALE_STATE"],
] as const;
const USERS = `authorization { users = [
  { user: "admin", password: "a" }
  { user: "deaf", password: "a-password", permissions: { subscribe: { deny: ["telltale.>"] } } }
${DENIED.map(([, subject], index) => `  { user: "u${index}", password: "a-password", permissions: { publish: { deny: ["${subject}"] } } }`).join("\n")}
] }`;

describe.skipIf(!needs("nats-server"))("telltale check on NATS", () => {
  const nats = useNats({ config: USERS, user: { user: "admin", pass: "a" } });
  const as = (user: string, password = "a-password") => ({
    NATS_URL: nats.url.replace("//", `//${user}:${password}@`),
  });
  // Makes the streams.
  beforeAll(() => check(as("admin", "a")), 30_000);

  const failed = ({ out }: { readonly out: string }) =>
    (JSON.parse(out).parts as { name: string; works: boolean; reason: string }[])
      .filter(({ works }) => !works)
      .map(({ name, reason }) => `${name}: ${reason}`);

  async function streams() {
    const client = await nats.client();
    const answer = await client.request("$JS.API.STREAM.LIST");
    const { streams: found } = answer.json<{
      streams: {
        config: { name: string };
        state: { messages: number; first_seq: number; consumer_count: number };
      }[];
    }>();
    return found
      .map(({ config: { name }, state: { messages, consumer_count } }) => ({
        name,
        messages,
        consumer_count,
      }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  test("OPS-15: says of each stream, permission and server that a gateway can use it, and leaves nothing behind", async () => {
    const ready = await check(as("admin", "a"));
    expect({ err: ready.err, code: ready.code }).toEqual({ err: "", code: 0 });
    expect(ready.out).toContain(`address        ${nats.address}\n`);
    expect(ready.out).toMatch(/^version {8}2\./m);
    expect(ready.out).toMatch(/✓ TELLTALE_EVENTS +on disk, on 1 server/);
    const client = await nats.client();
    await client.request("telltale.inbox", "an entry");
    // The trial of an append leaves its last message until a gateway sweeps it away, as a gateway's own trials do.
    const trials = () =>
      client.request("$JS.API.STREAM.PURGE.TELLTALE_EVENTS", '{"filter":"telltale.log.trial.*"}');
    await trials();
    const before = await streams();
    expect(before.find(({ name }) => name === "TELLTALE_WORKERS")).toMatchObject({ messages: 1 });
    await check(as("admin", "a"));
    await trials();
    expect(await streams()).toEqual(before);
  }, 60_000);

  test.each(DENIED.map(([part, subject], index) => [part, subject, index] as const))(
    "OPS-15: says that %s lacks the permission for %s",
    async (part, subject, index) => {
      const target = { servers: [nats.address], user: `u${index}`, password: "a-password" };
      const found = await findings(new NatsSelfCheck(target, [...LISTEN]));
      const named = subject.replace(/\.>$/, "").split(".").slice(0, 3).join(".");
      expect(found[part]).toContain(`the gateway's user lacks a permission: publish ${named}`);
    },
    30_000,
  );

  test("OPS-15: says that a user may not hear what is stored, and never its password", async () => {
    const { out, err, code } = await check(as("deaf"), "--json");
    expect(code).toBe(1);
    expect(out + err).not.toContain("a-password");
    expect(failed({ out }).map((text) => text.slice(0, text.indexOf(":")))).toEqual(["subscribe", "inbox"]);
  }, 60_000);

  test("OPS-15: names a stream with other settings, the setting, the value found and the one needed", async () => {
    const client = await nats.client();
    const info = await client.request("$JS.API.STREAM.INFO.TELLTALE_EVENTS");
    const { config } = info.json<{ config: Record<string, unknown> }>();
    const update = (change: object) =>
      client.request("$JS.API.STREAM.UPDATE.TELLTALE_EVENTS", JSON.stringify({ ...config, ...change }));
    await update({ max_msgs: 1_000, discard: "old" });
    const { out, err, code } = await check(as("admin", "a"));
    await update({});
    expect(code).toBe(1);
    expect(out).toMatch(
      /✗ TELLTALE_EVENTS +the stream TELLTALE_EVENTS has max_msgs 1000 and needs -1\n +change it: nats stream edit/,
    );
    expect(err).toContain("a stream of the broker has other settings than the gateway needs");
  }, 60_000);
});
