import { CommandFailed } from "./command-failed.ts";
import { EXIT } from "./exit-codes.ts";
import { onOutputFault } from "./standard-streams.ts";

type StopReason = "SIGINT" | "SIGTERM" | "timeout" | CommandFailed;

export interface UntilStopped {
  /** Aborted by the first reason. */
  readonly signal: AbortSignal;
  /** Throws `CommandFailed` with the exit code of the reason, if there was one. `late` says that the time was over. */
  readonly judge: (late?: string) => void;
  /** Signals have their own effect again. */
  readonly dispose: () => void;
}

const CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, timeout: EXIT.notDone } as const;
/** The longest time that a timer of a runtime holds. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Lets a command end in order at Ctrl-C, at SIGTERM, when its output cannot be written, and after `timeoutSeconds`. A second
 * signal ends it at once.
 */
export function untilStopped(timeoutSeconds?: number): UntilStopped {
  const abort = new AbortController();
  let reason: StopReason | undefined;
  const stop = (by: StopReason) => {
    reason ??= by;
    abort.abort();
  };
  const stopBySignal = (signal: "SIGINT" | "SIGTERM") => {
    if (reason !== undefined) process.exit(CODES[signal]);
    stop(signal);
  };
  const onInterrupt = () => stopBySignal("SIGINT");
  const onTerminate = () => stopBySignal("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  const stopListening = onOutputFault(stop);
  const milliseconds = Math.min((timeoutSeconds ?? 0) * 1000, LONGEST_MS);
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(() => stop("timeout"), milliseconds);
  return {
    signal: abort.signal,
    judge(late = "") {
      if (reason === undefined) return;
      if (reason instanceof CommandFailed) throw reason;
      throw new CommandFailed(CODES[reason], reason === "timeout" ? late : "");
    },
    dispose() {
      clearTimeout(timer);
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
      stopListening();
    },
  };
}
