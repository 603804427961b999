import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { runtimeCommand } from "../support/runtime-command.ts";

const main = join(import.meta.dir, "../../src/main.ts");
/** All of them start at once. */
setDefaultTimeout(120_000);

const WORDS = [
  "serve",
  "check",
  "health",
  "config",
  "token",
  "publish",
  "run",
  "watch",
  "deadletters",
  "completion",
  "version",
  "help",
];

/** A gateway that started after all would write where it answers. */
const telltale = (...words: readonly string[]) => run({ PORT: "0" }, ...words);

async function run(env: Record<string, string>, ...words: readonly string[]) {
  const child = Bun.spawn([...runtimeCommand(main), ...words], {
    env,
    stdout: "pipe",
    stderr: "pipe",
    timeout: 100_000,
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

describe.concurrent("the program", () => {
  test.each([
    [["nonsense"], "unknown command 'nonsense'"],
    [["deadletter"], "Did you mean deadletters?"],
    [["--nonsense"], "unknown option '--nonsense'"],
    [["serve", "--port=1"], "unknown option '--port=1'"],
    [["serve", "now"], "too many arguments"],
    [["health", "please"], "too many arguments"],
    [["check", "--nonsense"], "unknown option '--nonsense'"],
    [["token", "--nonsense"], "unknown option '--nonsense'"],
    [["deadletters", "nonsense"], "unknown command 'nonsense'"],
    [["deadletter", "--help"], "Did you mean deadletters?"],
    [["deadletters", "lst", "-h"], "Did you mean list?"],
    [["help", "chek"], "Did you mean check?"],
    [["help", "settings", "more"], "unknown command 'settings'"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish."],
    [["config", "now"], "too many arguments"],
    [["completion"], "missing required argument 'shell'"],
  ])("OPS-12: exits with 2 at %j, says why and starts nothing", async (words, reason) => {
    const { out, err, code } = await telltale(...words);
    expect({ out, code }).toEqual({ out: "", code: 2 });
    expect(err).toStartWith("error: ");
    expect(err).toContain(reason);
  });

  test("lists its words in its help, and each word has a help of its own", async () => {
    const { out, err, code } = await telltale("--help");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    for (const word of WORDS) {
      expect(out).toContain(`  ${word} `);
      expect(await telltale(word, "--help")).toEqual({
        out: expect.stringContaining(`Usage: telltale ${word}`),
        err: "",
        code: 0,
      });
    }
  });

  test("prints its help at help, the help of a word after it, and each setting with its default", async () => {
    const [help, asOption, list, listAsOption, settings] = await Promise.all([
      telltale("help"),
      telltale("--help"),
      telltale("help", "deadletters", "list"),
      telltale("deadletters", "list", "--help"),
      telltale("help", "settings"),
    ]);
    expect(help).toEqual(asOption);
    expect(list).toEqual(listAsOption);
    expect(list.out).toContain("--reason <text>");
    expect([settings.code, settings.err]).toEqual([0, ""]);
    expect(settings.out).toContain("\nPORT  [8000]\n    Port to listen on");
    expect(settings.out).not.toContain("AUTHORIZE_URL");
  });

  test.each([
    [["config"]],
    [["config", "--json"]],
    [["token", "--user", "alice"]],
    [["check"]],
    [["version"]],
    [["--help"]],
    [["help", "settings"]],
    [["completion", "bash"]],
  ])("exits with 1 at %j if its output cannot be written, and with 141 if nobody reads it", async (words) => {
    const command = [...runtimeCommand(main), ...words].join(" ");
    const env = { JWT_SECRET_KEY: crypto.getRandomValues(new Uint8Array(32)).toHex() };
    const ended = async (shell: string) => {
      const child = Bun.spawn(["bash", "-c", shell], { env: { ...process.env, ...env }, stderr: "pipe" });
      return [await child.exited, await new Response(child.stderr).text()];
    };
    expect(await ended(`${command} >/dev/full`)).toEqual([
      1,
      expect.stringMatching(/^standard output cannot be written: [^\n]*\n$/),
    ]);
    expect(await ended(`${command} | true; exit \${PIPESTATUS[0]}`)).toEqual([141, ""]);
  });

  test("writes no escape codes to a terminal on standard error", async () => {
    const command = [...runtimeCommand(main), "config"].join(" ");
    const screen = Bun.spawn(["script", "-qec", command, "/dev/null"], {
      env: { PATH: process.env.PATH ?? "", TERM: "dumb", PORT: "x" },
      stdin: "ignore",
      stdout: "pipe",
    });
    const shown = await new Response(screen.stdout).text();
    expect(shown).toStartWith("PORT: must be a whole number");
    expect(shown).not.toContain("\u001b");
  });

  test("OPS-16: shows at config no character that a terminal obeys", async () => {
    const env = { BROKER: "module:a\u001b[31m\u202e\u009bb" };
    const [lines, json] = await Promise.all([run(env, "config"), run(env, "config", "--json")]);
    expect(lines.out).toContain("module:a\\u001b[31m\\u202e\\u009bb");
    for (const { out } of [lines, json]) expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
    const { settings } = JSON.parse(json.out);
    expect(settings).toContainEqual({ name: "BROKER", value: env.BROKER, source: "environment" });
  });

  test("names METRICS if its address cannot be had, and exits with 1", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { out, err, code } = await run({
      PORT: "0",
      METRICS: `127.0.0.1:${taken.port}`,
      LOG_LEVEL: "error",
    });
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toStartWith(`Telltale could not start: METRICS: 127.0.0.1:${taken.port} cannot be had (`);
    const json = await run({ PORT: "0", METRICS: `127.0.0.1:${taken.port}`, LOG_FORMAT: "json" });
    const line = JSON.parse(json.err.trim().split("\n").at(-1) ?? "");
    expect(line).toMatchObject({
      level: "error",
      msg: expect.stringMatching(/^Telltale could not start: METRICS/),
    });
    taken.stop(true);
  });

  test("EV-2: judges at publish --check each event by its rules and the stages of STAGES, and sends none", async () => {
    const id = crypto.randomUUID();
    const lines = [
      `{"event_type":"status_update","analysis_id":"${id}","task_id":"t","current_stage":"demux","message":"m","progress":1}`,
      "",
      '{"event_type":"result_update","confidence_score":93,"is_fake":true}',
      "{",
    ];
    const check = async (...words: readonly string[]) => {
      const child = Bun.spawn([...runtimeCommand(main), "publish", "--check", ...words], {
        env: { STAGES: "demux,mux" },
        stdin: new TextEncoder().encode(lines.join("\n")),
        stdout: "pipe",
        stderr: "pipe",
      });
      return [
        await new Response(child.stdout).text(),
        await new Response(child.stderr).text(),
        await child.exited,
      ];
    };
    const [plain, json] = await Promise.all([check(id), check("--json")]);
    expect(plain).toEqual([
      "1 valid, 2 not\n",
      "line 3:\n  confidence_score: must be a number from 0 to 1\n  frames_processed: is required\n  total_frames: is required\nline 4:\n  must be JSON\n",
      1,
    ]);
    expect(json).toEqual([
      [
        '{"line":1,"issues":[]}',
        '{"line":3,"issues":[{"path":["analysis_id"],"message":"is required"}]}',
        '{"line":4,"issues":[{"path":[],"message":"must be JSON"}]}',
        "",
      ].join("\n"),
      "",
      1,
    ]);
    lines.splice(1);
    expect(await check()).toEqual(["1 valid, 0 not\n", "", 0]);
  });

  test("prints its version", async () => {
    const { version } = await Bun.file(join(import.meta.dir, "../../package.json")).json();
    for (const word of ["version", "--version", "-V"])
      expect(await telltale(word)).toEqual({ out: `${version}\n`, err: "", code: 0 });
  });

  test("OPS-16: prints at config what is in force and where it comes from, and advice on standard error", async () => {
    const env = { PORT: "81", REDIS_URL: "redis://gateway:a-password@redis", REDIS_DB: "3" };
    const [lines, json] = await Promise.all([run(env, "config"), run(env, "config", "--json")]);
    expect([lines.code, json.code, json.err]).toEqual([0, 0, ""]);
    expect(lines.out).toMatch(/^PORT +81 +environment$/m);
    expect(lines.out).toMatch(/^BROKER +redis +default$/m);
    expect(lines.err).toContain("REDIS_DB is not used: REDIS_URL is set.\n");
    const { settings, notes } = JSON.parse(json.out);
    expect(settings).toContainEqual({ name: "PORT", value: "81", source: "environment" });
    expect(settings).toContainEqual({ name: "REDIS_DB", value: null, source: "unused" });
    expect(notes).toContain("REDIS_DB is not used: REDIS_URL is set.");
    for (const { out, err } of [lines, json]) expect(out + err).not.toContain("a-password");
  });

  test("OPS-16: exits with 78 at config if a setting is wrong, and names each", async () => {
    const { out, err, code } = await run({ PORT: "x", LOG_LEVEL: "all" }, "config");
    expect({ out, code }).toEqual({ out: "", code: 78 });
    expect(err).toMatch(/^PORT: must .*\nLOG_LEVEL: must .*\n$/);
  });

  test("OPS-14: says at check what the broker gives, and that it would store an event", async () => {
    const { out, code } = await telltale("check");
    expect(code).toBe(0);
    expect(out).toContain(
      "capabilities   dead_letters, inbox, worker_channels, durability:process, replicas:0\n",
    );
    expect(out).toContain("✓ token key                none is set");
    expect(out).toEndWith("ready          an event would be stored\n");
  });

  test("exits with 1 at check if the broker is away, and says why without its password", async () => {
    const asked = Bun.spawn([process.execPath, "run", main, "check"], {
      env: { REDIS_URL: "redis://:a-password@127.0.0.1:1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await asked.exited).toBe(1);
    const [out, err] = [await new Response(asked.stdout).text(), await new Response(asked.stderr).text()];
    expect(err).toBe("the broker cannot be used: there is no connection to the broker\n");
    expect(out).toContain("broker         redis\n");
    expect(out + err).not.toContain("a-password");
  });

  test("exits with 1 at health if no gateway answers, and names the address that it asked", async () => {
    const closed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = closed;
    closed.stop(true);
    const asked = Bun.spawn([...runtimeCommand(main), "health"], {
      env: { PORT: String(port) },
      stdout: "ignore",
      stderr: "pipe",
    });
    expect(await asked.exited).toBe(1);
    expect(await new Response(asked.stderr).text()).toStartWith(
      `http://127.0.0.1:${port}/health did not answer: `,
    );
  });
});
