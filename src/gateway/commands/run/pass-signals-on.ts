import type { ChildOfRun } from "./child-process.ts";

/** Signals that somebody sends to the command and means for the program. */
const PASSED_ON = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const;
/** Those that keys of a terminal send: they reach the program by themselves if it shares the terminal. */
const OF_KEYS: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT"]);

/**
 * Passes signals on to a program and to what it has started. Without a terminal on the input it is stopped (SIGTSTP) and goes on
 * with this process; in a terminal the shell does that. Returns a function that ends this.
 */
export function passSignalsOn(child: ChildOfRun): () => void {
  const isInTerminal = process.stdin.isTTY;
  const listeners = new Map<NodeJS.Signals, () => void>();
  for (const signal of PASSED_ON) {
    // The command outlives the keys too, to tell how the program ended.
    listeners.set(signal, isInTerminal && OF_KEYS.has(signal) ? () => {} : () => child.kill(signal));
  }
  if (!isInTerminal) {
    listeners.set("SIGCONT", () => child.kill("SIGCONT"));
    listeners.set("SIGTSTP", () => {
      child.kill("SIGSTOP");
      process.kill(process.pid, "SIGSTOP");
    });
  }
  return listenTo(listeners);
}

/** Exits with this code at any such signal: the program has ended, and the last events wait for the gateway. Returns a function that ends this. */
export function exitAtSignal(code: number): () => void {
  return listenTo(new Map(PASSED_ON.map((signal) => [signal, () => process.exit(code)])));
}

function listenTo(listeners: ReadonlyMap<NodeJS.Signals, () => void>): () => void {
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
