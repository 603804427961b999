import { Command } from "commander";
import { VERSION } from "../version.ts";
import { addCheck } from "./check.ts";
import { addExamples, exitCodesForHelp } from "./command-help.ts";
import { addCompletion } from "./completion.ts";
import { addConfig } from "./config.ts";
import { addDeadLetters } from "./dead-letters.ts";
import { addHealth } from "./health.ts";
import { addHelp } from "./help.ts";
import { addPublish } from "./publish.ts";
import { addRun } from "./run.ts";
import { err, out } from "./standard-streams.ts";
import { addToken } from "./token.ts";
import { addWatch } from "./watch.ts";

/** The word that is meant if none is given. */
export const NO_WORD = "serve";

/**
 * All words of the program with their options, as the command line, the help and the completions take them. `serve` starts
 * a gateway. A fault of the command line is written to standard error and thrown as a `CommanderError`.
 */
export function createProgram(serve: () => Promise<void>): Command {
  const program = new Command("telltale")
    .description("Tells people, live, how a long-running analysis is doing.")
    .usage("[word] [options]")
    .version(VERSION, "-V, --version", "prints the version")
    .helpOption("-h, --help", "prints this help; after a word, the help of that word")
    .helpCommand(false)
    // Options after the name of a program that is run are its own.
    .enablePositionalOptions()
    .showHelpAfterError("(--help shows what there is)")
    .configureOutput({ writeOut: out, writeErr: (text) => err(text.replace(/\n$/, "")) })
    .exitOverride();
  addExamples(
    program
      .command(NO_WORD)
      .description("runs the gateway, configured by the environment; the same without a word")
      .action(serve),
    ["telltale", "in development, on the in-memory broker, with the demo page"],
    ["REDIS_URL=redis://127.0.0.1 telltale serve", "on a Redis"],
    ["PORT=0 telltale serve", "on a free port; the first line of the output names it"],
  );
  addHealth(program.command("health"));
  addCheck(program.command("check"));
  addConfig(program.command("config"));
  addToken(program.command("token"));
  addPublish(program.command("publish"));
  addRun(program.command("run"));
  addWatch(program.command("watch"));
  addDeadLetters(program.command("deadletters"));
  addCompletion(program.command("completion"), program);
  program
    .command("version")
    .description("prints the version")
    .action(() => out(`${VERSION}\n`));
  addHelp(program.command("help"), program);
  return program.addHelpText(
    "after",
    `\n${exitCodesForHelp()}\n\nSettings are environment variables: telltale help settings lists them.`,
  );
}
