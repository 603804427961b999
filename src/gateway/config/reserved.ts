import type { Settings } from "./settings.ts";
import { CONFIG_VARIABLES } from "./variables.ts";

/**
 * Refuses the settings of later releases. They are not ignored, because an operator who sets one relies on its effect. A
 * setting whose default is 0 may be 0, which means the same in this release.
 */
export function refuseReserved(settings: Settings): void {
  for (const variable of CONFIG_VARIABLES) {
    if (variable.implemented || !settings.isSet(variable.name)) continue;
    if (variable.default === "0" && settings.count(variable.name, 0, 1_000_000) === 0) continue;
    settings.fault(variable.name, "is not implemented in this release");
  }
}
