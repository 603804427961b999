import { reasonOf } from "../../application/errors.ts";
import { CommandFailed } from "./command-failed.ts";
import { EXIT } from "./exit-codes.ts";
import { printableLines } from "./printable.ts";

/** The first failure to write to standard output; nothing is written after it. */
let fault: CommandFailed | undefined;
/** The last write to each stream. */
let [written, told] = [Promise.resolve(), Promise.resolve()];
const listeners = new Set<(fault: CommandFailed) => void>();
let isAttended = false;

/** Writes a text to standard output as it is. If that fails, `outputFault` has the reason. */
export function out(text: string): void {
  attend();
  if (fault !== undefined) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  written = promise;
  try {
    process.stdout.write(text, (error) => {
      if (error) fail(error);
      resolve();
    });
  } catch (error) {
    // Runtimes throw some failures and emit others.
    fail(error);
    resolve();
  }
}

/** Writes the output of another program as it is. Resolves when it is written; false if nobody reads that stream any more. */
export function passOn(bytes: Uint8Array, name: "stdout" | "stderr"): Promise<boolean> {
  attend();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  try {
    process[name].write(bytes, (error) => resolve(!error));
  } catch (error) {
    if (name === "stdout") fail(error);
    resolve(false);
  }
  return promise;
}

/** Writes lines to standard error, without characters that a terminal would obey, and without colours. */
export function err(lines: string): void {
  attend();
  const { promise, resolve } = Promise.withResolvers<void>();
  told = promise;
  try {
    process.stderr.write(`${printableLines(lines)}\n`, () => resolve());
  } catch {
    // No reader is left.
    resolve();
  }
}

/** Calls `listener` at the first failure to write to standard output. Returns a function that ends this. */
export function onOutputFault(listener: (fault: CommandFailed) => void): () => void {
  attend();
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Resolves when everything is written, at the latest after `patienceMs`, with the failure if there was one: code 141 and no
 * words if nobody reads the output any more, else code 1.
 */
export async function outputFault(patienceMs = Number.POSITIVE_INFINITY): Promise<CommandFailed | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    if (Number.isFinite(patienceMs)) timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([Promise.all([written, told]), late]);
  clearTimeout(timer);
  return fault;
}

/** Without a listener a runtime would end the process with the error and its stack. */
function attend(): void {
  if (isAttended) return;
  isAttended = true;
  process.stdout.on("error", fail);
  process.stderr.on("error", () => {});
}

function fail(error: unknown): void {
  if (fault !== undefined) return;
  const isClosed = error instanceof Error && "code" in error && error.code === "EPIPE";
  fault = isClosed
    ? new CommandFailed(EXIT.outputClosed)
    : new CommandFailed(EXIT.notDone, `standard output cannot be written: ${reasonOf(error)}`);
  for (const listener of listeners) listener(fault);
}
