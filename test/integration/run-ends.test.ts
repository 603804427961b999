import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remember } from "../support/children.ts";
import { publisherToken, tokenFor } from "../support/gateway-process.ts";
import { commandWords, runOf, until } from "../support/telltale-run.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(90_000);

const folder = mkdtempSync(join(tmpdir(), "telltale-run-ends-"));
afterAll(() => rmSync(folder, { recursive: true }));

const counting = "i=0; while :; do i=$((i+1)); echo $i/100000; sleep 0.1; done";

/** Whether a process runs: one that has ended and waits for its parent does not. */
async function runs(pid: number): Promise<boolean> {
  const stat = Bun.file(`/proc/${pid}/stat`);
  const text = await stat.text().catch(() => "");
  return text !== "" && !/\) [ZX]/.test(text);
}

describe.concurrent("telltale run", () => {
  const gateway = useGateway();
  const env = async () => ({ TELLTALE_URL: gateway.url, TELLTALE_TOKEN: await publisherToken() });

  async function start(words: readonly string[]) {
    const id = crypto.randomUUID();
    return { id, run: runOf(folder, await env(), ["--analysis", id, ...words]) };
  }

  async function stateOf(id: string): Promise<Record<string, unknown>> {
    const headers = { Authorization: `Bearer ${await tokenFor()}` };
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}`, { headers });
    return (await answer.json()) as Record<string, unknown>;
  }

  async function cancel(id: string): Promise<void> {
    const token = await tokenFor({ scopes: ["analysis:cancel"] });
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/cancel`, { method: "POST", headers });
    expect(answer.status).toBe(202);
  }

  function file(name: string, text: string, mode: number): string {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), mode);
    return `./${name}`;
  }

  test.each([
    [
      126,
      "a script that names no interpreter",
      "a script begins with a line as #!/bin/sh",
      "echo hi\n",
      0o755,
    ],
    [126, "a file that may not be executed", "it is no file that may be executed", "#!/bin/sh\n", 0o644],
    [127, "an interpreter that is not there", "the interpreter that it names is not", "#!/no/such\n", 0o755],
  ])("RUN-3: exits with %i at %s, and ends the analysis", async (code, what, reason, text, mode) => {
    const { id, run } = await start(["--", file(what.replaceAll(" ", "-"), text, mode)]);
    expect(await run.exited).toBe(code);
    expect(run.err()).toContain(reason);
    expect(await stateOf(id)).toMatchObject({
      status: "failed",
      error: { error_code: "worker_exit", error_message: expect.stringContaining(reason) },
    });
  });

  test.each([
    [126, ["./folder"]],
    [126, ["./a-file/program"]],
    [126, [`./${"x".repeat(5_000)}`]],
    [127, [""]],
  ])("RUN-3: exits with %i if the program cannot be started, and ends the analysis", async (code, words) => {
    mkdirSync(join(folder, "folder"), { recursive: true });
    file("a-file", "", 0o644);
    const { id, run } = await start(["--", ...words]);
    expect(await run.exited).toBe(code);
    expect(await stateOf(id)).toMatchObject({ status: "failed", error: { error_code: "worker_exit" } });
  });

  test("RUN-6: kills what the program has started and what does not end by SIGTERM", async () => {
    const stubborn = `sh -c 'trap "" TERM; echo $$; exec >&- 2>&-; while :; do sleep 0.1; done' &`;
    const words = ["--grace", "0.5", "--", "sh", "-c", `${stubborn} ${counting}`];
    const { id, run } = await start(words);
    await until(() => /^\d+\n/m.test(run.out().toString()));
    const [, left] = /^(\d+)\n/m.exec(run.out().toString()) ?? [];
    await cancel(id);
    expect(await run.exited).toBe(143);
    expect(await runs(Number(left))).toBe(false);
    expect(await stateOf(id)).toMatchObject({ status: "cancelled" });
  });

  test("RUN-6: takes the result that a program says when it is told to end", async () => {
    const said = `say() { echo '{"event_type":"result","data":{"frames":3}}'; exit 0; }; trap say TERM`;
    const words = ["--", "sh", "-c", `${said}; ${counting}`];
    const { id, run } = await start(words);
    await until(() => run.out().includes("/100000"));
    await cancel(id);
    expect(await run.exited).toBe(0);
    expect(await stateOf(id)).toMatchObject({ status: "completed", result: { data: { frames: 3 } } });
  });

  test.each([
    ["now and then", "while :; do echo x; sleep 0.1; done"],
    ["as fast as it can", "exec yes"],
  ])("RUN-4: ends with the program, although something that it started writes %s", async (_, writing) => {
    const { id, run } = await start(["--", "sh", "-c", `(${writing}) & echo all; echo $! >&2`]);
    expect(await run.exited).toBe(0);
    expect(run.out().toString()).toMatch(/^all$/m);
    expect(await stateOf(id)).toMatchObject({ status: "completed" });
    // The other may have ended by then, since nobody reads it.
    if (await runs(Number(run.err()))) process.kill(Number(run.err()), "SIGKILL");
  });

  test("RUN-4: stops the program with the command, and lets it go on with it", async () => {
    const { id, run } = await start(["--", "sh", "-c", `echo $$ >&2; ${counting}`]);
    await until(() => run.out().includes("/100000") && /^\d+\n/.test(run.err()));
    const program = Number(run.err());
    const isStopped = async (pid: number) => /\) T/.test(await Bun.file(`/proc/${pid}/stat`).text());
    process.kill(run.pid, "SIGTSTP");
    await until(async () => (await isStopped(run.pid)) && (await isStopped(program)));
    process.kill(run.pid, "SIGCONT");
    await until(async () => !(await isStopped(program)));
    process.kill(run.pid, "SIGQUIT");
    expect(await run.exited).toBe(131);
    expect(await stateOf(id)).toMatchObject({ error: { error_details: { signal: "SIGQUIT" } } });
  });

  describe("in a terminal", () => {
    async function startInTerminal(words: readonly string[]) {
      const id = crypto.randomUUID();
      let text = "";
      const child = Bun.spawn(commandWords("run", "--analysis", id, ...words), {
        cwd: folder,
        env: { PATH: process.env.PATH ?? "", ...(await env()) },
        terminal: {
          data: (_, data) => {
            text += new TextDecoder().decode(data);
          },
        },
      });
      remember(child);
      return { id, child, text: () => text, type: (keys: string) => child.terminal?.write(keys) };
    }

    test("RUN-4: lets the program read the terminal, and hear Ctrl-C once", async () => {
      const script =
        "trap 'n=$((n+1)); echo heard $n' INT; read line; echo got $line; sleep 1; sleep 1; exit 5";
      const { child, text, type, id } = await startInTerminal(["--", "bash", "-c", `n=0; ${script}`]);
      await until(async () => (await stateOf(id)).status === "running");
      type("words\n");
      await until(() => text().includes("got words"));
      type("\u0003");
      expect(await child.exited).toBe(5);
      expect(text().match(/heard \d/g)).toEqual(["heard 1"]);
    });

    test("RUN-6: kills what the program has started and what does not end by SIGTERM", async () => {
      const stubborn = `sh -c 'trap "" TERM HUP; echo left $$; exec >&- 2>&-; while :; do sleep 0.1; done' &`;
      const words = ["--grace", "0.5", "--", "sh", "-c", `${stubborn} ${counting}`];
      const { child, text, id } = await startInTerminal(words);
      await until(() => text().includes("left ") && text().includes("/100000"));
      const [, left] = /left (\d+)/.exec(text()) ?? [];
      await cancel(id);
      expect(await child.exited).toBe(143);
      expect(await runs(Number(left))).toBe(false);
    });
  });
});
