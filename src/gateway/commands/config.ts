import type { Command } from "commander";
import type { SettingInForce } from "../config/in-force.ts";
import { readWholeConfig } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { printable, printableJson } from "./printable.ts";
import { err, out } from "./standard-streams.ts";

/** `telltale config` prints every setting in force and where it comes from. No secret is shown. */
export function addConfig(command: Command): void {
  command
    .description(
      "prints every setting in force and where it comes from; run it with the gateway's environment",
    )
    .option("--json", "writes one JSON object instead of lines")
    .addHelpText("after", "\ntelltale help settings has the meaning of each setting.")
    .action(({ json = false }: { readonly json?: boolean }) => {
      const notes: string[] = [];
      const { inForce } = readWholeConfig(process.env, (text) => {
        notes.push(text);
        if (!json) err(text);
      });
      const text = json
        ? printableJson(JSON.stringify({ settings: inForce, notes }))
        : linesOf(inForce).join("\n");
      out(`${text}\n`);
    });
  addExamples(
    command,
    ["telltale config", "a line for each setting: name, value, source"],
    ["telltale config --json | jq '.settings[] | select(.source != \"default\")'", "those that are set"],
  );
}

/** A value that is longer does not widen the column of the others. */
const WIDEST_VALUE = 40;

function linesOf(settings: readonly SettingInForce[]): string[] {
  const nameWidth = Math.max(...settings.map(({ name }) => name.length));
  const values = settings.map(({ value }) => printable(value ?? "–"));
  const lengths = values.map(({ length }) => length).filter((length) => length <= WIDEST_VALUE);
  const valueWidth = Math.max(0, ...lengths);
  return settings.map(({ name, source, file }, index) =>
    [
      name.padEnd(nameWidth),
      (values[index] ?? "").padEnd(valueWidth),
      file === undefined ? source : `file ${printable(file)}`,
    ].join("  "),
  );
}
