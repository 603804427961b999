import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remember } from "../support/children.ts";
import { publisherToken, tokenFor } from "../support/gateway-process.ts";
import { commandWords, runOf, until } from "../support/telltale-run.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(90_000);

const folder = mkdtempSync(join(tmpdir(), "telltale-run-programs-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Event = Readonly<Record<string, unknown>>;

/** A program that tells of its analysis by itself, and writes what `telltale run` would read. */
const TELLING = `
import { TelltalePublisher } from ${JSON.stringify(join(import.meta.dir, "../../src/client/publisher.ts"))};
const [how] = process.argv.slice(2);
await new TelltalePublisher().run(process.env.TELLTALE_ANALYSIS_ID, async (analysis) => {
  analysis.report({ progress: 0.25, message: "by itself" });
  console.log("75%");
  console.log('{"event_type":"status_update","progress":0.8,"message":"by a line"}');
  await new Promise((resolve) => setTimeout(resolve, 500));
  if (how === "killed") process.kill(process.pid, "SIGKILL");
  if (how === "says") console.log('{"event_type":"result","data":"by a line"}');
  if (how === "throws") throw new RangeError("no face");
  if (how === "says") process.exit(0);
  analysis.result({ data: "by itself" });
});
`;

const isEnd = ({ event_type, current_stage }: Event) =>
  event_type !== "status_update" || current_stage === "completed";

async function runs(pid: number): Promise<boolean> {
  const text = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => "");
  return text !== "" && !/\) [ZX]/.test(text);
}

