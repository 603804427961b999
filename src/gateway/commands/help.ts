import { Argument, type Command } from "commander";
import { CONFIG_VARIABLES } from "../config/variables.ts";
import { addExamples } from "./command-help.ts";
import { out } from "./standard-streams.ts";

/** A page of help about something that is no word of the program. */
const SETTINGS = "settings";

/** `telltale help settings`. The command line reads `telltale help WORD` as `telltale WORD --help`. */
export function addHelp(command: Command, program: Command): void {
  const words = program.commands.filter((one) => one !== command).map((one) => one.name());
  command
    .description("prints the help of a word, or every setting")
    .addArgument(new Argument("[word...]").choices([...words, SETTINGS]))
    .action(() => out(`${settingsForHelp()}\n`));
  addExamples(
    command,
    ["telltale help check", "the help of one word"],
    [`telltale help ${SETTINGS}`, "every environment variable, its default and its meaning"],
  );
}

/** The words that the command line takes for these, which may begin with `help`. */
export function withoutHelpWord(words: readonly string[]): readonly string[] {
  const [first, ...helped] = words;
  const isOwn = helped[0]?.startsWith("-") || (helped[0] === SETTINGS && helped.length === 1);
  return first !== "help" || isOwn ? words : [...helped, "--help"];
}

/** Every setting as text: its name, its default and its meaning. */
export function settingsForHelp(): string {
  const settings = CONFIG_VARIABLES.filter(({ implemented }) => implemented).map(
    ({ name, default: whenUnset, description }) =>
      `${name}${whenUnset === "" ? "" : `  [${whenUnset}]`}\n    ${description.replaceAll("`", "")}`,
  );
  return `Each setting is an environment variable, or the text of the file that NAME_FILE names. In brackets: the default.\n\n${settings.join("\n")}`;
}
