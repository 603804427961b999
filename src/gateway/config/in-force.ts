import { HIDDEN, withoutCredentials } from "./hidden-credentials.ts";
import type { Settings } from "./settings.ts";
import { CONFIG_VARIABLES } from "./variables.ts";

/** One setting as it is in force. It holds no secret. */
export interface SettingInForce {
  readonly name: string;
  /** In words if it is decided later or by something else; null if there is none. `(hidden)` for a secret. */
  readonly value: string | null;
  /** `unused`: it is set, and the other settings leave it without effect. */
  readonly source: "default" | "environment" | "file" | "unused";
  /** The file that holds the value, with source `file`. */
  readonly file?: string;
}

/** All settings that have an effect, and those that are set without one, in the order of the table of settings. */
export function settingsInForce(settings: Settings): SettingInForce[] {
  return CONFIG_VARIABLES.flatMap(({ name, default: whenUnset, implemented }): SettingInForce[] => {
    const used = settings.inForce(name);
    if (!implemented || (used === undefined && !settings.isSet(name))) return [];
    if (used === undefined) return [{ name, value: null, source: "unused" }];
    const value = shown(name, used.value);
    if (!settings.isSet(name))
      return [{ name, value: value ?? (whenUnset === "" ? null : whenUnset), source: "default" }];
    const file = settings.fileOf(name);
    return [
      file === undefined ? { name, value, source: "environment" } : { name, value, source: "file", file },
    ];
  });
}

/** A setting whose name is like that of a secret counts as one. */
const SECRET = /KEY|PASSWORD|SECRET|CREDS|TOKEN/;
const PUBLIC = /PUBLIC/;

function shown(name: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  if (SECRET.test(name) && !PUBLIC.test(name)) return HIDDEN;
  const [line = "", ...more] = withoutCredentials(value).split("\n");
  return more.length === 0 ? line : `${line} …`;
}
