import { closeSync } from "node:fs";
import { Readable } from "node:stream";
import { cLibrary } from "./c-library.ts";

/** A way for the output of a program. */
export interface OutputPipe {
  /** As `stdio` of `spawn` takes it. */
  readonly stdio: "pipe" | number;
  /** The output, once the program was started. `given` is the stream that `spawn` has made. */
  read(given: Readable | null): Readable;
  /** In place of `read`, if no program was started. */
  close(): void;
}

/**
 * A pipe of the system, as a shell has it. Runtimes give a program a socket instead: it cannot open `/dev/stderr` then, and does
 * not end by SIGPIPE when nobody reads it any more. If there is no pipe to be had, it is such a socket.
 */
export async function outputPipe(): Promise<OutputPipe> {
  const ends = await systemPipe();
  if (ends === undefined) return { stdio: "pipe", read: (given) => given as Readable, close: () => {} };
  const [reading, writing] = ends;
  return {
    stdio: writing,
    read() {
      // The output ends when the program has closed its own.
      closeSync(writing);
      // A stream of `node:fs` would hold a thread for each read, and Bun has no more threads than the machine has cores.
      const output = Readable.fromWeb(Bun.file(reading).stream() as unknown as ReadableStreamOfNode);
      return output.on("close", () => closeSync(reading));
    },
    close: () => ends.forEach(closeSync),
  };
}

type ReadableStreamOfNode = Parameters<typeof Readable.fromWeb>[0];

const CLOSED_ON_EXEC = 0o2000000;

/** Its two ends, neither of which a program inherits; undefined if the runtime has none. */
async function systemPipe(): Promise<readonly [reading: number, writing: number] | undefined> {
  const call = await cLibrary({ pipe2: { args: ["ptr", "i32"], returns: "i32" } });
  const ends = new Int32Array(2);
  // Without it the socket does for most programs.
  if (call?.("pipe2", ends, CLOSED_ON_EXEC) !== 0) return undefined;
  return [ends[0] ?? 0, ends[1] ?? 0];
}
