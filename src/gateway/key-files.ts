import { readFile } from "node:fs/promises";
import type { OwnKeys } from "../adapters/jwt/jose-token-verifier.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { Config } from "./config/config.ts";
import type { KeySetting } from "./config/jwt-config.ts";
import { readPublicKeys } from "./config/jwt-public-keys.ts";
import { readSecrets } from "./config/jwt-secrets.ts";
import { Settings } from "./config/settings.ts";

/** The time between two looks at the files, in milliseconds. A new text counts once two looks found it. */
export const LOOK_AT_KEYS_MS = 2_000;

/** The text of a file, or the code of the failure to read it. */
type Found = { readonly text: string } | { readonly failed: string };

/**
 * Reads the files of token keys again while the gateway runs, and passes new keys on. A file that is empty, half written or
 * gone keeps the keys as they are; the log says so once.
 */
export class KeyFiles {
  readonly #config: Pick<Config, "jwt" | "mode">;
  readonly #telemetry: TelemetryPort;
  readonly #use: (keys: OwnKeys) => void;
  /** The texts that are in force. At the start, those of the first look. */
  #inForce: string | undefined;
  /** The texts of the last look. A file that is being written has another one each time. */
  #seen: string | undefined;
  #warned = false;

  constructor(config: Pick<Config, "jwt" | "mode">, telemetry: TelemetryPort, use: (keys: OwnKeys) => void) {
    this.#config = config;
    this.#telemetry = telemetry;
    this.#use = use;
  }

  /** Begins to look. The answer ends it. */
  watch(clock: ClockPort): () => void {
    if (Object.keys(this.#config.jwt.files).length === 0) return () => {};
    let looking = false;
    return clock.every(LOOK_AT_KEYS_MS, () => {
      if (looking) return;
      looking = true;
      void this.look().finally(() => {
        looking = false;
      });
    });
  }

  /** Looks once. Never rejects. */
  async look(): Promise<void> {
    const files = Object.entries(this.#config.jwt.files);
    const found = new Map<string, Found>();
    for (const [, path] of files) found.set(path, await textOf(path));
    const seen = JSON.stringify([...found]);
    const isSettled = seen === this.#seen;
    this.#seen = seen;
    if (seen === this.#inForce) this.#warned = false;
    if (!isSettled || seen === this.#inForce) return;
    const { keys, fault } = this.#keysIn(found);
    if (fault !== undefined) return this.#warn(fault);
    const isFirst = this.#inForce === undefined && this.#isAsConfigured(keys);
    this.#inForce = seen;
    this.#warned = false;
    if (isFirst) return;
    this.#use(keys);
    const { secrets = [], publicKeys = [] } = keys;
    this.#telemetry.log("info", "the keys of tokens were read again", {
      secrets: secrets.length,
      public_keys: publicKeys.length,
    });
  }

  /** The keys as the start would read them, from the files and, for those of no file, from the configuration. */
  #keysIn(found: ReadonlyMap<string, Found>): { readonly keys: OwnKeys; readonly fault: string | undefined } {
    const { jwt, mode } = this.#config;
    const env = Object.fromEntries(Object.entries(jwt.files).map(([name, path]) => [`${name}_FILE`, path]));
    const settings = new Settings(env, (path) => {
      const file = found.get(path) ?? { failed: "ENOENT" };
      if ("text" in file) return file.text;
      throw Object.assign(new Error("the file cannot be read"), { code: file.failed });
    });
    const isOfFile = (name: KeySetting) => name in jwt.files;
    const keys = {
      secrets: isOfFile("JWT_SECRET_KEY") ? readSecrets(settings, mode, () => {}) : jwt.secrets,
      publicKeys: isOfFile("JWT_PUBLIC_KEY") ? readPublicKeys(settings) : jwt.publicKeys,
    };
    const [fault] = settings.faults;
    return { keys, fault: fault && `${fault.name}: ${fault.message}` };
  }

  #isAsConfigured(keys: OwnKeys): boolean {
    const { secrets, publicKeys } = this.#config.jwt;
    return JSON.stringify(keys) === JSON.stringify({ secrets, publicKeys });
  }

  #warn(fault: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#telemetry.log("warn", "the keys of tokens stay as they are: a file of theirs cannot be used", {
      reason: fault,
    });
  }
}

async function textOf(path: string): Promise<Found> {
  try {
    return { text: await readFile(path, "utf8") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return { failed: typeof code === "string" ? code : "unknown error" };
  }
}
