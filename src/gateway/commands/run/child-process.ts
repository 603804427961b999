import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { passOn } from "../standard-streams.ts";
import { outputPipe } from "./output-pipe.ts";

/** How a program ended. */
export type ChildEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  /** It could not be started. */
  | { readonly kind: "unstarted"; readonly reason: string; readonly isMissing: boolean };

interface ChildOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Gets each piece of output after it was passed on. */
  readonly onOutput: (chunk: Uint8Array, stream: "stdout" | "stderr") => void;
}

/** A program that holds an output open after the other has ended is waited for until it writes nothing for so long. */
const QUIET_MS = 500;

/**
 * A program whose output is passed on as it comes, byte for byte. Without a terminal it leads a group of its own, so that a signal
 * reaches all that it has started. In a terminal the keys of the user reach it by themselves.
 */
export class ChildOfRun {
  readonly ended: Promise<ChildEnd>;
  readonly #child: ChildProcess;
  readonly #leadsGroup: boolean;

  /** Starts the program. If it cannot be started, that is how it ended. */
  static async start({ command: [program = "", ...args], env, onOutput }: ChildOptions): Promise<ChildOfRun> {
    const pipes = { stdout: await outputPipe(), stderr: await outputPipe() };
    const leadsGroup = !process.stdin.isTTY;
    const stdio: StdioOptions = ["inherit", pipes.stdout.stdio, pipes.stderr.stdio];
    const child = spawn(program, args, { env, stdio, detached: leadsGroup });
    const ended = new Promise<ChildEnd>((resolve) => {
      child.on("error", (error: NodeJS.ErrnoException) => {
        const isMissing = error.code === "ENOENT";
        resolve({
          kind: "unstarted",
          reason: isMissing ? "there is no such program" : error.message,
          isMissing,
        });
      });
      child.on("exit", (code, signal) =>
        resolve(signal === null ? { kind: "exit", code: code ?? 1 } : { kind: "signal", signal }),
      );
    });
    const outputs = (["stdout", "stderr"] as const).map((name) =>
      passedOn(pipes[name].read(child[name]), name, (chunk) => onOutput(chunk, name)),
    );
    return new ChildOfRun(child, leadsGroup, endOf(ended, outputs));
  }

  private constructor(child: ChildProcess, leadsGroup: boolean, ended: Promise<ChildEnd>) {
    this.#child = child;
    this.#leadsGroup = leadsGroup;
    this.ended = ended;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends a signal to the program, and to its group if it leads one. Nothing happens if it has ended. */
  kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(this.#leadsGroup ? -pid : pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** How the program ended, once its output was passed on. */
async function endOf(ended: Promise<ChildEnd>, outputs: readonly PassedOn[]): Promise<ChildEnd> {
  const end = await ended;
  await Promise.all(outputs.map((output) => output.finish()));
  return end;
}

/** The exit code of a shell for a program that ended so. */
export function exitCodeOf(end: ChildEnd): number {
  if (end.kind === "exit") return end.code;
  if (end.kind === "signal") return 128 + (constants.signals[end.signal] ?? 0);
  return end.isMissing ? 127 : 126;
}

interface PassedOn {
  /** Resolves when all output was passed on. */
  readonly finish: () => Promise<void>;
}

function passedOn(
  stream: Readable,
  name: "stdout" | "stderr",
  onChunk: (chunk: Uint8Array) => void,
): PassedOn {
  let [isWriting, heardAt] = [false, performance.now()];
  const whole = (async () => {
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        heardAt = performance.now();
        isWriting = true;
        const isRead = await passOn(chunk, name);
        isWriting = false;
        onChunk(chunk);
        // The program is to find out as well that nobody reads it any more.
        if (!isRead) break;
      }
    } catch (error) {
      // Ended by `finish`, or by the other side.
      if (!stream.destroyed) throw error;
    }
  })();
  return {
    async finish() {
      let timer: ReturnType<typeof setInterval> | undefined;
      const quiet = new Promise<void>((resolve) => {
        timer = setInterval(() => {
          if (!isWriting && performance.now() - heardAt >= QUIET_MS) resolve();
        }, 50);
      });
      await Promise.race([whole, quiet]);
      clearInterval(timer);
      stream.destroy();
    },
  };
}
