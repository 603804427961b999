import { readdirSync, readFileSync } from "node:fs";

/** A process, as Linux tells of it. */
export interface LinuxProcess {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** `T` or `t`: it is stopped. `Z`: it has ended and waits for its parent. */
  readonly state: string;
  /** Tells it from a later process of the same id. */
  readonly startedAt: string;
}

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
  const state = processOf(pid)?.state;
  return state === "T" || state === "t";
}

/** All processes that this one can see; undefined if nobody can say. */
export function allProcesses(): readonly LinuxProcess[] | undefined {
  let names: readonly string[];
  try {
    names = readdirSync("/proc");
  } catch {
    // Another system.
    return undefined;
  }
  const found = names.filter((name) => /^\d+$/.test(name)).map((name) => processOf(Number(name)));
  const processes = found.filter((process) => process !== undefined);
  return processes.length === 0 ? undefined : processes;
}

/** Whether a process has this `NAME=value` in the environment that it began with; false if this one may not read that. */
export function beganWith(pid: number, variable: string): boolean {
  const environment = textOf(`/proc/${pid}/environ`) ?? "";
  return `\0${environment}`.includes(`\0${variable}\0`);
}

function processOf(pid: number): LinuxProcess | undefined {
  // The name of the program, in brackets before the state, may hold anything.
  const [, rest] = /^.*\) (.*)$/s.exec(textOf(`/proc/${pid}/stat`) ?? "") ?? [];
  const fields = rest?.trim().split(" ") ?? [];
  const [state, parent, group] = fields;
  const startedAt = fields[19];
  if (state === undefined || startedAt === undefined) return undefined;
  return { pid, parent: Number(parent), group: Number(group), state, startedAt };
}

/** Undefined if there is no such file: another system, or another version of the kernel's groups. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
