import { programPath } from "./needs.ts";

/**
 * Whether a cluster of this machine's `nats-server` takes only one of two messages that expect the same last one. Those before
 * 2.9.21 take both.
 */
export function clusterOrdersWriters(): boolean {
  const { stdout } = Bun.spawnSync([programPath("nats-server"), "--version"], { stderr: "ignore" });
  const version = /v(\d+\.\d+\.\d+)/.exec(stdout.toString())?.[1];
  if (version === undefined) throw new Error(`nats-server does not say its version: ${stdout}`);
  return Bun.semver.order(version, "2.9.21") >= 0;
}
