import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JoseTokenVerifier } from "../../src/adapters/jwt/jose-token-verifier.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

/** All of them start at once. */
setDefaultTimeout(120_000);

const KEY = "a key of the tests, thirty-two bytes and more";
const ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const root = join(import.meta.dir, "../..");

async function token(args: readonly string[], env: Record<string, string> = { JWT_SECRET_KEY: KEY }) {
  const child = Bun.spawn([...runtimeCommand(), "token", ...args], {
    cwd: root,
    env,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, code };
}

const realClock = { now: () => Date.now(), every: () => () => {}, after: () => () => {}, soon: () => {} };
const verify = (jwt: string) => new JoseTokenVerifier(KEY, realClock).verify(jwt);

describe.concurrent("npm run token", () => {
  test("prints a token of the configured key, alone on a line", async () => {
    const scope = ["--scope", "analysis:publish", "--scope", "notice:publish analysis:publish"];
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { stdout, stderr, code } = await token([
      "--user",
      "alice",
      "--analyses",
      "*",
      ...scope,
      "--expires",
      "15m",
    ]);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const verified = await verify(stdout.trim());
    expect(verified).toMatchObject({
      userId: "alice",
      analyses: "*",
      scopes: new Set(["analysis:publish", "notice:publish"]),
    });
    expect(verified.expiresAt - before).toBeWithin(900_000, 1_020_000);
  });

  test("limits a token to the analyses given, for an hour by default", async () => {
    const { stdout } = await token(["--user", "alice", "--analyses", `${ID.toUpperCase()}, ${ID}`]);
    const verified = await verify(stdout.trim());
    expect(verified.analyses).toEqual(new Set([ID]));
    expect(verified.expiresAt - Date.now()).toBeWithin(3_480_000, 3_600_001);
  });

  test("takes the key from a file", async () => {
    const path = join(tmpdir(), `telltale-key-${crypto.randomUUID()}`);
    await Bun.write(path, `${KEY}\n`);
    try {
      const { stdout } = await token(["--user", "alice"], { JWT_SECRET_KEY_FILE: path });
      expect((await verify(stdout.trim())).userId).toBe("alice");
    } finally {
      await Bun.file(path).delete();
    }
  });

  test("prints no token without a key, and says what to set", async () => {
    const { stdout, stderr, code } = await token(["--user", "alice"], {});
    expect({ stdout, code }).toEqual({ stdout: "", code: 78 });
    expect(stderr).toContain("Set JWT_SECRET_KEY");
  });

  test("refuses a key that the gateway would refuse", async () => {
    const { stdout, stderr, code } = await token(["--user", "alice"], { JWT_SECRET_KEY: "short" });
    expect({ stdout, code }).toEqual({ stdout: "", code: 78 });
    expect(stderr).toBe("JWT_SECRET_KEY: must be at least 32 bytes long, is 5\n");
  });

  test.each([
    [[], "--user"],
    [["--user", " "], "blank"],
    [["--user", "alice", "--analyses", "README.md"], "is not a UUID"],
    [["--user", "alice", "--analyses", "a", "b"], "is not a UUID"],
    [["--user", "alice", "--scope", "admin"], "Known scopes"],
    [["--user", "alice", "--expires", "1"], "90s, 15m, 1h or 7d"],
    [["--user", "alice", "--expires", "0s"], "90s, 15m, 1h or 7d"],
    [["--user", "alice", "extra"], "too many arguments"],
    [["--usr", "alice"], "unknown option"],
  ])("refuses the arguments %j, and says why", async (args, reason) => {
    const { stdout, stderr, code } = await token(args);
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
    expect(stderr).toContain(reason);
  });

  test("explains its options in its help", async () => {
    const { stdout, code } = await token(["--help"]);
    expect(code).toBe(0);
    for (const word of ["--user", "--analyses", "--scope", "--expires", "JWT_SECRET_KEY"]) {
      expect(stdout).toContain(word);
    }
  });
});
