import { type NetworkAddress, networkAddressOf } from "./network-address.ts";
import type { Settings } from "./settings.ts";

/** Where `/metrics` is served: beside everything else, nowhere, or alone at an address of its own. */
export type MetricsConfig = "on" | "off" | NetworkAddress;

export function readMetrics(settings: Settings): MetricsConfig {
  const text = settings.text("METRICS") ?? "on";
  if (text === "on" || text === "off") return text;
  const address = networkAddressOf(text, 0);
  if (address === undefined)
    settings.badValue("METRICS", "must be on, off, or HOST:PORT of a listener of its own");
  return address ?? "off";
}
