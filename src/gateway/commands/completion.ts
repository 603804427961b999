import { Argument, type Command } from "commander";
import { addExamples } from "./command-help.ts";
import { bashCompletion, type CompletedWord, fishCompletion, zshCompletion } from "./completion-scripts.ts";
import { out } from "./standard-streams.ts";

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
type Shell = keyof typeof SCRIPTS;

/** `telltale completion bash|zsh|fish` prints a script that completes the words and options of `program` in that shell. */
export function addCompletion(command: Command, program: Command): void {
  command
    .description("prints a script that completes words and options in a shell")
    .addArgument(new Argument("<shell>").choices(Object.keys(SCRIPTS)))
    .action((shell: Shell) => out(`${SCRIPTS[shell](completedWords(program))}\n`));
  addExamples(
    command,
    ["source <(telltale completion bash)", "in ~/.bashrc"],
    ["source <(telltale completion zsh)", "in ~/.zshrc, after compinit"],
    ["telltale completion fish > ~/.config/fish/completions/telltale.fish", "once"],
  );
}

/** The program and all words below it. */
function completedWords(command: Command, path: readonly string[] = []): readonly CompletedWord[] {
  const below = command.commands.map((one) => ({ text: one.name(), description: one.description() }));
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  const options = command.createHelp().visibleOptions(command);
  return [
    {
      path,
      words: [...below, ...choices.map((text) => ({ text, description: "" }))],
      options: options.flatMap(({ long, description, required, argChoices = [] }) =>
        long === null || long === undefined
          ? []
          : [{ text: long, description, takesValue: required, values: argChoices }],
      ),
    },
    ...command.commands.flatMap((one) => completedWords(one, [...path, one.name()])),
  ];
}
