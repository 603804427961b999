import { type Command, CommanderError } from "commander";
import { reasonOf } from "../../application/errors.ts";
import { CommandFailed } from "./command-failed.ts";
import { EXIT } from "./exit-codes.ts";
import { withoutHelpWord } from "./help.ts";
import { createProgram, NO_WORD } from "./program.ts";
import { err, outputFault } from "./standard-streams.ts";

/**
 * Runs the program with the words after its name. Resolves with the exit code of a command that ended; undefined if a
 * gateway serves from now on. An unknown word or option starts nothing: the code is 2 and standard error says why.
 */
export async function runCommandLine(
  words: readonly string[],
  serve: () => Promise<void>,
): Promise<number | undefined> {
  let serving = false;
  const program = createProgram(async () => {
    await serve();
    serving = true;
  });
  const meant = words.length === 0 ? [NO_WORD] : withoutHelpWord(words);
  try {
    await program.parseAsync(withoutHelpOfUnknown(meant, program), { from: "user" });
    return serving ? undefined : await withOutput(0);
  } catch (error) {
    return await withOutput(exitCodeOf(error), error);
  }
}

/** The longest that a command which failed waits for the reader of its output. */
const PATIENCE_MS = 1_000;

/** The exit code of a command that ended with `code`, once its output is written. `told`: the failure that is told already. */
async function withOutput(code: number, told?: unknown): Promise<number> {
  const fault = await outputFault(code === 0 ? undefined : PATIENCE_MS);
  if (fault === undefined) return code;
  if (fault !== told) exitCodeOf(fault);
  return code === 0 ? fault.exitCode : code;
}

/** If a word is unknown, commander answers `--help` after it with the general help, and success. */
function withoutHelpOfUnknown(words: readonly string[], program: Command): readonly string[] {
  let command = program;
  for (const word of words) {
    if (word.startsWith("-") || command.commands.length === 0) return words;
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) return words.filter((one) => one !== "-h" && one !== "--help");
    command = next;
  }
  return words;
}

function exitCodeOf(error: unknown): number {
  // Commander has written its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  const message = reasonOf(error);
  if (message !== "") err(message);
  return error instanceof CommandFailed ? error.exitCode : EXIT.notDone;
}
