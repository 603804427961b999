import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { signToken } from "../src/adapters/jwt/token-signer.ts";
import { startGateway } from "../test/support/gateway-process.ts";

/** `bun run bench/idle.ts`: what an idle connection takes of the server's memory, at 10,000 of them. Linux only. */
const WATCHERS = 10_000;
const SECRET = "a-secret-for-the-bench-of-32-bytes-or-more";
const gateway = await startGateway({
  JWT_SECRET_KEY: SECRET,
  MAX_CONNECTIONS_PER_USER: "100000",
  HEARTBEAT_INTERVAL_SECONDS: "100",
  HEARTBEAT_TIMEOUT_SECONDS: "300",
});
const token = await signToken(
  SECRET,
  { user: "bench", analyses: "*", scopes: [], expiresInSeconds: 3600 },
  Date.now(),
);
const before = residentKiB(gateway.pid);
const url = `${gateway.url.replace("http", "ws")}/ws/analysis/${crypto.randomUUID()}`;
const opened = Promise.withResolvers<void>();
const watchers = Bun.spawn([process.execPath, "run", "bench/watchers.ts", url, `${WATCHERS}`, token], {
  cwd: new URL("..", import.meta.url).pathname,
  stderr: "inherit",
  ipc: () => opened.resolve(),
});
const began = performance.now();
await opened.promise;
const seconds = (performance.now() - began) / 1000;
// The runtime collects the garbage of the handshakes while nothing happens.
await pause(5_000);
const each = (residentKiB(gateway.pid) - before) / WATCHERS;
console.log(
  `${WATCHERS} idle connections: ${each.toFixed(1)} KiB of resident memory each; ${Math.round(WATCHERS / seconds)} admitted a second`,
);
watchers.kill("SIGKILL");
await gateway.kill9();
process.exit(0);

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
