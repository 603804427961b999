import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remember } from "../support/children.ts";
import { publisherToken, startGateway, tokenFor } from "../support/gateway-process.ts";
import { commandWords, runOf, until } from "../support/telltale-run.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(90_000);

const folder = mkdtempSync(join(tmpdir(), "telltale-run-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Event = Readonly<Record<string, unknown>>;

async function read(url: string, path: string): Promise<Record<string, unknown>> {
  const headers = { Authorization: `Bearer ${await tokenFor()}` };
  return (await (await fetch(`${url}/v1/analyses/${path}`, { headers })).json()) as Record<string, unknown>;
}

const eventsOf = async (url: string, id: string) =>
  (await read(url, `${id}/events?limit=1000`)).events as Event[];

describe.concurrent("telltale run", () => {
  const gateway = useGateway();

  async function start(words: readonly string[], stdin?: string) {
    const id = crypto.randomUUID();
    const env = { TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() };
    return { id, run: runOf(folder, env, ["--analysis", id, ...words], stdin) };
  }

  test("RUN-1: passes on each byte in both directions, and tells the program its analysis", async () => {
    const script = join(folder, "bytes.sh");
    await Bun.write(
      script,
      'cat; printf "\\r\\377 no end"; printf "to %s" "$TELLTALE_ANALYSIS_ID" > /dev/stderr',
    );
    const { id, run } = await start(["--", "sh", script], "in\u0000\r\n");
    expect(await run.exited).toBe(0);
    expect(run.out()).toEqual(Buffer.from("in\u0000\r\n\r\u00ff no end", "latin1"));
    expect(run.err()).toBe(`to ${id}`);
  });

  test("RUN-2: publishes the progress that the output shows, while the program works", async () => {
    const bars = 'printf "\\r 25%%|##   | 1/4 [00:01<00:03, 1.0frame/s]" >&2; read go; echo "3 of 4"';
    const id = crypto.randomUUID();
    const child = Bun.spawn(
      commandWords("run", "--analysis", id, "--stage", "frame_extraction", "--", "sh", "-c", bars),
      {
        env: { ...process.env, TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() },
        stdin: "pipe",
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    remember(child);
    await until(async () => (await read(gateway.url, id)).progress === 0.25);
    child.stdin.write("go\n");
    child.stdin.end();
    expect(await child.exited).toBe(0);
    const events = await eventsOf(gateway.url, id);
    expect(events[0]).toMatchObject({
      progress: 0,
      message: "sh has begun",
      current_stage: "frame_extraction",
    });
    expect(events).toContainEqual(expect.objectContaining({ current: 1, total: 4, unit: "frame" }));
    expect(events.at(-2)).toMatchObject({ current: 3, total: 4, progress: 0.75, message: "3 of 4" });
    expect(events.at(-1)).toMatchObject({ current_stage: "completed", progress: 1 });
  });

  test("RUN-2: reads lines by a pattern of one's own, and events as they are", async () => {
    const words = ["--pattern", "^at (?<percent>\\d+) in (?<stage>\\w+)", "--", "sh", "-c"];
    const result = '{"event_type":"result_update","confidence_score":0.9,"is_fake":false}';
    const { id, run } = await start([...words, `echo at 40 in model_inference; echo 90%; echo '${result}'`]);
    expect(await run.exited).toBe(0);
    const events = await eventsOf(gateway.url, id);
    expect(events.slice(-2)).toMatchObject([
      { progress: 0.4, current_stage: "model_inference" },
      { event_type: "result_update", confidence_score: 0.9 },
    ]);
  });

  test.each([
    [
      "an exit code",
      ["sh", "-c", "echo no face in it >&2; exit 3"],
      3,
      "worker_exit",
      "sh ended with exit code 3: no face in it",
    ],
    ["a signal", ["sh", "-c", "kill -KILL $$"], 137, "worker_killed", "sh was ended by SIGKILL"],
    [
      "a program that is not there",
      ["./nothing"],
      127,
      "worker_exit",
      "nothing could not be started: there is no such program",
    ],
    [
      "one that says itself why",
      ["sh", "-c", 'echo \'{"event_type":"error","error_code":"no_face","error_message":"none"}\'; exit 4'],
      4,
      "no_face",
      "none",
    ],
  ] as const)(
    "RUN-3: turns %s into an error, and has the exit code of a shell",
    async (_, words, code, error_code, error_message) => {
      const { id, run } = await start(["--", ...words]);
      expect(await run.exited).toBe(Number(code));
      const state = await read(gateway.url, id);
      expect(state).toMatchObject({ status: "failed", error: { error_code, error_message } });
      expect(
        (await eventsOf(gateway.url, id)).filter(({ event_type }) => event_type === "error"),
      ).toHaveLength(1);
    },
  );

  test("RUN-3: leaves the result of a program that fails behind it", async () => {
    const { id, run } = await start(["--", "sh", "-c", `echo '{"event_type":"result","data":1}'; exit 3`]);
    expect(await run.exited).toBe(3);
    expect(await read(gateway.url, id)).toMatchObject({ status: "completed", result: { data: 1 } });
    expect(run.err()).toContain("a later end (error) was left out");
  });

  test("RUN-3: says the last lines of standard error in the details", async () => {
    const { id, run } = await start(["--", "sh", "-c", "echo one >&2; echo two >&2; exit 1"]);
    expect(await run.exited).toBe(1);
    const { error } = await read(gateway.url, id);
    expect(error).toMatchObject({ error_details: { exit_code: 1, stderr: "one\ntwo" } });
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "RUN-4: passes %s on to all that the program has started",
    async (signal) => {
      const { id, run } = await start([
        "--",
        "sh",
        "-c",
        "sh -c 'echo ready; exec sleep 600' | cat; echo never",
      ]);
      await until(() => run.out().includes("ready"));
      process.kill(run.pid, signal);
      expect(await run.exited).toBe(signal === "SIGTERM" ? 143 : 130);
      expect(run.out().toString()).toBe("ready\n");
      expect(await read(gateway.url, id)).toMatchObject({
        error: { error_code: "worker_killed", error_details: { signal } },
      });
    },
  );

  test("RUN-4: ends with the program, although something that it started holds the output", async () => {
    const { run } = await start(["--", "sh", "-c", "sleep 600 & echo $!"]);
    await until(() => run.out().includes("\n"));
    const left = Number(run.out().toString());
    expect(await run.exited).toBe(0);
    process.kill(left, "SIGKILL");
  });

  test("RUN-1: lets the program find out that nobody reads it", async () => {
    const id = crypto.randomUUID();
    const command = `"$0" "$@" --analysis ${id} -- yes | head -n 1; exit \${PIPESTATUS[0]}`;
    const child = Bun.spawn(["bash", "-c", command, ...commandWords("run")], {
      env: { ...process.env, TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() },
      stdout: "pipe",
    });
    remember(child);
    expect([await new Response(child.stdout).text(), await child.exited]).toEqual(["y\n", 141]);
  });

  test("RUN-5: keeps events while the gateway is away", async () => {
    const other = await startGateway();
    const env = { TELLTALE_TOKEN: await publisherToken(), TELLTALE_URL: other.url };
    await other.kill9();
    const id = crypto.randomUUID();
    const run = runOf(folder, env, ["--analysis", id, "--", "sh", "-c", "echo 1/4; exit 3"]);
    await until(() => run.err().includes("events wait"));
    const again = await startGateway({ PORT: String(other.port) });
    try {
      expect(await run.exited).toBe(3);
      expect(run.err()).toContain("events are sent again");
      expect(await eventsOf(again.url, id)).toMatchObject([
        { progress: 0 },
        { current: 1 },
        { error_code: "worker_exit" },
      ]);
    } finally {
      await again.stop();
    }
  });

  test("RUN-6: ends a program whose analysis was cancelled at the gateway", async () => {
    const counting = "i=0; while :; do i=$((i+1)); echo $i/100000; sleep 0.1; done";
    const { id, run } = await start(["--", "sh", "-c", counting]);
    await until(async () => Number((await read(gateway.url, id)).progress) > 0);
    const token = await tokenFor({ scopes: ["analysis:cancel"] });
    const asked = await fetch(`${gateway.url}/v1/analyses/${id}/cancel`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: "{}",
    });
    expect([asked.status, await run.exited]).toEqual([202, 143]);
    expect(await read(gateway.url, id)).toMatchObject({ status: "cancelled", error: null });
  });

  test.each([
    [["--", "true"], "required option '--analysis <id>'"],
    [["--analysis", "x", "--", "true"], "is not a UUID"],
    [["--analysis", crypto.randomUUID(), "--pattern", "(", "--", "true"], "It is no regular expression"],
    [["--analysis", crypto.randomUUID(), "--stage", "Bad S", "--", "true"], "A stage has 1 to 64 of a-z"],
    [["--analysis", crypto.randomUUID(), "--stage", "failed", "--", "true"], "It would end the analysis"],
    [["--analysis", crypto.randomUUID()], "missing required argument 'program'"],
  ])("OPS-12: starts nothing at %j, and exits with 2", async (words, reason) => {
    const run = runOf(folder, { TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() }, words);
    expect(await run.exited).toBe(2);
    expect(run.err()).toContain(reason);
  });

  test("OPS-12: starts nothing without a token, and exits with 78", async () => {
    const words = ["--analysis", crypto.randomUUID(), "--", "sh", "-c", "echo started"];
    const run = runOf(folder, { TELLTALE_URL: gateway.url }, words);
    expect([await run.exited, run.out().length]).toEqual([78, 0]);
  });
});
