import { allProcesses, beganWith, type LinuxProcess } from "./linux-process.ts";

/**
 * A program and all that it has started. On Linux that is everything in its group and every descendant, whatever group it has made
 * for itself, also if its parent has ended: a mark in its environment tells. Elsewhere it is the group, or the program alone.
 */
export class ProcessTree {
  readonly #root: number;
  readonly #leadsGroup: boolean;
  readonly #mark: string;
  /** When those that were seen have started, by their ids. */
  readonly #seen = new Map<number, string>();

  /** `leadsGroup`: the program has a group of its own. `mark`: a `NAME=value` that only its environment has. */
  constructor(root: number, leadsGroup: boolean, mark: string) {
    this.#root = root;
    this.#mark = mark;
    this.#leadsGroup = leadsGroup;
    // Read while the program is there for certain: a later process may have its id.
    this.#members();
  }

  /** Sends a signal to everything that runs. Answers false if something of it may not be sent one. */
  signal(signal: NodeJS.Signals): boolean {
    const members = this.#members();
    if (members === undefined) return sent(this.#leadsGroup ? -this.#root : this.#root, signal);
    const inGroup = members.filter(({ group }) => this.#leadsGroup && group === this.#root);
    // The group at once, so that nothing that it starts meanwhile is left out.
    const toGroup = inGroup.length === 0 || sent(-this.#root, signal);
    const alone = members.filter((member) => !inGroup.includes(member));
    return alone.map(({ pid }) => sent(pid, signal)).every((is) => is) && toGroup;
  }

  /** Whether anything of it runs; undefined if nobody can say. */
  isAlive(): boolean | undefined {
    const members = this.#members();
    return members === undefined ? undefined : members.length > 0;
  }

  #members(): readonly LinuxProcess[] | undefined {
    const all = allProcesses();
    if (all === undefined) return undefined;
    const byParent = Map.groupBy(all, ({ parent }) => parent);
    const found = new Map<number, LinuxProcess>();
    const take = (process: LinuxProcess) => {
      if (found.has(process.pid)) return;
      found.set(process.pid, process);
      for (const child of byParent.get(process.pid) ?? []) take(child);
    };
    for (const process of all) if (this.#isKnown(process)) take(process);
    for (const { pid, startedAt } of found.values()) this.#seen.set(pid, startedAt);
    return [...found.values()].filter(({ state }) => state !== "Z" && state !== "X");
  }

  #isKnown({ pid, group, startedAt }: LinuxProcess): boolean {
    const seen = this.#seen.get(pid);
    if (seen !== undefined) return seen === startedAt;
    if ((pid === this.#root && this.#seen.size === 0) || (this.#leadsGroup && group === this.#root))
      return true;
    return beganWith(pid, this.#mark);
  }
}

/** False if it is not permitted. A process that has ended takes no signal, and needs none. */
function sent(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPERM") return false;
    if (code !== "ESRCH") throw error;
  }
  return true;
}
