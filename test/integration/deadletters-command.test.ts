import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Redis } from "ioredis";
import { needs } from "../support/needs.ts";
import { resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

const root = join(import.meta.dir, "../..");
const LETTERS = "telltale:deadletters";

describe.skipIf(!needs("redis-server"))("npm run deadletters", () => {
  let redis: RunningRedis;
  let admin: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    admin = new Redis(redis.url);
  });
  beforeEach(async () => void (await admin.flushall()));
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  async function deadletters(
    args: readonly string[],
    env: Record<string, string> = { REDIS_URL: redis.url },
  ) {
    const child = Bun.spawn([...runtimeCommand(), "deadletters", ...args], {
      cwd: root,
      env,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { out, err, code };
  }

  const bury = async (channel: string, payload: unknown, reason = "invalid: progress: is too large") => {
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    const fields = { channel, payload: text, reason, at: "2026-11-24T03:27:22.785Z" };
    return String(await admin.xadd(LETTERS, "*", ...Object.entries(fields).flat()));
  };
  const someId = () => crypto.randomUUID();
  const stored = async (id: string) =>
    (await admin.xrange(`telltale:{analysis:${id}}:history`, "-", "+")).map(([, fields]) =>
      JSON.parse(fields[1] as string),
    );
  const left = async () => (await admin.xrange(LETTERS, "-", "+")).map(([id]) => id);

  test("DL-1: list shows the newest dead letters, the newest last, of one channel or reason if asked", async () => {
    expect(await deadletters(["list"])).toEqual({ out: "", err: "no dead letters\n", code: 0 });
    const ids: string[] = [];
    for (let n = 0; n < 250; n++) ids.push(await bury(`user:${n % 2}`, `payload ${n}`, `reason ${n % 5}`));
    const lines = async (...args: string[]) => {
      const { out, err, code } = await deadletters(["list", ...args]);
      expect([err, code]).toEqual(["", 0]);
      return out.trimEnd().split("\n");
    };
    const idsOf = (of: readonly string[]) => of.map((line) => line.split("  ")[0]);
    expect(idsOf(await lines())).toEqual(ids.slice(-20));
    expect((await lines("--limit", "1"))[0]).toBe(`${ids[249]}  2026-11-24T03:27:22.785Z  user:1  reason 4`);
    expect(idsOf(await lines("--limit", "1000"))).toEqual(ids);
    const chosen = ids.filter((_, n) => n % 2 === 0 && n % 5 === 3);
    expect(idsOf(await lines("--channel", "user:0", "--reason", "son 3", "--limit", "99"))).toEqual(chosen);
    const [letter] = await lines("--json", "--limit", "1");
    expect(JSON.parse(letter as string)).toEqual({
      id: ids[249],
      channel: "user:1",
      payload: "payload 249",
      reason: "reason 4",
      at: "2026-11-24T03:27:22.785Z",
    });
  }, 20_000);

  test("DL-2: show prints one dead letter whole, without characters that a terminal obeys", async () => {
    const id = await bury("user:\u001b[2J", "first\u001b]0;x\u0007 last");
    const { out, code } = await deadletters(["show", id]);
    expect(code).toBe(0);
    expect(out).toContain("first\\u001b]0;x\\u0007 last");
    expect(out.replace(/\n/g, "")).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse((await deadletters(["show", id, "--json"])).out).channel).toBe("user:\u001b[2J");
    expect(await deadletters(["show", "1-1"])).toMatchObject({ code: 1, err: "1-1: no such letter\n" });
    expect(await deadletters(["show", "rubbish"])).toMatchObject({ code: 1 });
  });

  test("DL-3: republish stores the valid ones in order and removes them; the others stay, with the reason", async () => {
    const [one, two] = [someId(), someId()];
    const bad = await bury(`analysis:${one}`, statusUpdate({ progress: 7 }));
    await bury(`analysis:${one}`, statusUpdate({ message: "1" }));
    await bury("telltale:inbox", statusUpdate({ analysis_id: two, message: "2" }));
    await bury(`analysis:${one}`, statusUpdate({ message: "3" }));
    const unaddressed = await bury("telltale:inbox", statusUpdate());
    await bury("user:alice", { message: "hello" });
    const foreign = await bury("weather", "{}");
    const { out, err, code } = await deadletters(["republish", "--all"]);
    expect([out, code]).toEqual(["4 stored, 3 left\n", 1]);
    expect(err.split("\n").slice(0, 3)).toEqual([
      `${bad}  analysis:${one}  stays: invalid: progress: must be a number from 0 to 1`,
      `${unaddressed}  telltale:inbox  stays: invalid: analysis_id: is required`,
      `${foreign}  weather  stays: invalid: channel: names no analysis or user`,
    ]);
    expect(await left()).toEqual([bad, unaddressed, foreign]);
    expect((await stored(one)).map(({ message }) => message)).toEqual(["1", "3"]);
    expect(await stored(two)).toMatchObject([{ message: "2", timestamp: "2026-11-24T03:27:22.785Z" }]);
    expect(await admin.xlen("telltale:{notices}:history:user:alice")).toBe(1);
  });

  test("DL-3: republish stores nothing twice if it was cut off before removing and runs again", async () => {
    const id = someId();
    const letter = await bury(`analysis:${id}`, statusUpdate({ message: "once" }));
    expect(await deadletters(["republish", letter])).toEqual({ out: "1 stored, 0 left\n", err: "", code: 0 });
    const fields = { channel: `analysis:${id}`, payload: JSON.stringify(statusUpdate({ message: "once" })) };
    const again = Object.entries({ ...fields, reason: "r", at: "2026-11-24T03:27:22.785Z" }).flat();
    // The stream refuses an id that was deleted, unless the stream begins anew.
    await admin.del(LETTERS);
    await admin.xadd(LETTERS, letter, ...again);
    expect(await deadletters(["republish", "--channel", `analysis:${id}`])).toMatchObject({
      out: "1 stored, 0 left\n",
      code: 0,
    });
    expect(await stored(id)).toHaveLength(1);
    expect(await left()).toEqual([]);
  });

  test("DL-3: republish leaves an event of an attempt that has ended", async () => {
    const id = someId();
    await bury(`analysis:${id}`, resultUpdate({ attempt_id: "a" }));
    const late = await bury(`analysis:${id}`, statusUpdate({ attempt_id: "a" }));
    const { err, code } = await deadletters(["republish", "--channel", `analysis:${id}`]);
    expect([err, code]).toEqual([`${late}  analysis:${id}  stays: attempt_ended\n`, 1]);
    expect(await left()).toEqual([late]);
  });

  test("DL-4: republish leaves a payload that was cut, and says so", async () => {
    const letter = await bury(
      `analysis:${someId()}`,
      `{"event_type":"${"ü".repeat(40_000)}`.slice(0, 32_776),
    );
    const { err, code } = await deadletters(["republish", letter]);
    expect([err, code]).toEqual([expect.stringContaining("only its first 64 KiB were kept"), 1]);
  });

  test("DL-5: drop removes dead letters, and names those that were not there", async () => {
    const [one, two, three] = [await bury("c", "1"), await bury("c", "2"), await bury("c", "3")];
    expect(await deadletters(["drop", one, three])).toEqual({ out: "2 dropped\n", err: "", code: 0 });
    expect(await left()).toEqual([two]);
    expect(await deadletters(["drop", one])).toEqual({
      out: "0 dropped\n",
      err: `${one}: no such letter\n`,
      code: 1,
    });
  });

  test.each([
    [["list", "--limit", "none"], "whole number"],
    [["republish"], "give ids, or --channel, or --all"],
    [["republish", "1-1", "--all"], "give ids, or --channel, or --all"],
    [["drop"], "missing required argument"],
    [["burn"], "unknown command"],
    [[], "Usage"],
  ])("DL-6: refuses the arguments %j with code 2, and says why", async (args, reason) => {
    const { out, err, code } = await deadletters(args);
    expect([out, code]).toEqual(["", 2]);
    expect(err).toContain(reason);
  });

  test("DL-6: exits with 78 without a Redis or with a bad address, and with 1 if Redis is away", async () => {
    expect(await deadletters(["list"], {})).toMatchObject({ code: 78, out: "" });
    const bad = await deadletters(["list"], { REDIS_URL: "http://x" });
    expect([bad.code, bad.err]).toEqual([78, expect.stringContaining("REDIS_URL: must be redis://")]);
    const away = await deadletters(["list"], { REDIS_URL: "redis://127.0.0.1:1" });
    expect([away.code, away.out, away.err]).toEqual([
      1,
      "",
      expect.stringContaining("no connection to Redis"),
    ]);
    // The other settings of a production gateway are not judged.
    const production = { NODE_ENV: "production", REDIS_URL: redis.url, PORT: "nonsense" };
    expect((await deadletters(["list"], production)).code).toBe(0);
  });
});
