import { spawn } from "node:child_process";

interface Program {
  readonly pid: number;
  /** Whether it leads a group of its own. */
  readonly leadsGroup: boolean;
  /** `NAME=value` in the environment of all that it has started. */
  readonly mark: string;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

/** Waits until its input ends. If nothing was said by then, the command was killed. */
const WATCHER = `
read -r word
[ "$word" = over ] && exit
first=$1 mark=$2 grace=$3
all() {
  echo "$first"
  for file in $(grep -lsF "$mark" /proc/[0-9]*/environ); do
    file=\${file#/proc/}
    echo "\${file%/environ}"
  done
}
signal() {
  found=1
  for each in $(all); do
    kill -s "$1" -- "$each" 2>/dev/null && found=0
  done
  return "$found"
}
signal TERM
signal CONT
while [ "$grace" -gt 0 ] && signal 0; do
  sleep 1
  grace=$((grace - 1))
done
signal KILL
`;

/**
 * Ends the program and what it has started, on Linux, if this process is killed: a shell of a session of its own waits for that. Without
 * a shell the program goes on. Returns a function that is to be called when the program has ended; it resolves when the shell knows.
 */
export function endWithCommand({ pid, leadsGroup, mark, graceMs }: Program): () => Promise<void> {
  if (process.platform !== "linux") return async () => {};
  const words = [`${leadsGroup ? -pid : pid}`, mark, `${Math.ceil(graceMs / 1_000)}`];
  const watcher = spawn("/bin/sh", ["-c", WATCHER, "sh", ...words], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // There is no shell, or it was killed: nobody watches then.
  watcher.on("error", () => {});
  watcher.stdin.on("error", () => {});
  if (watcher.pid === undefined) return async () => {};
  watcher.unref();
  return () => new Promise((resolve) => void watcher.stdin.end("over\n", () => resolve()));
}
