import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OwnKeys } from "../../../src/adapters/jwt/jose-token-verifier.ts";
import { loadConfig } from "../../../src/gateway/config/config.ts";
import { KeyFiles } from "../../../src/gateway/key-files.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { IssuerKey } from "../../support/local-issuer.ts";

const [OLD, YOUNG] = ["9c1f3c0b7d52e48a61f7c93e5d08b2467f3a9c51", "kR8mQ2vX5tZ9wB3nL6pD1sF4hJ7gC0yAu4Wq7Ez2"];
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function watched(
  name: "JWT_SECRET_KEY" | "JWT_PUBLIC_KEY",
  text: string,
  beside: Record<string, string> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "telltale-keys-"));
  folders.push(folder);
  const path = join(folder, "key");
  writeFileSync(path, text);
  const loaded = loadConfig({ NODE_ENV: "production", [`${name}_FILE`]: path, ...beside }, () => text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const telemetry = new CollectingTelemetry();
  const used: OwnKeys[] = [];
  const files = new KeyFiles(loaded.config, telemetry, (keys) => used.push(keys));
  return {
    used,
    telemetry,
    path,
    write: (content: string) => writeFileSync(path, content),
    look: async (times = 2) => {
      for (let time = 0; time < times; time++) await files.look();
    },
  };
}

describe("TOK-8: the files of token keys", () => {
  test("are taken when two looks found the same new text, and only then", async () => {
    const { used, write, look, telemetry } = watched("JWT_SECRET_KEY", OLD);
    await look(3);
    expect([used, telemetry.logs]).toEqual([[], []]);
    write(YOUNG.slice(0, 36));
    await look(1);
    write(`${YOUNG}\n${OLD}\n`);
    await look(1);
    expect(used).toEqual([]);
    await look(3);
    expect(used).toEqual([{ secrets: [YOUNG, OLD], publicKeys: [] }]);
    expect(telemetry.logs).toEqual([
      {
        level: "info",
        message: "the keys of tokens were read again",
        fields: { secrets: 2, public_keys: 0 },
      },
    ]);
  });

  test("are taken at the first look if they changed since the start", async () => {
    const { used, write, look } = watched("JWT_SECRET_KEY", OLD);
    write(YOUNG);
    await look();
    expect(used).toEqual([{ secrets: [YOUNG], publicKeys: [] }]);
  });

  test.each(["", "\n", "short", "a".repeat(40), new IssuerKey().pem])(
    "change nothing while they hold %j, and one line warns",
    async (bad) => {
      const { used, write, look, telemetry } = watched("JWT_SECRET_KEY", OLD);
      await look();
      write(bad);
      await look(5);
      expect(used).toEqual([]);
      expect(telemetry.logs).toHaveLength(1);
      expect(telemetry.logs[0]).toMatchObject({
        level: "warn",
        fields: { reason: expect.stringContaining("JWT_SECRET_KEY_FILE: ") },
      });
      write(OLD);
      await look(3);
      write(bad);
      await look(3);
      expect([used, telemetry.logs.length]).toEqual([[], 2]);
    },
  );

  test("change nothing while they are gone, and the log shows neither path nor content", async () => {
    const { used, look, telemetry, path, write } = watched("JWT_SECRET_KEY", OLD);
    rmSync(path);
    await look(3);
    write(YOUNG);
    await look(3);
    expect(used).toEqual([{ secrets: [YOUNG], publicKeys: [] }]);
    const said = JSON.stringify(telemetry.logs);
    for (const hidden of [path, OLD, YOUNG]) expect(said).not.toContain(hidden);
    expect(said).toContain("ENOENT");
  });

  test("leave a secret of the environment as it is if they hold public keys", async () => {
    const key = new IssuerKey("EdDSA");
    const { used, write, look } = watched("JWT_PUBLIC_KEY", new IssuerKey().pem, { JWT_SECRET_KEY: OLD });
    await look();
    write(key.pem);
    await look();
    expect(used).toMatchObject([{ secrets: [OLD], publicKeys: [{ kty: "OKP" }] }]);
  });
});