describe.concurrent("telltale run", () => {
  const gateway = useGateway();
  writeFileSync(join(folder, "telling.ts"), TELLING);

  async function start(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const id = crypto.randomUUID();
    const found = { TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken(), ...env };
    return { id, run: runOf(folder, found, ["--analysis", id, ...words]) };
  }

  const telling = (how: string, ...options: readonly string[]) =>
    start([...options, "--", process.execPath, "telling.ts", how], { TMPDIR: folder });

  async function eventsOf(id: string): Promise<readonly Event[]> {
    const headers = { Authorization: `Bearer ${await tokenFor()}` };
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/events?limit=1000`, { headers });
    return ((await answer.json()) as { readonly events: readonly Event[] }).events;
  }

  test.each([
    ["result", 0, { event_type: "result", data: "by itself" }],
    ["throws", 1, { event_type: "error", error_code: "RangeError", error_message: "no face" }],
    ["killed", 137, { event_type: "error", error_code: "worker_killed" }],
    ["says", 0, { event_type: "result", data: "by a line" }],
  ])(
    "RUN-8: tells of no program again that tells by itself (%s), but for an end that it does not say",
    async (how, code, end) => {
      const { id, run } = await telling(how);
      expect(await run.exited).toBe(code);
      const events = await eventsOf(id);
      expect(events.filter(isEnd)).toMatchObject([end]);
      const messages = events.map(({ message }) => message);
      expect(messages).toContain("by itself");
      expect(messages).not.toContain("75%");
      expect(messages).not.toContain("by a line");
      expect(run.out().toString()).toContain("75%");
    },
  );

  test("RUN-8: gives a program that tells by itself the name of the run", async () => {
    const { id, run } = await telling("result", "--attempt", "third");
    expect(await run.exited).toBe(0);
    const events = await eventsOf(id);
    expect(new Set(events.map(({ attempt_id }) => attempt_id))).toEqual(new Set(["third"]));
    expect(events.filter(isEnd)).toHaveLength(1);
  });

  test("RUN-8: reads the output of a program that tells of another analysis", async () => {
    const { id, run } = await start([
      "--",
      "env",
      `TELLTALE_ANALYSIS_ID=${crypto.randomUUID()}`,
      process.execPath,
      "telling.ts",
      "result",
    ]);
    expect(await run.exited).toBe(0);
    const events = await eventsOf(id);
    expect(events).toContainEqual(expect.objectContaining({ message: "by a line" }));
    expect(events.filter(isEnd)).toMatchObject([{ current_stage: "completed" }]);
  });

  test("RUN-8: leaves no file behind", async () => {
    const own = mkdtempSync(join(folder, "own-"));
    const { run } = await start(["--", "true"], { TMPDIR: own });
    expect(await run.exited).toBe(0);
    expect(readdirSync(own)).toEqual([]);
  });

  describe.if(process.platform === "linux")("on Linux", () => {
    const daemon = (name: string) =>
      `(setsid sh -c 'echo $$ >${name}; exec sleep 600' >/dev/null 2>&1 &); until [ -s ${name} ]; do sleep 0.1; done; cat ${name}; echo $$; i=0; while :; do i=$((i+1)); echo $i/100000; sleep 0.1; done`;

    async function started(name: string) {
      const { id, run } = await start(["--grace", "1", "--", "sh", "-c", daemon(name)]);
      await until(() => /^\d+\n\d+\n/.test(run.out().toString()));
      return { id, run, pids: run.out().toString().split("\n", 2).map(Number) };
    }

    test("RUN-6: ends what has left the program behind, in a session of its own", async () => {
      const { id, run, pids } = await started("daemon-1");
      const token = await tokenFor({ scopes: ["analysis:cancel"] });
      const headers = { Authorization: `Bearer ${token}` };
      await fetch(`${gateway.url}/v1/analyses/${id}/cancel`, { method: "POST", headers });
      expect(await run.exited).toBe(143);
      expect(await Promise.all(pids.map(runs))).toEqual([false, false]);
    });

    const DRAWS = `
if [ -t 1 ] && [ -t 2 ]; then stty size <&2; else echo no terminal; fi
printf '\\r 50%%|#####     | 5/10 [00:01<00:01,  5.00it/s]' >&2
sleep 0.5
printf '\\r100%%|##########| 10/10 [00:02<00:00,  5.00it/s]\\nleft\\n' >&2
exit 3`;

    test("RUN-10: --pty gives the program terminals, and passes its bytes on as they are", async () => {
      const { id, run } = await start(["--pty", "--", "sh", "-c", DRAWS]);
      expect(await run.exited).toBe(3);
      expect(run.out().toString()).toBe("24 80\n");
      expect(run.err()).toBe(
        "\r 50%|#####     | 5/10 [00:01<00:01,  5.00it/s]\r100%|##########| 10/10 [00:02<00:00,  5.00it/s]\nleft\n",
      );
      const events = await eventsOf(id);
      expect(events).toContainEqual(expect.objectContaining({ current: 10, total: 10 }));
      expect(events.at(-1)).toMatchObject({
        error_code: "worker_exit",
        error_message: "sh ended with exit code 3: left",
      });
    });

    test("RUN-10: without --pty its outputs are no terminals", async () => {
      const { run } = await start(["--", "sh", "-c", DRAWS]);
      expect(await run.exited).toBe(3);
      expect(run.out().toString()).toBe("no terminal\n");
    });

    test("RUN-10: a program in a terminal waits if nobody takes its output, and finds out if nobody will", async () => {
      const much = "head -c 5000000 /dev/zero; touch all-written; echo; exec yes";
      const command = `"$0" "$@" --analysis ${crypto.randomUUID()} --pty -- sh -c "${much}" | (
        sleep 1; [ -e all-written ] || echo waits; head -c 5000000 | wc -c)`;
      const child = Bun.spawn(["bash", "-c", command, ...commandWords("run")], {
        cwd: folder,
        env: { ...process.env, TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() },
        stdout: "pipe",
      });
      remember(child);
      expect(await new Response(child.stdout).text()).toBe("waits\n5000000\n");
      await child.exited;
    });

    test("RUN-4: leaves what a program that has ended by itself has left behind", async () => {
      const left =
        "setsid sh -c 'echo $$ >left; exec sleep 600' >/dev/null 2>&1 & until [ -s left ]; do sleep 0.1; done; cat left";
      const { run } = await start(["--", "sh", "-c", left]);
      expect(await run.exited).toBe(0);
      const pid = Number(run.out().toString());
      expect(await runs(pid)).toBe(true);
      process.kill(pid, "SIGKILL");
    });

    test("RUN-9: ends the program and what it has started if the command is killed", async () => {
      const { run, pids } = await started("daemon-2");
      process.kill(run.pid, "SIGKILL");
      for (const pid of pids) await until(async () => !(await runs(pid)));
    });
  });
});
