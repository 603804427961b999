import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The orders for one run of a worker, as it reads them (`workers/work.py`). */
export interface Plan {
  readonly analysis_id: string;
  readonly attempt_id?: string;
  readonly ends: "finishes" | "raises" | "exits";
  /** It says the numbers up to this one. */
  readonly total: number;
  /** After this number it waits until the file `go` is there. */
  readonly hold: number;
  /** Seconds between two numbers. */
  readonly pause: number;
  readonly said: string;
  readonly go: string;
}

/** One run of a worker, seen through its files. */
export class PlannedRun {
  readonly plan: Plan;

  constructor(folder: string, orders: Omit<Plan, "said" | "go">) {
    const path = join(folder, crypto.randomUUID());
    this.plan = { ...orders, said: `${path}.said`, go: `${path}.go` };
  }

  /** Ends its wait. */
  go(): void {
    writeFileSync(this.plan.go, "");
  }

  /** The processes that have done it, the latest last. */
  get pids(): readonly number[] {
    return this.#lines.filter((line) => line.startsWith("pid ")).map((line) => Number(line.slice(4)));
  }

  /** The numbers that each of these was to say. */
  get said(): readonly (readonly number[])[] {
    const runs: number[][] = [];
    for (const line of this.#lines) {
      if (line.startsWith("pid ")) runs.push([]);
      else if (/^\d+$/.test(line)) runs.at(-1)?.push(Number(line));
    }
    return runs;
  }

  /** When its code ended, in milliseconds since 1970; undefined if it has not. */
  get endedAt(): number | undefined {
    const line = this.#lines.findLast((line) => line.startsWith("end "));
    return line === undefined ? undefined : Number(line.slice(4)) * 1000;
  }

  get #lines(): readonly string[] {
    return existsSync(this.plan.said) ? readFileSync(this.plan.said, "utf8").split("\n") : [];
  }
}
