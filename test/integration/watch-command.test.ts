import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { watchUntilEnd } from "../../src/gateway/commands/watch/watch-until-end.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "../support/children.ts";
import { type GatewayProcess, startGateway, TEST_SECRET, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { errorEvent, publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

setDefaultTimeout(60_000);

interface RunningCommand {
  readonly out: () => string;
  readonly err: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<number>;
}

/** Runs the program as a user does, with the gateway's key. */
function telltale(
  words: readonly string[],
  env: Record<string, string>,
  input: string | Uint8Array<ArrayBuffer> = "",
): RunningCommand {
  return run([...runtimeCommand(), ...words], env, input);
}

function run(
  command: readonly string[],
  env: Record<string, string>,
  input: string | Uint8Array<ArrayBuffer>,
): RunningCommand {
  const child = Bun.spawn([...command], {
    env: { PATH: process.env.PATH ?? "", TERM: "xterm", JWT_SECRET_KEY: TEST_SECRET, ...env },
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  remember(child);
  const written = { out: "", err: "" };
  const read = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) written[to] += decoder.decode(bytes, { stream: true });
  };
  const all = Promise.all([read(child.stdout, "out"), read(child.stderr, "err")]);
  return {
    out: () => written.out,
    err: () => written.err,
    kill: (signal) => child.kill(signal),
    exited: child.exited.then(async (code) => {
      await all;
      return code;
    }),
  };
}

const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");

describe.skipIf(!needs("redis-server"))("telltale watch", () => {
  let redis: RunningRedis;
  let gateway: GatewayProcess;
  const env = () => ({ TELLTALE_URL: gateway.url });

  beforeAll(async () => {
    redis = await startRedis();
    gateway = await startGateway({ REDIS_URL: redis.url, WATCH_DEFAULT: "deny" });
  });
  afterAll(async () => {
    await gateway?.kill9();
    await redis?.stop();
  });

  test("CLI-1: writes each event once and in order over two restarts of the gateway, and ends with the analysis", async () => {
    const id = crypto.randomUUID();
    const sent = Array.from({ length: 60 }, (_, index) => statusUpdate({ progress: index / 100, n: index }));
    await publish(gateway, id, sent.slice(0, 20));
    const watch = telltale(["watch", id, "--json"], env());
    await eventually("what is kept is written", async () => linesOf(watch.out()).length === 20);
    for (const [from, how] of [
      [20, "stop"],
      [40, "kill9"],
    ] as const) {
      const { port } = gateway;
      await gateway[how]();
      gateway = await startGateway({ REDIS_URL: redis.url, WATCH_DEFAULT: "deny", PORT: String(port) });
      await publish(gateway, id, sent.slice(from, from + 10));
      await publish(gateway, id, sent.slice(from + 10, from + 20));
    }
    await publish(gateway, id, resultUpdate());
    expect(await watch.exited).toBe(0);
    const events = linesOf(watch.out()).map((line) => JSON.parse(line));
    expect(events.map(({ n, event_type }) => n ?? event_type)).toEqual([
      ...sent.map(({ n }) => n),
      "result_update",
    ]);
    expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(61);
    expect(watch.err()).toContain("no connection to the gateway (1001");
    expect(watch.err()).toContain("connected again\n");
  });

  test("CLI-1: begins after the event that it is given", async () => {
    const id = crypto.randomUUID();
    const answer = await publish(gateway, id, [statusUpdate({ n: 0 }), statusUpdate({ n: 1 }), errorEvent()]);
    const { event_ids } = (await answer.json()) as { event_ids: string[] };
    const watch = telltale(["watch", id, "--json", "--after", event_ids[0] ?? ""], env());
    expect(await watch.exited).toBe(3);
    expect(linesOf(watch.out()).map((line) => JSON.parse(line).event_id)).toEqual(event_ids.slice(1));
    const nothing = telltale(["watch", id, "--json", "--after", event_ids[2] ?? ""], env());
    expect([await nothing.exited, nothing.out()]).toEqual([3, ""]);
  });

  test.each([
    [resultUpdate(), 0, "✓ completed  fake, with a confidence of 93 %\n"],
    [errorEvent(), 3, "✗ failed  decode_failed: no frames\n"],
    [statusUpdate({ current_stage: "failed", message: "out of memory" }), 3, "✗ failed  out of memory\n"],
    [statusUpdate({ current_stage: "cancelled", message: "by alice" }), 4, "■ cancelled  by alice\n"],
    [{ event_type: "result", data: { words: 812 } }, 0, '✓ completed  {"words":812}\n'],
  ])(
    "CLI-2: ends as the analysis does, without escape codes outside a terminal: %j",
    async (end, code, words) => {
      const id = crypto.randomUUID();
      await publish(gateway, id, statusUpdate({ progress: 0.42 }));
      const watch = telltale(["watch", id], env());
      await eventually("the state is shown", async () =>
        watch.out().includes("42 %  frame_extraction  working"),
      );
      await publish(gateway, id, end);
      expect(await watch.exited).toBe(code);
      expect(watch.out()).toEndWith(words);
      expect(watch.out()).not.toContain("\u001b");
    },
  );

  test.each([
    ["the state", undefined, 0],
    ["every event", { after: undefined }, 2],
    ["the events after the last", { after: "last" }, 0],
  ] as const)(
    "CLI-2: ends a while after stage completed without a result, watching %s",
    async (_, whole, events) => {
      const id = crypto.randomUUID();
      const answer = await publish(gateway, id, [
        statusUpdate(),
        statusUpdate({ current_stage: "completed" }),
      ]);
      const { event_ids } = (await answer.json()) as { event_ids: string[] };
      const written: string[] = [];
      const end = await watchUntilEnd({
        access: { url: gateway.url, token: () => tokenFor({ analyses: [id] }) },
        analysisId: id,
        output: {
          show: () => undefined,
          event: (text) => written.push(text),
          end: () => undefined,
        },
        whole: whole && { after: whole.after && event_ids[1] },
        signal: new AbortController().signal,
        resultWithinMs: 100,
      });
      expect(end).toEqual({ kind: "ended", status: "completed" });
      expect(written).toHaveLength(events);
    },
  );

  test("CLI-2: may not watch if nobody declares for a while who may", async () => {
    const end = await watchUntilEnd({
      access: { url: gateway.url, token: () => tokenFor({ user: "bob" }) },
      analysisId: crypto.randomUUID(),
      output: { show: () => undefined, event: () => undefined, end: () => undefined },
      whole: undefined,
      signal: new AbortController().signal,
      declaredWithinMs: 100,
    });
    expect(end).toEqual({ kind: "refused", code: 4003, reason: "not_declared" });
  });

  test("CLI-2: a result that follows stage completed is waited for, and so is what follows a run that goes on", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, statusUpdate({ current_stage: "completed" }));
    const watch = telltale(["watch", id, "--json"], env());
    await eventually("it is shown", async () => linesOf(watch.out()).length === 1);
    await publish(gateway, id, [
      statusUpdate(),
      statusUpdate({ current_stage: "completed" }),
      resultUpdate(),
    ]);
    expect([await watch.exited, linesOf(watch.out()).length]).toEqual([0, 4]);
  });

  test.each([
    [{}, true],
    [{ NO_COLOR: "1" }, false],
  ])("draws a bar in a terminal, with %j", async (more, colored) => {
    const id = crypto.randomUUID();
    await publish(gateway, id, [statusUpdate({ progress: 0.5 }), resultUpdate()]);
    const command = [...runtimeCommand(), "watch", id].join(" ");
    const screen = run(
      ["script", "-qec", `stty cols 90; ${command}`, "/dev/null"],
      { ...env(), ...more },
      "",
    );
    expect(await screen.exited).toBe(0);
    expect(screen.out()).toContain("\r");
    expect(screen.out()).toContain("\u001b[K");
    expect(screen.out()).toMatch(/completed[^\n]*\r\n$/);
    expect(screen.out().includes("\u001b[32m")).toBe(colored);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("CLI-2: ends in order at %s with %d, and leaves no watcher", async (signal, code) => {
    const id = crypto.randomUUID();
    const watch = telltale(["watch", id], env());
    await eventually("it is connected", async () => watch.out() === "waiting for the first event\n");
    watch.kill(signal);
    expect([await watch.exited, watch.err()]).toEqual([code, ""]);
    await eventually("nobody watches", async () => {
      const health = await (await fetch(`${gateway.url}/ws/health`)).json();
      return health.websocket_stats.total_connections === 0;
    });
  });

  test("CLI-2: ends with 141 when nobody reads its output any more, and says nothing", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, [statusUpdate(), statusUpdate(), statusUpdate()]);
    const command = [...runtimeCommand(), "watch", id, "--json"].join(" ");
    const piped = run(["bash", "-c", `${command} | head -n 1; exit \${PIPESTATUS[0]}`], env(), "");
    await eventually("one event is written", async () => linesOf(piped.out()).length === 1);
    while ((await Promise.race([piped.exited, Bun.sleep(100)])) === undefined)
      await publish(gateway, id, statusUpdate());
    expect([await piped.exited, piped.err()]).toEqual([141, ""]);
  });

  test("CLI-2: exits with 1 if it may not watch, or if the time is over, and says so", async () => {
    const id = crypto.randomUUID();
    const other = await tokenFor({ analyses: [crypto.randomUUID()] });
    const [refused, late] = [
      telltale(["watch", id], { ...env(), TELLTALE_TOKEN: other }),
      telltale(["watch", id, "--timeout", "1s"], env()),
    ];
    expect([await refused.exited, refused.err()]).toEqual([
      1,
      expect.stringMatching(/^the gateway refuses: .*\(4003 .*\)\n$/),
    ]);
    expect([await late.exited, late.err()]).toEqual([1, "the analysis did not end in time\n"]);
  });

  test("CLI-3: asks for the token of its file again before each connection", async () => {
    const id = crypto.randomUUID();
    const path = join(tmpdir(), `telltale-token-${process.pid}`);
    await Bun.write(path, `${await tokenFor({ analyses: [id] })}\n`);
    const watch = telltale(["watch", id, "--json"], {
      ...env(),
      JWT_SECRET_KEY: "",
      TELLTALE_TOKEN_FILE: path,
    });
    await publish(gateway, id, statusUpdate());
    await eventually("the first event is written", async () => linesOf(watch.out()).length === 1);
    await Bun.write(path, await tokenFor({ analyses: [crypto.randomUUID()] }));
    const { port } = gateway;
    await gateway.stop();
    gateway = await startGateway({ REDIS_URL: redis.url, WATCH_DEFAULT: "deny", PORT: String(port) });
    expect([await watch.exited, watch.err()]).toEqual([1, expect.stringContaining("(4003 ")]);
    await Bun.file(path).delete();
  });

  test("CLI-3: exits with 78 without a token, and names the settings", async () => {
    const watch = telltale(["watch", crypto.randomUUID()], { ...env(), JWT_SECRET_KEY: "" });
    expect(await watch.exited).toBe(78);
    expect(watch.err()).toContain("TELLTALE_TOKEN");
  });

  test.each(["", "\n", "not a token\n", "tök.en"])(
    "CLI-3: exits with 78 at once if the file has %j",
    async (text) => {
      const path = join(mkdtempSync(join(tmpdir(), "telltale-token-")), "token");
      writeFileSync(path, text);
      const input = `${JSON.stringify(statusUpdate())}\n`.repeat(300);
      for (const word of ["watch", "publish"]) {
        const command = telltale([word, crypto.randomUUID()], { ...env(), TELLTALE_TOKEN_FILE: path }, input);
        expect([await command.exited, command.out()]).toEqual([78, ""]);
        expect(command.err()).toMatch(/^TELLTALE_TOKEN_FILE: the file [^\n]*\n$/);
      }
      rmSync(dirname(path), { recursive: true });
    },
  );

  test("CLI-2: exits with 1 if its output cannot be written, and says why in one line", async () => {
    const id = crypto.randomUUID();
    await publish(gateway, id, [statusUpdate()]);
    for (const words of [`watch ${id}`, `watch ${id} --json`, `publish ${id}`]) {
      const full = `exec ${[...runtimeCommand(), words].join(" ")} >/dev/full`;
      const command = run(["bash", "-c", full], env(), JSON.stringify(statusUpdate()));
      expect([words, await command.exited, command.err()]).toEqual([
        words,
        1,
        expect.stringMatching(/^standard output cannot be written: [^\n]*\n$/),
      ]);
    }
  });

  test("CLI-1: writes values that a terminal would obey, or that jq does not read, as escapes", async () => {
    const id = crypto.randomUUID();
    const message = "a\u001b[31m\u009b2J\u202e\u007f";
    const sent = JSON.stringify(statusUpdate({ message })).replace(/}$/, ',"half":"\\ud800\\u0041"}');
    await publish(gateway, id, sent);
    await publish(gateway, id, resultUpdate());
    const watch = telltale(["watch", id, "--json"], env());
    expect(await watch.exited).toBe(0);
    expect(watch.out().replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    expect(JSON.parse(linesOf(watch.out())[0] ?? "")).toMatchObject({ message, half: "\ufffdA" });
  });

  test("exits with 2 at an id that is none, and at options that do not fit", async () => {
    for (const words of [
      ["nonsense"],
      [crypto.randomUUID(), "--after", "x"],
      [crypto.randomUUID(), "--url", "redis://x"],
      [crypto.randomUUID(), "--url", "http://h/?token=x"],
      [crypto.randomUUID(), "--url", "http://h/#x"],
    ]) {
      const { exited, out } = telltale(["watch", ...words], env());
      expect([await exited, out()]).toEqual([2, ""]);
    }
  });

  describe("and telltale publish", () => {
    test("CLI-4: stores the events of its lines in order, with numbers as they are written", async () => {
      const id = crypto.randomUUID();
      const lines = Array.from(
        { length: 100 },
        (_, n) => `{"n":${n},"large":12345678901234567890,${JSON.stringify(statusUpdate()).slice(1)}`,
      );
      const published = telltale(["publish", id], env(), lines.join("\n"));
      expect([await published.exited, published.out(), published.err()]).toEqual([
        0,
        "100 stored, 0 not\n",
        "",
      ]);
      const watch = telltale(["watch", id, "--json", "--timeout", "2s"], env());
      await watch.exited;
      expect(linesOf(watch.out()).map((line) => JSON.parse(line).n)).toEqual(lines.map((_, n) => n));
      expect(watch.out()).toContain('"large":12345678901234567890,');
    });

    test("CLI-4: tells of each line that was refused, and stores the others", async () => {
      const id = crypto.randomUUID();
      const good = JSON.stringify({ analysis_id: id, ...statusUpdate() });
      const input = [
        good,
        "nonsense",
        "",
        JSON.stringify({ analysis_id: id, ...statusUpdate({ progress: 2 }) }),
        good,
      ].join("\n");
      const [lines, json] = [
        telltale(["publish"], env(), input),
        telltale(["publish", "--json"], env(), input),
      ];
      expect([await lines.exited, await json.exited]).toEqual([1, 1]);
      expect(lines.out()).toBe("2 stored, 2 not\n");
      expect(lines.err()).toMatch(/^line 2: .*\(no_event\)$/m);
      expect(lines.err()).toMatch(
        /^line 4: .*\(invalid_event\)\n {2}progress: must be a number from 0 to 1$/m,
      );
      const answers = linesOf(json.out())
        .map((line) => JSON.parse(line))
        .sort((a, b) => a.line - b.line);
      expect(answers).toMatchObject([
        { line: 1, duplicate: false },
        { line: 2, error: { code: "no_event" } },
        { line: 4, error: { code: "invalid_event", issues: [{ path: ["progress"] }] } },
        { line: 5, event_ids: [expect.any(String)] },
      ]);
    });

    test("CLI-4: reads lines of UTF-8 that end with a line feed, and alters none", async () => {
      const id = crypto.randomUUID();
      const message = "a\u2028b\u2029c\u0085d";
      const good = JSON.stringify(statusUpdate({ message }));
      const long = JSON.stringify(statusUpdate({ note: "x".repeat(2 * 1024 * 1024) }));
      const input = Buffer.concat([
        Buffer.from(`\ufeff${good}\r\n${good.replace(",", ",\r")}\n`),
        Buffer.from(`${good.replace("a\u2028", "\u0001")}\n`.replace("\u0001", "\u00ff"), "latin1"),
        Buffer.from(`${long}\n{"\u001b[31m":\n`),
      ]);
      const published = telltale(["publish", id], env(), input);
      expect([await published.exited, published.out()]).toEqual([1, "2 stored, 3 not\n"]);
      expect(published.err()).toContain("line 3: it is not UTF-8 (no_event)\n");
      expect(published.err()).toMatch(/^line 4: it has more than \d+ bytes \(no_event\)$/m);
      expect(published.err().replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
      const kept = await fetch(`${gateway.url}/v1/analyses/${id}/events`, {
        headers: { Authorization: `Bearer ${await tokenFor({ analyses: [id] })}` },
      });
      const { events } = (await kept.json()) as { events: { message: string }[] };
      expect(events.map((event) => event.message)).toEqual([message, message]);
    });

    test("CLI-4: stops at a gateway that takes nothing of its token, with 1", async () => {
      const input = Array.from({ length: 500 }, () => JSON.stringify(statusUpdate())).join("\n");
      const token = await tokenFor({ scopes: [] });
      const { exited, out } = telltale(
        ["publish", crypto.randomUUID()],
        { ...env(), TELLTALE_TOKEN: token },
        input,
      );
      expect(await exited).toBe(1);
      expect(out()).toMatch(/^0 stored, \d{1,2} not\n$/);
    });
  });
});

test("telltale watch needs no key at a gateway that serves its demo", async () => {
  const gateway = await startGateway({ JWT_SECRET_KEY: "" });
  const started = await fetch(`${gateway.url}/demo/analyses`, { method: "POST", body: '{"speed":50}' });
  const { analysis_id } = (await started.json()) as { analysis_id: string };
  const watch = telltale(["watch", analysis_id], { PORT: String(gateway.port), JWT_SECRET_KEY: "" });
  expect([await watch.exited, watch.err()]).toEqual([0, ""]);
  expect(watch.out()).toMatch(/✓ completed .*\n$/);
  await gateway.stop();
});
