import { parseReport, type Report, type Told } from "./told.ts";

/** The runner carries these out, and then reports. */
export type Command =
  | {
      readonly do: "watch";
      readonly url: string;
      readonly analysis_id: string;
      readonly transports: readonly string[];
      readonly until: "terminal" | null;
    }
  | { readonly do: "skip"; readonly seconds: number }
  | { readonly do: "cancel"; readonly reason: string | null }
  | { readonly do: "report" | "close" | "retry_now" }
  | { readonly do: "done"; readonly passed: boolean; readonly why: string | null };

/** The talk with a runner: it asks what to do next, and reports when it has done it. */
export class Conversation {
  #told: Told | undefined;
  #due: Command | undefined;
  #asked: ((command: Command) => void) | undefined;
  #reported: ((told: Told) => void) | undefined;

  /** The next command, when there is one. Throws if `reported` is no report. */
  async next(reported: unknown): Promise<Command> {
    if (reported !== undefined && reported !== null) this.#take(parseReport(reported));
    const command = this.#due ?? (await this.#command());
    this.#due = undefined;
    return command;
  }

  /** Resolves with all that the client has told, once it has carried the command out. */
  say(command: Command): Promise<Told> {
    const reported = new Promise<Told>((resolve) => {
      this.#reported = resolve;
    });
    if (this.#asked) this.#asked(command);
    else this.#due = command;
    this.#asked = undefined;
    return reported;
  }

  get told(): Told | undefined {
    return this.#told;
  }

  #command(): Promise<Command> {
    return new Promise((resolve) => {
      this.#asked = resolve;
    });
  }

  #take(report: Report): void {
    this.#told = { report, events: [...(this.#told?.events ?? []), ...report.events] };
    this.#reported?.(this.#told);
    this.#reported = undefined;
  }
}
