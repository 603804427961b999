import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Subprocess } from "bun";

/** A gateway, or a program in its place, that a bench starts as a process of its own. */
export interface Contestant {
  readonly name: string;
  readonly command: readonly string[];
  /** The checkout that it runs from. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface RunningContestant {
  readonly url: string;
  readonly pid: number;
  /** User and system time so far, in seconds. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

const OWN_ROOT = new URL("..", import.meta.url).pathname;

/** This checkout's gateway and, with `--against FOLDER`, the one of another checkout: two states of it in one run. */
export function gateways(env: Readonly<Record<string, string>>): Contestant[] {
  const { values } = parseArgs({ options: { against: { type: "string" } }, strict: false });
  const command = ["run", "src/main.ts"];
  const own = { name: "telltale", command, root: OWN_ROOT, env };
  return typeof values.against !== "string" ? [own] : [own, { ...own, name: "before", root: values.against }];
}

/** Resolves when it has said where it answers. */
export async function startContestant({
  command,
  root,
  env,
}: Omit<Contestant, "name">): Promise<RunningContestant> {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    env: { PATH: process.env.PATH ?? "", PORT: "0", ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  return {
    url: await addressOf(child),
    pid: child.pid,
    cpuSeconds: () => cpuSeconds(child.pid),
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** The same for a process and its children. One that has ended counts with the first, which is its parent. */
export function cpuSecondsOfAll([parent, ...children]: readonly number[]): number {
  if (parent === undefined) return 0;
  const fields = statOf(parent);
  const ended = (Number(fields[13]) + Number(fields[14])) / 100;
  return [parent, ...children].reduce((sum, pid) => sum + cpuSeconds(pid), ended);
}

/** User and system time of a process in seconds, from the kernel's own books (Linux, 100 ticks a second). */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function addressOf(server: Subprocess<"ignore", "pipe", "inherit">): Promise<string> {
  let said = "";
  for await (const bytes of server.stdout) {
    said += new TextDecoder().decode(bytes);
    const url = /answers at (http:\S+)/.exec(said)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`no address: ${said}`);
}

/** The fields behind the name of the process. */
function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
}
