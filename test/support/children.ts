import type { Subprocess } from "bun";

const running = new Set<Subprocess>();

/** To be told of every server that a test starts, so that none outlives it however it ends. */
export function remember(child: Subprocess): void {
  running.add(child);
  void child.exited.then(() => running.delete(child));
}

/** Ends those that still run at once, frozen ones too. Synchronous: for the last moment of a process. */
export function killChildren(): void {
  for (const child of running) child.kill("SIGKILL");
}
