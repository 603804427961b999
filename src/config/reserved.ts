import type { Settings } from "./settings.ts";
import { CONFIG_VARIABLES } from "./variables.ts";

/**
 * A setting of a later release stops the start rather than being ignored: whoever sets it relies on what it does.
 * Those whose default is 0 accept 0, which means the same here as there.
 */
export function refuseReserved(settings: Settings): void {
  for (const variable of CONFIG_VARIABLES) {
    if (variable.implemented || !settings.isSet(variable.name)) continue;
    if (variable.default === "0" && settings.count(variable.name, 0, 1_000_000) === 0) continue;
    settings.fault(variable.name, "is not implemented in this release");
  }
}
