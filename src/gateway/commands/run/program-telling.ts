import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonOf } from "../../../application/errors.ts";
import type { AnalysisId } from "../../../domain/channel.ts";

/** Whether a program tells of the analysis by itself, and whether its end is stored. */
export type Telling = "nothing" | "open" | "ended";

/** A file in which a program that uses a package of Telltale says that it tells of the analysis by itself. */
export class ProgramTelling {
  /** Undefined if this machine takes no such file: then the command tells of every program. */
  readonly path: string | undefined;
  readonly #folder: string | undefined;
  readonly #id: AnalysisId;
  #last: Telling = "nothing";

  constructor(id: AnalysisId, log: (line: string) => void) {
    this.#id = id;
    try {
      this.#folder = mkdtempSync(join(tmpdir(), "telltale-run-"));
      const path = join(this.#folder, "told");
      writeFileSync(path, "", { mode: 0o600 });
      this.path = path;
    } catch (error) {
      log(`telltale: a program that publishes by itself is told of twice: ${reasonOf(error)}`);
    }
  }

  /** The last word of the program. */
  now(): Telling {
    const said = (this.path === undefined ? "" : textOf(this.path))
      .split("\n")
      .map((line) => line.split(" "));
    const [word] = said.findLast(([, id]) => id === this.#id) ?? [];
    if (word === "open" || word === "ended") this.#last = word;
    return this.#last;
  }

  remove(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Empty if somebody has removed the file: what it said before holds. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
