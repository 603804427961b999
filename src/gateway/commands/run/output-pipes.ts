import { CommandFailed } from "../command-failed.ts";
import { EXIT } from "../exit-codes.ts";
import { type OutputPipe, outputPipe } from "./output-pipe.ts";
import { terminals } from "./terminal-output.ts";

export type OutputPipes = Readonly<Record<"stdout" | "stderr", OutputPipe>>;

const NO_TERMINALS =
  "--pty needs the executable, or Bun, on a Linux with glibc. Elsewhere script gives a program a terminal.";

/** Makes the ways for both outputs of a program. Rejects with `CommandFailed` if they are to be terminals, and there are none. */
export async function outputPipes(asTerminals: boolean): Promise<OutputPipes> {
  const make = asTerminals ? await terminals() : outputPipe;
  if (make === undefined) throw new CommandFailed(EXIT.usage, NO_TERMINALS);
  const stdout = await make();
  try {
    return { stdout, stderr: await make() };
  } catch (error) {
    stdout.close();
    throw error;
  }
}
