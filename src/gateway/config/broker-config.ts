import { type RedisTarget, readRedisTarget } from "./redis-target.ts";
import type { Settings } from "./settings.ts";
import type { VariableName } from "./variables.ts";

export type BrokerConfig = { readonly kind: "memory" } | RedisConfig | ModuleConfig;

interface ModuleConfig {
  readonly kind: "module";
  /** A path from the working directory, or the name of a package. */
  readonly module: string;
}

interface RedisConfig extends RedisTarget {
  readonly kind: "redis";
  /** Replicas that must hold an event before it is acknowledged; `seen`: one, as soon as one was ever reported. */
  readonly waitReplicas: number | "seen";
}

const MODULE = "module:";
const MOST_REPLICAS = 1_000;
const OF_REDIS: readonly VariableName[] = [
  "REDIS_URL",
  "REDIS_HOST",
  "REDIS_PORT",
  "REDIS_DB",
  "REDIS_PASSWORD",
  "REDIS_WAIT_REPLICAS",
];

/** Reads the broker and its settings. Calls `note` with each setting that is set but not used. */
export function readBroker(settings: Settings, note: (text: string) => void): BrokerConfig {
  const named = settings.text("BROKER");
  if (named === "nats") {
    settings.fault("BROKER", "nats is not implemented in this release");
    return { kind: "memory" };
  }
  if (named?.startsWith(MODULE)) return readModule(settings, named.slice(MODULE.length));
  const whenUnset = settings.isSet("REDIS_URL") || settings.isSet("REDIS_HOST") ? "redis" : "memory";
  const kind = settings.choice("BROKER", ["memory", "redis"], whenUnset);
  if (kind === "redis") {
    return { kind, ...readRedisTarget(settings, note), waitReplicas: readWaitReplicas(settings) };
  }
  for (const name of OF_REDIS) settings.noteUnused(name, "the broker is memory", note);
  return { kind };
}

/** The settings of another broker may be those of the module, so none of them counts as unused. */
function readModule(settings: Settings, module: string): ModuleConfig {
  if (module === "") settings.fault("BROKER", "module: needs a path or the name of a package after it");
  return { kind: "module", module };
}

function readWaitReplicas(settings: Settings): number | "seen" {
  if (settings.text("REDIS_WAIT_REPLICAS") === undefined) return "seen";
  return settings.count("REDIS_WAIT_REPLICAS", 0, MOST_REPLICAS);
}
