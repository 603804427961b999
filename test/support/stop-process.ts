import { readFileSync } from "node:fs";

const PATIENCE_MS = 2_000;

/** Stops a process with SIGSTOP, and returns once it stands still: on a busy machine it may go on for a moment. */
export function stopProcess(pid: number): void {
  process.kill(pid, "SIGSTOP");
  const deadline = performance.now() + PATIENCE_MS;
  while (!standsStill(pid) && performance.now() < deadline);
}

function standsStill(pid: number): boolean {
  // The state follows the name of the program, which may hold anything.
  return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.startsWith("T") ?? false;
}
