import { BROKERS, RUNTIMES } from "./cells.ts";
import { CHECKS } from "./checks.ts";

interface Where {
  readonly broker: string;
  readonly runtime: string;
  readonly check: string;
}

const BEGIN = "<!-- matrix -->";
const END = "<!-- /matrix -->";
const MARKS = { passed: "✓", skipped: "–" } as const;

/** The outcome of every check in every cell of the matrix, and the table of them. */
export class Results {
  readonly #outcomes = new Map<string, keyof typeof MARKS>();

  add(where: Where, outcome: keyof typeof MARKS): void {
    this.#outcomes.set(keyOf(where), outcome);
  }

  /** Whether every cell ran: a broker that a machine lacks leaves a hole. */
  isWhole(): boolean {
    return this.#outcomes.size === BROKERS.length * RUNTIMES.length * CHECKS.length;
  }

  /** A row for each check, and a column for each broker. A cell names the runtimes if they differ. */
  table(): string {
    const rows = CHECKS.map(({ name }) => [name, ...BROKERS.map((broker) => this.#cell(broker.name, name))]);
    return [["", ...BROKERS.map(({ name }) => name)], ["---", ...BROKERS.map(() => ":-:")], ...rows]
      .map((cells) => `| ${cells.join(" | ")} |`)
      .join("\n");
  }

  #cell(broker: string, check: string): string {
    const marks = RUNTIMES.map((runtime) => {
      const outcome = this.#outcomes.get(keyOf({ broker, runtime, check }));
      return outcome === undefined ? "?" : MARKS[outcome];
    });
    if (new Set(marks).size === 1) return marks[0] ?? "?";
    return RUNTIMES.map((runtime, index) => `${runtime} ${marks[index]}`).join(", ");
  }
}

function keyOf({ broker, runtime, check }: Where): string {
  return `${broker} ${runtime} ${check}`;
}

/** The table that a document has between its two marks. */
export function tableIn(document: string): string | undefined {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  return begin < 0 || end < begin ? undefined : document.slice(begin + BEGIN.length, end).trim();
}

/** The document with another table between its marks. Throws if it has no marks. */
export function withTable(document: string, table: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`no place for the table: ${BEGIN} … ${END}`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${document.slice(end)}`;
}
