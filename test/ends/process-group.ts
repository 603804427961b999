import type { Subprocess } from "bun";

/** A process of the table with all that it starts, in a group of its own. */
export interface ProcessGroup {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** The last that it wrote to both streams. */
  output(): string;
  /** Ends all of it at once, stopped processes too. */
  kill(): Promise<void>;
}

const groups = new Set<number>();

/** `cwd` is a temporary folder, by which a check of the whole repository knows the processes that it left behind. */
export function startGroup(
  command: readonly string[],
  { cwd, env, stdin = "ignore" }: { cwd: string; env: Record<string, string>; stdin?: "ignore" | "pipe" },
): ProcessGroup & { readonly child: Subprocess<"ignore" | "pipe", "pipe", "pipe"> } {
  const child = Bun.spawn([...command], {
    cwd,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin,
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  if (groups.size === 0) process.on("exit", killGroups);
  groups.add(child.pid);
  let written = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const text = new TextDecoder();
    for await (const chunk of stream) written = (written + text.decode(chunk)).slice(-MOST_OUTPUT);
  };
  void read(child.stderr);
  if (stdin === "ignore") void read(child.stdout);
  return {
    child,
    pid: child.pid,
    exited: child.exited,
    output: () => written,
    async kill() {
      killGroup(child.pid);
      await child.exited;
    },
  };
}

const MOST_OUTPUT = 4_000;

/** Ends those that still run. Synchronous: for the last moment of a process. */
export function killGroups(): void {
  for (const pid of groups) killGroup(pid);
}

function killGroup(pid: number): void {
  groups.delete(pid);
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
