import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const main = join(import.meta.dir, "../../src/main.ts");
const WORDS = ["serve", "health", "token", "deadletters"];

async function telltale(...words: readonly string[]) {
  const child = Bun.spawn([process.execPath, "run", main, ...words], {
    // A gateway that started after all would write where it answers.
    env: { PORT: "0" },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 10_000,
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

  test("exits with 1 at health if no gateway answers, and names the address that it asked", async () => {
    const closed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = closed;
    closed.stop(true);
    const asked = Bun.spawn([process.execPath, "run", main, "health"], {
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
