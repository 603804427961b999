/** `drain`: let clients go one after the other. `end`: at once. */
export type StopRequest = "drain" | "end";

/** One press of Ctrl-C may reach a process twice: from the terminal, and from npm or `deno task`, which passes it on. */
const SAME_PRESS_MS = 500;

/** Tells what the signals that reach a gateway ask of it: the first one to drain, the second one to end. */
export class StopRequests {
  #last: { readonly signal: string; readonly at: number } | undefined;
  #ends = false;

  /** Undefined if the signal asks nothing new. `now` is in milliseconds. */
  next(signal: "SIGINT" | "SIGTERM", now: number): StopRequest | undefined {
    const last = this.#last;
    if (last === undefined) {
      this.#last = { signal, at: now };
      return "drain";
    }
    const isSamePress = signal === "SIGINT" && last.signal === "SIGINT" && now - last.at < SAME_PRESS_MS;
    if (isSamePress || this.#ends) return undefined;
    this.#ends = true;
    return "end";
  }
}
