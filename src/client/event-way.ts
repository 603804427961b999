import type { PublishAnswer } from "./publish-answer.ts";

/** How the events of one analysis leave the process. Nothing here throws because the other side is away. */
export interface EventWay {
  /**
   * Tries once to have 1 to 100 encoded events stored: all or none, in this order, after those of earlier calls. The same
   * `key` says that they are the same events. The body of the answer may hold `cancel_requested`.
   */
  send(events: readonly string[], key: string): Promise<PublishAnswer>;
  /** Says once that the worker lives, although it has no event. The answer is as that of `send`. */
  beat(): Promise<PublishAnswer>;
}

/** Time and timers of a worker. */
export interface WorkerClock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Runs `task` once after `milliseconds`, unless the returned function is called before. A task that is `idle` does not keep
   * the process running.
   */
  after(milliseconds: number, task: () => void, idle?: "idle"): () => void;
}

export const workerClock: WorkerClock = {
  now: () => Date.now(),
  after(milliseconds, task, idle) {
    const timer: unknown = setTimeout(task, milliseconds);
    if (idle !== undefined) keepNothingRunning(timer);
    return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
  },
};

/** Node and Bun have a method for it, Deno a function. */
function keepNothingRunning(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
    timer.unref();
    return;
  }
  const { Deno } = globalThis as { readonly Deno?: { unrefTimer?(timer: unknown): void } };
  Deno?.unrefTimer?.(timer);
}
