import { type NatsTarget, OF_NATS, readNatsTarget } from "./nats-target.ts";
import { type RedisTarget, readRedisTarget } from "./redis-target.ts";
import type { Settings } from "./settings.ts";
import type { VariableName } from "./variables.ts";

export type BrokerConfig = { readonly kind: "memory" } | RedisConfig | NatsConfig | ModuleConfig;

interface NatsConfig extends NatsTarget {
  readonly kind: "nats";
}

interface ModuleConfig {
  readonly kind: "module";
  /** A path from the working directory, or the name of a package. */
  readonly module: string;
}

type RedisConfig = RedisTarget & {
  readonly kind: "redis";
  /** Replicas that must hold an event before it is acknowledged; `seen`: one, as soon as one was ever reported. */
  readonly waitReplicas: number | "seen";
};

const MODULE = "module:";
/** No module is loaded from the network, and an address may hold a password. */
const ADDRESS = /^[a-z][a-z+.-]*:\//i;
const MOST_REPLICAS = 1_000;
const OF_REDIS: readonly VariableName[] = [
  "REDIS_URL",
  "REDIS_HOST",
  "REDIS_PORT",
  "REDIS_DB",
  "REDIS_PASSWORD",
  "REDIS_SENTINEL_PASSWORD",
  "REDIS_CA",
  "REDIS_CERT",
  "REDIS_KEY",
  "REDIS_WAIT_REPLICAS",
];

/** Reads the broker and its settings. Calls `note` with each setting that is set but not used. */
export function readBroker(settings: Settings, note: (text: string) => void): BrokerConfig {
  const named = settings.text("BROKER");
  if (named?.startsWith(MODULE)) return readModule(settings, named.slice(MODULE.length));
  const kind = settings.choice("BROKER", ["memory", "redis", "nats"], kindByAddress(settings));
  // As long as nobody has said which broker it is, the settings of neither are unused.
  if (kind !== "nats" && (named !== undefined || !settings.isSet("NATS_URL")))
    for (const name of OF_NATS) settings.noteUnused(name, `the broker is ${kind}`, note);
  if (kind === "redis") {
    return { kind, ...readRedisTarget(settings, note), waitReplicas: readWaitReplicas(settings) };
  }
  for (const name of OF_REDIS) settings.noteUnused(name, `the broker is ${kind}`, note);
  return kind === "nats" ? { kind, ...readNatsTarget(settings) } : { kind };
}

/** The broker that has an address, if BROKER does not say which. */
function kindByAddress(settings: Settings): "memory" | "redis" | "nats" {
  const redis = settings.isSet("REDIS_URL") || settings.isSet("REDIS_HOST");
  const nats = settings.isSet("NATS_URL");
  if (redis && nats && settings.text("BROKER") === undefined) {
    settings.fault("BROKER", "must say redis or nats: addresses of both are set");
  }
  if (redis) return "redis";
  return nats ? "nats" : "memory";
}

/** The settings of another broker may be those of the module, so none of them counts as unused. */
function readModule(settings: Settings, module: string): ModuleConfig {
  if (ADDRESS.test(module))
    settings.fault("BROKER", "module: needs a path or the name of a package after it, not an address");
  if (module === "") settings.fault("BROKER", "module: needs a path or the name of a package after it");
  return { kind: "module", module };
}

function readWaitReplicas(settings: Settings): number | "seen" {
  if (settings.text("REDIS_WAIT_REPLICAS") === undefined) return "seen";
  return settings.count("REDIS_WAIT_REPLICAS", 0, MOST_REPLICAS);
}
