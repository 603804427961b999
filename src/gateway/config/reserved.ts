import type { Settings } from "./settings.ts";
import { CONFIG_VARIABLES, type VariableName } from "./variables.ts";

/** Settings of a broker that BROKER does not name. They have no effect. */
const NEEDED_BROKER: Partial<Record<VariableName, string>> = { REDIS_CA_FILE: "redis" };

/**
 * Refuses the settings of later releases. They are not ignored, because an operator who sets one relies on its effect. A
 * setting whose default is 0 may be 0, which means the same in this release. Calls `note` with each setting that is not
 * used.
 */
export function refuseReserved(settings: Settings, note: (text: string) => void): void {
  const broker = settings.text("BROKER");
  for (const variable of CONFIG_VARIABLES) {
    if (variable.implemented || !settings.isSet(variable.name)) continue;
    const needed = NEEDED_BROKER[variable.name];
    if (broker !== undefined && needed !== undefined && broker !== needed) {
      note(`${variable.name} is not used: BROKER is not ${needed}.`);
      continue;
    }
    if (variable.default === "0" && settings.count(variable.name, 0, 1_000_000) === 0) continue;
    settings.fault(variable.name, "is not implemented in this release");
  }
}
