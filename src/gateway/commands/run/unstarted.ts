import { existsSync } from "node:fs";
import { reasonOf } from "../../../application/errors.ts";

/** A program could not be started. */
export interface Unstarted {
  readonly kind: "unstarted";
  /** In words that follow "could not be started: ". */
  readonly reason: string;
  /** That of a shell: 127 if there is no such program, else 126. */
  readonly code: 126 | 127;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "it is no file that may be executed",
  ENOEXEC: "this machine cannot execute it; a script begins with a line as #!/bin/sh",
  ENOTDIR: "its path leads through a file",
  E2BIG: "its arguments and its environment are too long",
  ENAMETOOLONG: "its name is too long",
};

/** Makes an end of what a runtime says if it cannot start a program. */
export function unstarted(program: string, error: unknown): Unstarted {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (program === "" || code === "ENOENT") {
    // The file of a path may be there and name an interpreter that is not.
    const isThere = program.includes("/") && existsSync(program);
    const reason = isThere ? "the interpreter that it names is not there" : "there is no such program";
    return { kind: "unstarted", reason, code: 127 };
  }
  return { kind: "unstarted", reason: REASONS[code] ?? reasonOf(error), code: 126 };
}
