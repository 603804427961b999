import { Command, CommanderError } from "commander";
import { reasonOf } from "../../application/errors.ts";
import { addCheck } from "./check.ts";
import { CommandFailed, EXIT } from "./command-failed.ts";
import { addDeadLetters } from "./dead-letters.ts";
import { addHealth } from "./health.ts";
import { addToken } from "./token.ts";

/** The word that is meant if none is given. */
const NO_WORD = "serve";

/**
 * Runs the program with the words after its name. Resolves with the exit code of a command that ended; undefined if a
 * gateway serves from now on. An unknown word or option starts nothing: the code is 2 and standard error says why.
 */
export async function runCommandLine(
  words: readonly string[],
  serve: () => Promise<void>,
): Promise<number | undefined> {
  let serving = false;
  const program = new Command("telltale")
    .description("Tells people, live, how a long-running analysis is doing.")
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride();
  program
    .command(NO_WORD)
    .description("runs the gateway; the same without a word")
    .action(async () => {
      await serve();
      serving = true;
    });
  addCheck(program.command("check"));
  addHealth(program.command("health"));
  addToken(program.command("token"));
  addDeadLetters(program.command("deadletters"));
  try {
    await program.parseAsync(words.length === 0 ? [NO_WORD] : words, { from: "user" });
    return serving ? undefined : 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  // Commander has written its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  const message = reasonOf(error);
  if (message !== "") console.error(message);
  return error instanceof CommandFailed ? error.exitCode : EXIT.notDone;
}
