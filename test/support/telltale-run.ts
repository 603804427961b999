import { join } from "node:path";
import { remember } from "./children.ts";

const root = join(import.meta.dir, "../..");

export interface Run {
  /** All that it wrote so far to each stream. */
  readonly out: () => Buffer;
  readonly err: () => string;
  readonly pid: number;
  readonly exited: Promise<number>;
}

/** The words that start a command of this checkout. */
export const commandWords = (...words: readonly string[]) => [
  process.execPath,
  "run",
  join(root, "src/main.ts"),
  ...words,
];

/** `telltale run` with these words in `folder`, as a service starts it: without a terminal. */
export function runOf(
  folder: string,
  env: Readonly<Record<string, string>>,
  words: readonly string[],
  stdin = "",
): Run {
  const child = Bun.spawn(commandWords("run", ...words), {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  remember(child);
  let out: Buffer = Buffer.alloc(0);
  let err: Buffer = Buffer.alloc(0);
  const reading = [
    (async () => {
      for await (const chunk of child.stdout) out = Buffer.concat([out, chunk]);
    })(),
    (async () => {
      for await (const chunk of child.stderr) err = Buffer.concat([err, chunk]);
    })(),
  ];
  return {
    out: () => out,
    err: () => err.toString(),
    pid: child.pid,
    exited: Promise.all(reading).then(() => child.exited),
  };
}

/** Resolves when `is` holds: looks again as long as the test lasts. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await Bun.sleep(20);
}
