/** More than an analysis has. */
const MOST_NAMED = 50;

/** The stages that a worker has named. Once a gateway has refused one, its reports go on at the one before. */
export class NamedStages {
  readonly #refused = new Set<unknown>();
  #named: string[];

  constructor(first: string) {
    this.#named = [first];
  }

  /** The last one that was not refused; the first one of all if each was. */
  get last(): string {
    return this.#named.findLast((stage) => !this.#refused.has(stage)) ?? (this.#named[0] as string);
  }

  /** Notes the stage that the analysis is at. */
  at(stage: string): void {
    if (this.#named.at(-1) !== stage) this.#named = [...this.#named.slice(-MOST_NAMED), stage];
  }

  refuse(stage: unknown): void {
    if (this.#refused.size < MOST_NAMED) this.#refused.add(stage);
  }

  /** The report, without a stage that was refused: what else it says must not be lost with it. */
  without<Given extends { readonly stage?: unknown }>(report: Given): Given {
    if (!this.#refused.has(report.stage)) return report;
    const { stage: _, ...rest } = report;
    return rest as Given;
  }
}
