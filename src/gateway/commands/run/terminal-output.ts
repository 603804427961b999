import { closeSync, constants, openSync, readSync } from "node:fs";
import { Readable } from "node:stream";
import { CommandFailed } from "../command-failed.ts";
import { EXIT } from "../exit-codes.ts";
import { type CallC, type CFunction, cLibrary } from "./c-library.ts";
import type { OutputPipe } from "./output-pipe.ts";

const FUNCTIONS: Record<string, CFunction> = {
  posix_openpt: { args: ["i32"], returns: "i32" },
  grantpt: { args: ["i32"], returns: "i32" },
  unlockpt: { args: ["i32"], returns: "i32" },
  ptsname_r: { args: ["i32", "ptr", "u64"], returns: "i32" },
  tcgetattr: { args: ["i32", "ptr"], returns: "i32" },
  cfmakeraw: { args: ["ptr"], returns: "void" },
  tcsetattr: { args: ["i32", "i32", "ptr"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
};
/** Numbers of Linux: a descriptor that no program inherits, and the request that sets the size of a terminal. */
const [CLOSED_ON_EXEC, SET_SIZE] = [0o2000000, 0x5414];
/** More than the attributes and the name of a terminal take. */
const ROOM = 256;
const BYTES = 64 * 1024;
/** The longest time between two looks for output. */
const LONGEST_PAUSE_MS = 50;

/** Makes a terminal for an output of a program. */
export type MakeTerminal = () => OutputPipe;

/**
 * Terminals for programs that draw their bars for one alone; undefined if this runtime has none. The bytes pass as they are, and the
 * program waits if nobody takes them. They are as large as that of this command, else of 80 columns.
 */
export async function terminals(): Promise<MakeTerminal | undefined> {
  const call = await cLibrary(FUNCTIONS);
  return call && (() => terminal(call));
}

function terminal(call: CallC): OutputPipe {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const reading = call("posix_openpt", flags | constants.O_NONBLOCK | CLOSED_ON_EXEC);
  const name = Buffer.alloc(ROOM);
  const isMade =
    reading >= 0 &&
    call("grantpt", reading) === 0 &&
    call("unlockpt", reading) === 0 &&
    call("ptsname_r", reading, name, ROOM) === 0;
  if (!isMade) {
    if (reading >= 0) closeSync(reading);
    throw new CommandFailed(EXIT.notDone, "the system has no terminal to give");
  }
  const writing = openSync(name.toString("utf8", 0, name.indexOf(0)), flags);
  const attributes = new Uint8Array(ROOM);
  call("tcgetattr", writing, attributes);
  // As it comes: no line end becomes two characters.
  call("cfmakeraw", attributes);
  call("tcsetattr", writing, 0, attributes);
  const { columns = 80, rows = 24 } = process.stderr.isTTY ? process.stderr : process.stdout;
  call("ioctl", writing, SET_SIZE, new Uint16Array([rows, columns, 0, 0]));
  return {
    stdio: writing,
    read() {
      // The output ends when the program has closed its own.
      closeSync(writing);
      return Readable.from(outputOf(reading), { objectMode: false });
    },
    close() {
      closeSync(writing);
      closeSync(reading);
    },
  };
}

/** Looks again and again: no stream of the runtime waits for a terminal without holding one of its few threads. */
async function* outputOf(reading: number): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(BYTES);
  try {
    for (let pauseMs = 1; ; ) {
      const count = read(reading, buffer);
      if (count === "ended") return;
      if (count === "nothing yet") {
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
        continue;
      }
      pauseMs = 1;
      yield buffer.slice(0, count);
    }
  } finally {
    closeSync(reading);
  }
}

function read(reading: number, buffer: Uint8Array): number | "nothing yet" | "ended" {
  try {
    const count = readSync(reading, buffer);
    return count === 0 ? "ended" : count;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") return "nothing yet";
    // No process has it open any more.
    if (code === "EIO") return "ended";
    throw error;
  }
}
