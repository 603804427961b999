import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remember } from "../support/children.ts";
import { TEST_SECRET } from "../support/gateway-process.ts";

setDefaultTimeout(120_000);

const root = join(import.meta.dir, "../..");

/** The program as `npm run build:program` builds it, in a folder that has nothing else. */
describe("the one executable", () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-program-"));
  const program = join(folder, "telltale");

  beforeAll(async () => {
    const built = Bun.spawnSync(["npm", "run", "-s", "build:program", "--", `--outfile=${program}`], {
      cwd: root,
      env: { ...process.env, PATH: `${root}/node_modules/.bin:${process.env.PATH}` },
    });
    if (!built.success) throw new Error(`it could not be built:\n${built.stderr}`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function start(words: readonly string[], env: Record<string, string> = {}) {
    // Without PATH: it needs no Bun, no Node and no file beside it.
    const child = Bun.spawn([program, ...words], { cwd: folder, env, stdout: "pipe", stderr: "pipe" });
    remember(child);
    return child;
  }

  async function run(words: readonly string[], env: Record<string, string> = {}) {
    const child = start(words, env);
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { out, err, code };
  }

  async function serve(env: Record<string, string>) {
    const child = start([], { PORT: "0", ...env });
    let written = "";
    for await (const bytes of child.stdout) {
      written += new TextDecoder().decode(bytes);
      const url = /answers at (http:\S+)/.exec(written)?.[1];
      if (url !== undefined) return { url, child };
    }
    throw new Error(`it does not serve: ${await new Response(child.stderr).text()}`);
  }

  test("OPS-12: has every word, and starts nothing at an unknown one", async () => {
    const help = await run(["--help"]);
    expect([help.code, help.err]).toEqual([0, ""]);
    for (const word of ["serve", "check", "config", "watch", "completion"])
      expect(help.out).toContain(`  ${word} `);
    const { version } = await Bun.file(join(root, "package.json")).json();
    expect((await run(["version"])).out).toBe(`${version}\n`);
    const { code, out, err } = await run(["nonsense"], { PORT: "0" });
    expect([code, out, err]).toEqual([2, "", expect.stringContaining("unknown command 'nonsense'")]);
    expect((await run(["check"])).code).toBe(0);
    const { out: token } = await run(["token", "--user", "alice"], { JWT_SECRET_KEY: TEST_SECRET });
    expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  });

  test("has the demo page in it, and its watch follows an analysis to the end", async () => {
    const { url, child } = await serve({});
    const page = await fetch(url);
    expect([page.status, page.headers.get("Content-Type")]).toEqual([
      200,
      expect.stringContaining("text/html"),
    ]);
    const [, script = ""] = /src="([^"]+\.js)"/.exec(await page.text()) ?? [];
    expect((await fetch(new URL(script, url))).status).toBe(200);
    expect(await (await fetch(`${url}/client.js`)).text()).toContain("export{");
    const started = await fetch(`${url}/demo/analyses`, {
      method: "POST",
      body: '{"speed":50,"outcome":"failure"}',
    });
    const { analysis_id } = (await started.json()) as { analysis_id: string };
    const watched = await run(["watch", analysis_id, "--url", url]);
    expect([watched.code, watched.err]).toEqual([3, ""]);
    expect(watched.out).toMatch(/✗ failed .*\n$/);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("RUN-2: runs a program, and publishes its progress and its end", async () => {
    const { url, child } = await serve({ JWT_SECRET_KEY: TEST_SECRET });
    const id = crypto.randomUUID();
    const words = [
      "run",
      "--analysis",
      id,
      "--url",
      url,
      "--",
      "/bin/sh",
      "-c",
      "echo 1/2 >/dev/stderr; exit 3",
    ];
    expect(await run(words, { JWT_SECRET_KEY: TEST_SECRET })).toEqual({ out: "", err: "1/2\n", code: 3 });
    const watched = await run(["watch", id, "--url", url], { JWT_SECRET_KEY: TEST_SECRET });
    expect([watched.code, watched.out]).toEqual([3, expect.stringContaining("sh ended with exit code 3")]);
    child.kill("SIGTERM");
    await child.exited;
  });

  test("runs on a broker of a module that is one file", async () => {
    const built = await Bun.build({
      entrypoints: [join(root, "examples/minimal-broker/src/broker.ts")],
      outdir: folder,
      naming: "adapter.js",
      target: "bun",
    });
    expect(built.success).toBe(true);
    const { out, code } = await run(["check"], { BROKER: "module:./adapter.js" });
    expect([code, out]).toEqual([0, expect.stringMatching(/^broker +minimal$/m)]);
  });

  test("says clearly that a module needs a package that is not there", async () => {
    await Bun.write(
      join(folder, "lacking.js"),
      'import "a-package-that-is-not-there"; export const openBroker = () => {};',
    );
    const { err, code } = await run(["check"], { BROKER: "module:./lacking.js" });
    expect(code).toBe(78);
    expect(err).toContain("BROKER: module:./lacking.js: the module cannot be loaded: ");
    expect(err).toContain("a-package-that-is-not-there");
  });
});
