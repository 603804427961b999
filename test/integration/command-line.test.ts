import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { runtimeCommand } from "../support/runtime-command.ts";

const main = join(import.meta.dir, "../../src/main.ts");
/** All of them start at once. */
setDefaultTimeout(120_000);

const WORDS = ["serve", "check", "health", "token", "deadletters"];

async function telltale(...words: readonly string[]) {
  const child = Bun.spawn([...runtimeCommand(main), ...words], {
    // A gateway that started after all would write where it answers.
    env: { PORT: "0" },
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

  test("OPS-14: says at check what the broker gives, and that it would store an event", async () => {
    const { out, code } = await telltale("check");
    expect(code).toBe(0);
    expect(out).toContain(
      "capabilities   dead_letters, inbox, worker_channels, durability:process, replicas:0\n",
    );
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
