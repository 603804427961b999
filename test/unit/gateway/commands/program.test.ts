import { describe, expect, test } from "bun:test";
import type { Command } from "commander";
import { EXIT, EXIT_CODES } from "../../../../src/gateway/commands/exit-codes.ts";
import { createProgram } from "../../../../src/gateway/commands/program.ts";
import { readDocument, sectionOf, tablesIn } from "../../../support/documents.ts";

const program = createProgram(async () => {});
/** The words without words below them. */
const leaves = leavesOf(program);
const nameOf = (command: Command): string =>
  command.parent === null ? "" : `${nameOf(command.parent)} ${command.name()}`;

describe("the program", () => {
  test.each(leaves.map((leaf) => [nameOf(leaf), leaf] as const))(
    "has an example in the help of%s that it takes",
    (name, leaf) => {
      const examples = examplesIn(helpOf(leaf));
      if (name === " version") return;
      expect(examples.length).toBeGreaterThan(0);
      for (const line of examples) expect([line, faultOf(line)]).toEqual([line, undefined]);
    },
  );

  test("describes each word and option, and no two words in the same way", () => {
    const described = leaves.map((leaf) => leaf.description());
    expect(described.filter((text) => text === "")).toEqual([]);
    expect(new Set(described).size).toBe(described.length);
    for (const leaf of leaves)
      for (const option of leaf.options) expect([option.flags, option.description]).not.toContain("");
  });

  test("lists each exit code in its help, and docs/COMMANDS.md does", () => {
    const help = helpOf(program);
    const rows = tablesIn(sectionOf(readDocument("docs/COMMANDS.md"), "Exit codes"))[0] ?? [];
    expect(rows).toEqual(EXIT_CODES.map(([code, meaning]) => [code, meaning]));
    for (const [code, meaning] of EXIT_CODES)
      expect(help.replaceAll(/\s+/g, " ")).toContain(` ${code} ${meaning}`);
    for (const code of Object.values(EXIT)) expect(EXIT_CODES.map(([text]) => text)).toContain(`${code}`);
  });

  test("has each word in docs/COMMANDS.md", () => {
    const rows = tablesIn(sectionOf(readDocument("docs/COMMANDS.md"), "Words"))[0] ?? [];
    expect(rows.map(([word = ""]) => word.replaceAll("`", "").split(" ")[0])).toEqual(
      program.commands.map((command) => command.name()),
    );
  });
});

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

function helpOf(command: Command): string {
  const written: string[] = [];
  command.configureOutput({ writeOut: (text) => written.push(text) });
  command.outputHelp();
  return written.join("");
}

/** The lines to type under `Examples:`, without what explains them. */
function examplesIn(help: string): string[] {
  const [, below = ""] = help.split("\nExamples:\n");
  return [...below.matchAll(/^ {2}(\S.*?)(?: {2,}.*)?$/gm)].map(([, line = ""]) => line);
}

/** Undefined if the line runs `telltale` with words and options that it has. */
function faultOf(line: string): string | undefined {
  const [, words = ""] = /(?:^|[ <(])telltale((?: [^|>)&]+)*)/.exec(line) ?? [];
  let command = program;
  // The words behind it are those of another program.
  const [own = ""] = words.split(" -- ");
  for (const word of own.split(" ").filter((one) => one !== "")) {
    const below = command.commands.find((one) => one.name() === word);
    if (below !== undefined) command = below;
    else if (word.startsWith("--") && !command.options.some(({ long }) => long === word.split("=")[0]))
      return `${nameOf(command)} has no option ${word}`;
    else if (command.commands.length > 0) return `${nameOf(command)} has no word ${word}`;
  }
  return line.includes("telltale") ? undefined : "it does not run telltale";
}
