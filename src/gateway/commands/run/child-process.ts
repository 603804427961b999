import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { endWithCommand } from "./end-with-command.ts";
import type { OutputPipes } from "./output-pipes.ts";
import { type PassedOn, passedOn } from "./passed-on.ts";
import { ProcessTree } from "./process-tree.ts";
import { type Unstarted, unstarted } from "./unstarted.ts";

/** How a program ended. */
export type ChildEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  | Unstarted;

interface ChildOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** For its outputs. */
  readonly pipes: OutputPipes;
  /** If this process is killed, as `end` has it: milliseconds between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Gets each piece of output after it was passed on. */
  readonly onOutput: (chunk: Uint8Array, stream: "stdout" | "stderr") => void;
  /** Called if something that the program has started may not be sent a signal. */
  readonly onForbidden: (signal: NodeJS.Signals) => void;
}

/** Between two looks for what is left of a program that is to end. */
const LOOK_MS = 200;
/** A program that is still there so long after SIGKILL is given up. */
const KILLED_MS = 5_000;

/**
 * A program whose output is passed on as it comes, byte for byte. Without a terminal on its input it leads a group of its own. In a
 * terminal it stays in the group of this process: the keys of the user reach both, and it may read the terminal.
 */
export class ChildOfRun {
  /** Resolves when the program has ended, and its output was passed on. If it is told to end, all that it has started has ended too. */
  readonly ended: Promise<ChildEnd>;
  readonly #options: ChildOptions;
  readonly #child: ChildProcess | undefined;
  readonly #tree: ProcessTree | undefined;
  #over = async () => {};
  #hasExited = false;
  #ending: Promise<void> | undefined;

  /** Starts the program. If it cannot be started, that is how it ended. */
  constructor(options: ChildOptions) {
    this.#options = options;
    const { pipes } = options;
    const [program = "", ...args] = options.command;
    const run = crypto.randomUUID();
    const leadsGroup = !process.stdin.isTTY;
    const stdio: StdioOptions = ["inherit", pipes.stdout.stdio, pipes.stderr.stdio];
    let child: ChildProcess;
    try {
      const env = { ...options.env, TELLTALE_RUN: run };
      child = spawn(program, args, { env, stdio, detached: leadsGroup });
    } catch (error) {
      // Runtimes throw some reasons and emit others.
      for (const pipe of Object.values(pipes)) pipe.close();
      this.ended = Promise.resolve(unstarted(program, error));
      return;
    }
    this.#child = child;
    if (child.pid !== undefined) {
      const mark = `TELLTALE_RUN=${run}`;
      this.#tree = new ProcessTree(child.pid, leadsGroup, mark);
      this.#over = endWithCommand({ pid: child.pid, leadsGroup, mark, graceMs: options.graceMs });
    }
    const exit = new Promise<ChildEnd>((resolve) => {
      child.on("error", (error) => resolve(unstarted(program, error)));
      child.on("exit", (code, signal) =>
        resolve(signal === null ? { kind: "exit", code: code ?? 1 } : { kind: "signal", signal }),
      );
    });
    const outputs = (["stdout", "stderr"] as const).map((name) =>
      passedOn(pipes[name].read(child[name]), name, (chunk) => options.onOutput(chunk, name)),
    );
    this.ended = this.#endOf(exit, outputs);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Sends a signal to the program and to all that it has started. Nothing happens if it has ended. */
  kill(signal: NodeJS.Signals): void {
    if (this.#tree?.signal(signal) === false) this.#options.onForbidden(signal);
  }

  /** Ends the program and all that it has started: by SIGTERM, and by SIGKILL if something is left after so many milliseconds. */
  end(graceMs: number): void {
    this.#ending ??= this.#end(graceMs);
  }

  async #end(graceMs: number): Promise<void> {
    this.kill("SIGTERM");
    // A stopped process hears of it only when it goes on.
    this.kill("SIGCONT");
    if (await this.#isGoneWithin(graceMs)) return;
    this.kill("SIGKILL");
    // A busy machine takes a while to end it, and a process that hangs in the kernel may stay.
    await this.#isGoneWithin(KILLED_MS);
  }

  async #isGoneWithin(ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    for (let left = ms; left > 0 && this.#isAlive(); left = deadline - performance.now())
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, left)));
    return !this.#isAlive();
  }

  #isAlive(): boolean {
    return this.#tree?.isAlive() ?? !this.#hasExited;
  }

  async #endOf(exit: Promise<ChildEnd>, outputs: readonly PassedOn[]): Promise<ChildEnd> {
    const end = await exit;
    this.#hasExited = true;
    await this.#ending;
    await this.#over();
    await Promise.all(outputs.map((output) => output.finish()));
    return end;
  }
}

/** The exit code of a shell for a program that ended so. */
export function exitCodeOf(end: ChildEnd): number {
  if (end.kind === "exit") return end.code;
  if (end.kind === "signal") return 128 + (constants.signals[end.signal] ?? 0);
  return end.code;
}
