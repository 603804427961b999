import { readFileSync } from "node:fs";

/** How many programs of this process' group of Linux the system has ended for want of memory; undefined if nobody can say. */
export function outOfMemoryKills(): number | undefined {
  const [, path] = /^0::(.*)$/m.exec(textOf("/proc/self/cgroup") ?? "") ?? [];
  const events =
    textOf(`/sys/fs/cgroup${path ?? ""}/memory.events`) ?? textOf("/sys/fs/cgroup/memory/memory.oom_control");
  const [, kills] = /^oom_kill (\d+)$/m.exec(events ?? "") ?? [];
  return kills === undefined ? undefined : Number(kills);
}

/** Whether the process of this id is stopped by a signal. It is taken for running if nobody can say. */
export function isStopped(pid: number): boolean {
  // The name of the program, in brackets before the state, may hold anything.
  const [, state] = /\) (\S)[^)]*$/.exec(textOf(`/proc/${pid}/stat`) ?? "") ?? [];
  return state === "T" || state === "t";
}

/** Undefined if there is no such file: another system, or another version of the kernel's groups. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
