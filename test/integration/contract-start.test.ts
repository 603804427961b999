import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../support/gateway-process.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** The start of a gateway as a process, when something is in its way. */
describe("a start", () => {
  /** Runs a start that is expected to end by itself. */
  async function run(env: Record<string, string>, cwd = ROOT) {
    const gateway = Bun.spawn(runtimeCommand(), {
      cwd,
      env: { PATH: process.env.PATH ?? "", PORT: "0", LOG_LEVEL: "error", ...env },
      stdout: "ignore",
      stderr: "pipe",
      timeout: 25_000,
    });
    const said = await new Response(gateway.stderr).text();
    return { code: await gateway.exited, said };
  }

  test("fails if another gateway has the port, and takes none of its clients", async () => {
    const first = await startGateway();
    try {
      const { code, said } = await run({ PORT: `${first.port}` });
      expect(code).toBe(1);
      expect(said).toContain(`${first.port}`);
    } finally {
      await first.stop();
    }
  });

  test("OPS-4: is configured by the environment alone, whatever .env lies beside it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "telltale-start-"));
    try {
      for (const name of ["src", "node_modules", "package.json", "tsconfig.json", "bunfig.toml"])
        await symlink(join(ROOT, name), join(directory, name));
      await Bun.write(join(directory, ".env"), "LOG_LEVEL=bogus\nHISTORY_SIZE=none\n");
      const { code, said } = await run({ PORT: "none" }, directory);
      expect(code).toBe(78);
      expect(said).toContain("PORT: ");
      expect(said).not.toContain("HISTORY_SIZE");
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
